#include "cli/session.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/json_file.h"
#include "app/loader.h"
#include "app/root.h"

namespace restitch::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultUrl = "http://127.0.0.1:9090";
constexpr std::string_view kSetup = "setup";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Members read_object(const fs::path& path) {
  const auto text = app::read_text(path);
  return text ? Members(app::parse_plain_json(*text).value_or(bson::Value())) : Members();
}

// The administrator's keys of a server on this machine, if its data directory can be read.
Members local_credentials(const std::string& data_directory) {
  std::string directory = data_directory;
  if (directory.empty()) directory = environment("RESTITCH_DATA");
  if (directory.empty()) directory = "data";
  return read_object(fs::path(directory) / "admin.json");
}

TerminalOptions terminal_options(const GlobalOptions& options) {
  TerminalOptions terminal;
  terminal.json = options.json || options.output_format == "json";
  terminal.yes = options.yes;
  terminal.plain = options.plain;
  terminal.output_file = options.output_target;
  return terminal;
}

bool is_local(const std::string& url) {
  for (const char* host : {"http://127.", "http://localhost", "http://[::1]"}) {
    if (url.starts_with(host)) return true;
  }
  return false;
}

}  // namespace

Error setup_error(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message)).with_detail(std::string(kSetup));
}

bool is_setup_error(const Error& error) { return error.detail() == kSetup; }

Session::Session(const GlobalOptions& options)
    : options_(options), terminal_(terminal_options(options)) {}

Result<Profile*> Session::profile() {
  if (!profile_) {
    auto loaded = Profile::load(options_.profile);
    if (!loaded) return std::move(loaded).error();
    profile_ = std::move(*loaded);
  }
  return &*profile_;
}

Result<std::string> Session::server_url() {
  RESTITCH_TRY(const Profile* profile, this->profile());
  std::string url = options_.url;
  if (url.empty()) url = environment("RESTITCH_URL");
  if (url.empty()) url = profile->get("realm_base_url");
  if (url.empty()) url = kDefaultUrl;
  while (url.ends_with('/')) url.pop_back();
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return setup_error("'" + url + "' is no URL of a server; it begins with http:// or https://");
  }
  return url;
}

Result<Connection> Session::connection() {
  Connection connection;
  RESTITCH_TRY(connection.url, server_url());
  RESTITCH_TRY(const Profile* profile, this->profile());
  connection.public_key =
      options_.api_key.empty() ? environment("RESTITCH_API_KEY") : options_.api_key;
  connection.private_key = options_.private_api_key.empty()
                               ? environment("RESTITCH_PRIVATE_API_KEY")
                               : options_.private_api_key;
  if (!connection.public_key.empty()) return connection;
  const std::string url_of_profile = profile->get("realm_base_url");
  if (url_of_profile == connection.url) {
    connection.public_key = profile->get("public_api_key");
    connection.private_key = profile->get("private_api_key");
    connection.username = profile->get("username");
    connection.password = profile->get("password");
    connection.access_token = profile->get("access_token");
    connection.refresh_token = profile->get("refresh_token");
    if (!connection.public_key.empty() || !connection.username.empty()) return connection;
  }
  const Members local = local_credentials(options_.data_directory);
  if (is_local(connection.url) && !local.text("publicApiKey").empty()) {
    connection.public_key = local.text("publicApiKey");
    connection.private_key = local.text("privateApiKey");
    connection.access_token.clear();
    return connection;
  }
  return setup_error(
      "not logged in to " + connection.url +
      ": log in, or name the data directory of a server on this machine with --data");
}

Result<AdminApi*> Session::api() {
  if (!api_) {
    auto connection = this->connection();
    if (!connection) {
      suggest(
          "restitch login --url <server> --api-key <public key> --private-api-key <private key>");
      return std::move(connection).error();
    }
    RESTITCH_TRY(Profile * profile, this->profile());
    const bool is_of_profile =
        !connection->public_key.empty() && connection->public_key == profile->get("public_api_key");
    const bool is_user_of_profile =
        !connection->username.empty() && connection->username == profile->get("username");
    api_ = std::make_unique<AdminApi>(std::move(*connection),
                                      is_of_profile || is_user_of_profile ? profile : nullptr);
  }
  return api_.get();
}

