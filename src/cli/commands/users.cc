#include <algorithm>
#include <ctime>

#include "base/encoding.h"
#include "cli/registry.h"

namespace restitch::cli {
namespace {

constexpr std::size_t kPage = 50;

struct UserOptions {
  std::string app, type = "email", name, email, password, state;
  std::vector<std::string> users, providers;
  bool pending = false;
};

struct Provider {
  std::string_view type, title, label;
};
constexpr Provider kProviders[] = {{"local-userpass", "User/Password", "Email"},
                                   {"api-key", "ApiKey", "Name"},
                                   {"anon-user", "Anonymous", ""},
                                   {"custom-token", "Custom JWT", ""},
                                   {"custom-function", "Custom Function", ""},
                                   {"oauth2-google", "Google", "Email"},
                                   {"oauth2-facebook", "Facebook", "Email"},
                                   {"oauth2-apple", "Apple", "Email"}};

std::string provider_of(const Members& user) {
  const std::vector<bson::Value> identities = app::elements_of(user["identities"]);
  return identities.empty() ? std::string() : Members(identities.front()).text("provider_type");
}

std::string label_of(const Members& user) {
  const Members data(user["data"]);
  return data.text("email").empty() ? data.text("name") : data.text("email");
}

std::string last_authenticated(const Members& user) {
  const std::time_t time =
      static_cast<std::time_t>(user["last_authentication_date"].as_integer().value_or(0));
  if (time == 0) return "n/a";
  char text[40];
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S +0000 UTC", &parts)};
}

Result<std::vector<Members>> all_users(AdminApi& api, const RemoteApp& app,
                                       const UserOptions& options) {
  std::string types;
  for (const std::string& type : options.providers)
    types.append(types.empty() ? "" : ",").append(type);
  std::vector<Members> users;
  std::string after;
  while (true) {
    const std::string path =
        options.pending
            ? app.path() + "/user_registrations/pending_users" + query({{"after", after}})
            : app.path() + "/users" +
                  query({{"status", options.state}, {"provider_types", types}, {"after", after}});
    RESTITCH_TRY(const bson::Value page, api.get(path));
    const std::vector<bson::Value> list = app::elements_of(page);
    for (const bson::Value& user : list) users.emplace_back(user);
    if (list.size() < kPage) return users;
    const std::string last = Members(list.back()).text("_id");
    if (last.empty() || last == after) return users;
    after = last;
  }
}

// The users that --user names, or all that the other options leave.
Result<std::vector<Members>> chosen_users(AdminApi& api, const RemoteApp& app,
                                          const UserOptions& options) {
  if (options.users.empty()) return all_users(api, app, options);
  std::vector<Members> users;
  for (const std::string& id : options.users) {
    RESTITCH_TRY(const bson::Value user, api.get(app.path() + "/users/" + percent_encode(id)));
    users.emplace_back(user);
  }
  return users;
}

// One table for each provider.
void show(Terminal& terminal, std::vector<Members> users,
          const std::vector<std::string>& more_headers,
          const std::function<std::vector<std::string>(const Members&)>& more) {
  std::stable_sort(users.begin(), users.end(), [](const Members& left, const Members& right) {
    return left["last_authentication_date"].as_integer().value_or(0) >
           right["last_authentication_date"].as_integer().value_or(0);
  });
  for (const Provider& provider : kProviders) {
    std::vector<std::vector<std::string>> rows;
    for (const Members& user : users) {
      if (provider_of(user) != provider.type) continue;
      std::vector<std::string> row;
      if (!provider.label.empty()) row.push_back(label_of(user));
      row.push_back(user.text("_id"));
      row.emplace_back(provider.type);
      for (std::string& cell : more(user)) row.push_back(std::move(cell));
      rows.push_back(std::move(row));
    }
    if (rows.empty()) continue;
    std::vector<std::string> headers;
    if (!provider.label.empty()) headers.emplace_back(provider.label);
    headers.insert(headers.end(), {"ID", "Type"});
    headers.insert(headers.end(), more_headers.begin(), more_headers.end());
    terminal.table("Provider type: " + std::string(provider.title), headers, rows);
  }
}

Status list(Session& session, const UserOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(std::vector<Members> users, chosen_users(*api, app, options));
  if (users.empty()) {
    session.terminal().say("No available users to show");
    return {};
  }
  if (options.pending) {
    std::vector<std::string> emails;
    for (const Members& user : users) {
      for (const bson::Value& id : app::elements_of(user["login_ids"]))
        emails.push_back(Members(id).text("id"));
    }
    session.terminal().list("Found " + std::to_string(users.size()) + " pending users", emails);
    return {};
  }
  show(session.terminal(), std::move(users), {"Enabled", "Last Authenticated"},
       [](const Members& user) {
         return std::vector<std::string>{user["disabled"].truthy() ? "false" : "true",
                                         last_authenticated(user)};
       });
  return {};
}

Status create(Session& session, const UserOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  Members body;
  Members shown;
  if (options.type == "api-key") {
    if (options.name.empty()) return setup_error("name the key with --name");
    body.set("name", bson::Value::of(options.name));
    RESTITCH_TRY(const bson::Value created,
                 api->call("POST", app.path() + "/api_keys", to_text(body)));
    const Members key(created);
    shown.set("id", bson::Value(key["_id"]));
    shown.set("enabled", bson::Value::of(!key["disabled"].truthy()));
    shown.set("name", bson::Value(key["name"]));
    shown.set("key", bson::Value(key["key"]));
    session.terminal().document("Successfully created api key", shown.value());
    return {};
  }
  std::string password = options.password;
  if (password.empty()) password = session.terminal().ask_secret("Password").value_or("");
  if (options.email.empty() || password.empty())
    return setup_error("--email and --password are needed");
  body.set("email", bson::Value::of(options.email));
  body.set("password", bson::Value::of(password));
  RESTITCH_TRY(const bson::Value created, api->call("POST", app.path() + "/users", to_text(body)));
  const Members user(created);
  shown.set("id", bson::Value(user["_id"]));
  shown.set("enabled", bson::Value::of(!user["disabled"].truthy()));
  shown.set("email", bson::Value::of(options.email));
  shown.set("type", bson::Value(user["type"]));
  session.terminal().document("Successfully created user", shown.value());
  return {};
}

struct Change {
  const char* method;
  const char* ending;  // of the path
  const char* done;    // "enabled"
  const char* header;  // of the table
};

Status change(Session& session, const UserOptions& options, const Change& change) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  if (options.users.empty() && options.providers.empty() && options.state.empty() &&
      !options.pending) {
    return setup_error(
        "name users with --user, or choose them with --provider, --state or --pending");
  }
  RESTITCH_TRY(std::vector<Members> users, chosen_users(*api, app, options));
  if (users.empty()) {
    session.terminal().say(std::string("No users to ") + change.done);
    return {};
  }
  std::map<std::string, std::string> problems;
  for (const Members& user : users) {
    std::string path = app.path() + "/users/" + user.text("_id") + change.ending;
    if (options.pending) {
      const std::vector<bson::Value> ids = app::elements_of(user["login_ids"]);
      const std::string email = ids.empty() ? "" : Members(ids.front()).text("id");
      path = app.path() + "/user_registrations/by_email/" + percent_encode(email);
    }
    const auto changed = api->call(change.method, path);
    if (!changed) problems[user.text("_id")] = changed.error().message();
  }
  const std::size_t good = users.size() - problems.size();
  session.terminal().say("Successfully " + std::string(change.done) + " " + std::to_string(good) +
                         "/" + std::to_string(users.size()) + " user(s)");
  if (!options.pending) {
    show(session.terminal(), users, {change.header, "Details"}, [&](const Members& user) {
      const auto problem = problems.find(user.text("_id"));
      const bool is_good = problem == problems.end();
      return std::vector<std::string>{is_good ? "true" : "false",
                                      is_good ? "n/a" : problem->second};
    });
  }
  if (problems.empty()) return {};
  return Error(ErrorCode::kInvalidArgument, problems.begin()->second);
}

void add_choice(CLI::App* command, UserOptions& options) {
  command->add_option("-a,--app", options.app,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  command->add_option("-u,--user", options.users, "User id (repeatable)");
  command
      ->add_option("--provider", options.providers,
                   "Provider type, e.g. anon-user or local-userpass (repeatable)")
      ->delimiter(',');
  command->add_option("--state", options.state, "enabled or disabled")
      ->check(CLI::IsMember({"enabled", "disabled"}));
}

void add_change(Registry& registry, CLI::App* users, const char* name, const char* about,
                Change what, bool may_be_pending) {
  const auto options = std::make_shared<UserOptions>();
  CLI::App* command = registry.command(
      users, name, about, std::string("user ") + name,
      [options, what](Session& session) { return change(session, *options, what); });
  add_choice(command, *options);
  if (may_be_pending)
    command->add_flag("--pending", options->pending, "Those who have not confirmed yet");
}

}  // namespace

void add_user_commands(Registry& registry) {
  CLI::App* users = registry.group("users", "Users of an app");
  users->alias("user");
  const auto listed = std::make_shared<UserOptions>();
  CLI::App* list_command =
      registry.command(users, "list", "List users", "user list",
                       [listed](Session& session) { return list(session, *listed); });
  list_command->alias("ls");
  add_choice(list_command, *listed);
  list_command->add_flag("--pending", listed->pending, "Those who have not confirmed yet");

  const auto created = std::make_shared<UserOptions>();
  CLI::App* create_command =
      registry.command(users, "create", "Create a user or an API key", "user create",
                       [created](Session& session) { return create(session, *created); });
  create_command->add_option(
      "-a,--app", created->app,
      "App: id, beginning of an id, or name (default: that of the directory)");
  create_command->add_option("--type", created->type, "email or api-key")
      ->check(CLI::IsMember({"email", "api-key"}))
      ->capture_default_str();
  create_command->add_option("--name", created->name, "Name of the API key");
  create_command->add_option("--email", created->email, "E-mail address of the user");
  create_command->add_option("--password", created->password,
                             "Password of the user; asked for when left out");

  add_change(registry, users, "enable", "Let users sign in again",
             {"PUT", "/enable", "enabled", "Enabled"}, false);
  add_change(registry, users, "disable", "Keep users from signing in",
             {"PUT", "/disable", "disabled", "Disabled"}, false);
  add_change(registry, users, "revoke", "End the sessions of users",
             {"PUT", "/logout", "revoked", "Session Revoked"}, false);
  add_change(registry, users, "delete", "Delete users", {"DELETE", "", "deleted", "Deleted"}, true);
}

}  // namespace restitch::cli