Result<std::optional<RemoteApp>> Session::app_of_metadata(const Members& meta) {
  const std::string id = meta.text("app_id");
  const std::string group = meta.text("group_id");
  if (id.empty() || group.empty()) return std::optional<RemoteApp>();
  RESTITCH_TRY(AdminApi * api, this->api());
  const auto found = api->get("/groups/" + group + "/apps/" + id);
  if (!found) {
    // Metadata that another server wrote.
    if (api->last_status() == 404) return std::optional<RemoteApp>();
    return found.error();
  }
  RemoteApp app;
  app.all = Members(*found);
  app.id = id;
  app.group_id = group;
  app.client_app_id = app.all.text("client_app_id");
  app.name = app.all.text("name");
  return std::optional<RemoteApp>(std::move(app));
}

Result<std::optional<RemoteApp>> Session::choose(const std::string& wanted,
                                                 std::vector<RemoteApp> matches) {
  if (matches.empty()) return std::optional<RemoteApp>();
  if (matches.size() == 1) return std::optional<RemoteApp>(std::move(matches.front()));
  std::vector<std::string> names;
  for (const RemoteApp& app : matches) names.push_back(app.client_app_id);
  if (!terminal_.can_ask()) {
    std::string list;
    for (const std::string& name : names) list.append(list.empty() ? "" : ", ").append(name);
    return setup_error("'" + wanted + "' may mean several apps: " + list);
  }
  terminal_.list("Several apps match:", names);
  const auto answer = terminal_.ask("Select App:");
  for (RemoteApp& app : matches) {
    if (answer && app.client_app_id == *answer) return std::optional<RemoteApp>(std::move(app));
  }
  return setup_error("no app was selected");
}

Result<std::optional<RemoteApp>> Session::look_for_app(const std::string& wanted,
                                                       const std::string& local) {
  std::string id = wanted;
  std::string name = wanted;
  std::string group = options_.project;
  if (wanted.empty()) {
    auto app = read_local_app(local);
    if (!app) return setup_error(app.error().message());
    RESTITCH_TRY(auto known, app_of_metadata(app->meta));
    if (known) return known;
    id = app->client_app_id;
    name = app->name;
  }
  RESTITCH_TRY(AdminApi * api, this->api());
  RESTITCH_TRY(const std::vector<RemoteApp> apps, api->apps(group));
  const std::string prefix = lower_case(id);
  std::vector<RemoteApp> exact;
  std::vector<RemoteApp> named;
  std::vector<RemoteApp> beginning;
  for (const RemoteApp& app : apps) {
    if (!id.empty() && app.client_app_id == id) exact.push_back(app);
    if (!name.empty() && app.name == name) named.push_back(app);
    if (!wanted.empty() && app.client_app_id.starts_with(prefix)) beginning.push_back(app);
  }
  if (!exact.empty()) return choose(id, std::move(exact));
  if (wanted.empty() && !id.empty()) return std::optional<RemoteApp>();
  if (!named.empty()) return choose(name, std::move(named));
  return choose(wanted, std::move(beginning));
}

Result<RemoteApp> Session::find_app(const std::string& wanted, const std::string& local) {
  RESTITCH_TRY(auto app, look_for_app(wanted, local.empty() ? "." : local));
  if (app) return std::move(*app);
  std::string name = wanted;
  if (name.empty()) {
    RESTITCH_TRY(const LocalApp directory, read_local_app(local.empty() ? "." : local));
    name = directory.client_app_id.empty() ? directory.name : directory.client_app_id;
  }
  return setup_error("failed to find app '" + name + "'");
}

Result<LocalApp> read_local_app(const std::string& path) {
  LocalApp app;
  RESTITCH_TRY(app.root, app::find_app_root(path.empty() ? "." : path));
  const app::RootSearch search = app::search_root(app.root);
  const Members root(search.chosen()->content);
  app.client_app_id = root.text("app_id");
  app.name = root.text("name");
  for (const char* file : {"app_meta.json", "meta.json"}) {
    app.meta = read_object(fs::path(app.root) / ".mdb" / file);
    if (app.client_app_id.empty()) app.client_app_id = app.meta.text("client_app_id");
    if (!app.meta.empty()) break;
  }
  return app;
}

}  // namespace restitch::cli
