#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "app/loader.h"
#include "app/root.h"
#include "app/secrets.h"
#include "app/writing/archive.h"
#include "app/writing/files.h"
#include "app/writing/layouts.h"
#include "app/writing/normal_form.h"
#include "cli/local_app.h"
#include "cli/registry.h"

namespace restitch::cli {
namespace {

namespace fs = std::filesystem;

struct AtlasOptions {
  std::string source, into;
  int config_version = 0;
};

std::string counted(std::size_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

// What an exported configuration means here.
class Report {
 public:
  Report(const app::Config& config, std::string root) : config_(config), root_(std::move(root)) {}

  void make() {
    data_sources();
    functions();
    users();
    components();
    secrets();
    clients();
  }

  void tell(Terminal& terminal) const {
    tell(terminal, "Works as it is:", works_);
    tell(terminal, "Is different here:", changes_);
    tell(terminal, "Left for you to do:", tasks_);
  }

 private:
  static void tell(Terminal& terminal, const char* title, const std::vector<std::string>& lines) {
    if (!lines.empty()) terminal.list(title, lines);
  }

  // How many entries of the component there are; names of files below a folder.
  std::size_t files_below(std::string_view folder) const {
    std::size_t count = 0;
    for (const app::OpaqueFile& file : config_.others)
      count += file.path.starts_with(folder) ? 1 : 0;
    return count;
  }

  const app::OpaqueFile* file(std::string_view path) const {
    for (const app::OpaqueFile& other : config_.others) {
      if (other.path == path) return &other;
    }
    return nullptr;
  }

  void data_sources() {
    std::size_t collections = 0;
    std::size_t schemas = 0;
    for (const app::DataSourceConfig& source : config_.data_sources) {
      collections += source.collections.size();
      for (const auto& collection : source.collections) schemas += collection.schema ? 1 : 0;
      if (source.type == app::SourceType::kDataLake) {
        changes_.push_back("data source '" + source.name +
                           "': a federated instance; name one with serve --cluster " +
                           (source.cluster_name.empty() ? "NAME" : source.cluster_name) +
                           "=URI --cluster-kind …=federated");
      } else if (source.type == app::SourceType::kAtlas) {
        const std::string cluster = source.cluster_name.empty() ? "NAME" : source.cluster_name;
        changes_.push_back("data source '" + source.name + "': cluster '" + source.cluster_name +
                           "' is the server's own embedded cluster, unless serve --cluster " +
                           cluster + "=URI names a MongoDB deployment");
      }
    }
    if (config_.data_sources.empty()) return;
    works_.push_back(counted(config_.data_sources.size(), "data source", "data sources") +
                     " with rules for " + counted(collections, "collection", "collections") + ", " +
                     counted(schemas, "schema", "schemas"));
    tasks_.push_back(
        "copy the data: mongodump from Atlas, mongorestore to the new cluster (serve --wire for "
        "the embedded one)");
  }

  void functions() {
    if (config_.functions.empty()) return;
    works_.push_back(counted(config_.functions.size(), "function", "functions"));
    std::set<std::string> search;
    std::set<std::string> partners;
    for (const app::FunctionConfig& function : config_.functions) {
      const std::string& text = function.source;
      if (text.find("$search") != std::string::npos ||
          text.find("$vectorSearch") != std::string::npos)
        search.insert(function.name);
      for (const char* service : {"services.get(\"aws\")", "services.get('aws')",
                                  "services.get(\"twilio\")", "services.get('twilio')"}) {
        if (text.find(service) != std::string::npos) partners.insert(function.name);
      }
    }
    if (!search.empty())
      changes_.push_back("Atlas Search needs Atlas: functions that use $search: " + joined(search));
    if (!partners.empty())
      changes_.push_back(
          "third-party services need a gateway of yours (serve --service-gateway): functions that "
          "use one: " +
          joined(partners));
    if (fs::exists(fs::path(root_) / "functions/package.json")) {
      tasks_.push_back(
          "install the functions' npm packages: npm install in functions/, or push "
          "--include-package-json");
    }
  }

  void users() {
    std::set<std::string> types;
    for (const app::AuthProviderConfig& provider : config_.auth_providers) {
      if (provider.disabled) continue;
      types.insert(provider.type);
      if (provider.type.starts_with("oauth2-")) {
        tasks_.push_back("register this server's address with the sign-in provider: " +
                         provider.type);
      }
      if (provider.type == "local-userpass" && !provider.config["runResetFunction"].truthy()) {
        tasks_.push_back(
            "users with a password: Atlas does not export passwords; users set a new one by e-mail "
            "(serve --smtp)");
      }
    }
    if (!types.empty()) works_.push_back("sign-in by " + joined(types));
    if (config_.custom_user_data && config_.custom_user_data->enabled)
      works_.emplace_back("custom user data");
  }

  void third_party_service(const std::string& name, const std::string& type) {
    if (type == "http") {
      works_.push_back("service '" + name + "' (http)");
    } else {
      changes_.push_back("service '" + name + "' (" + type + ") needs a gateway of yours (serve " +
                         "--service-gateway " + type + "=URL)");
    }
  }

  void components() {
    const auto triggers = files_below("triggers/");
    if (triggers > 0) works_.push_back(counted(triggers, "trigger", "triggers"));
    for (const app::OpaqueFile& other : config_.others) {
      const Members content(other.content);
      if (other.path.starts_with("triggers/") &&
          Members(content["event_processors"]).contains("AWS_EVENTBRIDGE")) {
        changes_.push_back("trigger '" + content.text("name") +
                           "' sends to AWS EventBridge, which needs a gateway of yours (serve "
                           "--service-gateway AWS_EVENTBRIDGE=URL)");
      }
      if (other.path.starts_with("services/") && other.path.ends_with("/config.json")) {
        third_party_service(content.text("name"), content.text("type"));
      }
    }
    for (const char* folder : {"http_endpoints/", "https_endpoints/"}) {
      const app::OpaqueFile* list = file(std::string(folder) + "config.json");
      const std::size_t count = list == nullptr ? 0 : app::elements_of(list->content).size();
      if (count > 0) works_.push_back(counted(count, "HTTPS endpoint", "HTTPS endpoints"));
      if (count > 0) tasks_.emplace_back("tell callers of the HTTPS endpoints their new address");
      const app::OpaqueFile* data_api = file(std::string(folder) + "data_api_config.json");
      if (data_api != nullptr && !Members(data_api->content)["disabled"].truthy())
        kept("the Data API");
    }
    if (const app::OpaqueFile* sync = file("sync/config.json");
        sync != nullptr && Members(sync->content).text("state") == "enabled") {
      kept("Device Sync");
    }
    if (files_below("graphql/custom_resolvers/") > 0) kept("GraphQL");
    if (const app::OpaqueFile* hosting = file("hosting/config.json");
        hosting != nullptr && Members(hosting->content)["enabled"].truthy()) {
      works_.emplace_back("static hosting");
      tasks_.emplace_back("push the hosted files too (restitch push --include-hosting) and lead their host names here");
    }
    if (files_below("log_forwarders/") > 0) kept("log forwarders");
    if (!config_.values.empty())
      works_.push_back(counted(config_.values.size(), "value", "values"));
  }

  void kept(const std::string& what) {
    changes_.push_back(
        what +
        ": the configuration is kept; docs/compatibility.md says whether this version serves it");
  }

  void secrets() {
    std::set<std::string> names;
    for (const app::SecretReference& reference : app::secret_references(config_)) {
      if (!config_.secrets.contains(reference.name)) names.insert(reference.name);
    }
    if (!names.empty())
      tasks_.push_back("set the secrets, which Atlas does not export (push asks for them): " +
                       joined(names));
  }

  void clients() {
    const std::string id =
        config_.client_app_id.empty() ? "the app's id" : "id " + config_.client_app_id;
    tasks_.push_back("point the clients at this server: " + id + ", baseUrl = its address");
  }

  const app::Config& config_;
  std::string root_;
  std::vector<std::string> works_, changes_, tasks_;
};

// The directory in which an unpacked archive has its app: the top, or the only one that holds one.
Result<std::string> root_in(const std::string& directory) {
  if (app::search_root(directory).chosen() != nullptr) return directory;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.is_directory() && app::search_root(entry.path()).chosen() != nullptr)
      return entry.path().string();
  }
  return setup_error("'" + directory + "' is not a supported Realm app project");
}

Result<std::string> unpack(const AtlasOptions& options) {
  std::ifstream in(options.source, std::ios::binary);
  if (!in) return setup_error("'" + options.source + "' cannot be read");
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  auto files = app::read_archive(bytes);
  if (!files) return setup_error("'" + options.source + "' " + files.error().message());
  std::string target = options.into;
  if (target.empty()) target = fs::path(options.source).stem().string();
  if (fs::exists(target) && !fs::is_empty(target))
    return setup_error("'" + target +
                       "' exists and is not empty; name another directory with --into");
  RESTITCH_CHECK(app::write_directory(*files, target));
  return root_in(target);
}

Status import_atlas(Session& session, const AtlasOptions& options) {
  Terminal& terminal = session.terminal();
  if (!fs::exists(options.source)) return setup_error("'" + options.source + "' does not exist");
  std::string root = options.source;
  const bool is_directory = fs::is_directory(options.source);
  if (is_directory) {
    RESTITCH_TRY(root, root_in(options.source));
  } else {
    RESTITCH_TRY(root, unpack(options));
  }
  RESTITCH_TRY(const LocalConfiguration local, read_configuration(root));
  terminal.say("App '" + local.config.name + "', layout " +
               std::to_string(local.tree.config_version) + ", in " + root);
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  for (const app::Finding& finding : local.findings.list()) {
    (finding.severity == app::FindingSeverity::kError ? errors : warnings)
        .push_back(app::to_line(finding));
  }
  if (!warnings.empty()) terminal.list("Worth a look:", warnings);
  if (!errors.empty()) {
    terminal.list("Must be put right first:", errors);
    return Error(ErrorCode::kInvalidArgument,
                 counted(errors.size(), "error", "errors") + " in the configuration");
  }
  Report report(local.config, local.root);
  report.make();
  report.tell(terminal);
  if (options.config_version != 0 || (is_directory && !options.into.empty())) {
    const std::string target = options.into.empty() ? root : options.into;
    if (target == root) return setup_error("name the directory for the converted app with --into");
    app::Findings left_out;
    app::Tree tree = local.tree;
    app::normalise(tree);
    if (options.config_version != 0) tree = app::to_layout(tree, options.config_version, left_out);
    for (const app::Finding& finding : left_out.list())
      terminal.warn("warning: " + app::to_line(finding));
    RESTITCH_CHECK(app::write_directory(app::to_files(tree), target));
    root = target;
  }
  terminal.say("Next: restitch push --local " + root);
  return {};
}

}  // namespace

void add_atlas_commands(Registry& registry) {
  CLI::App* group = registry.group("import", "Take over what was exported elsewhere");
  const auto options = std::make_shared<AtlasOptions>();
  CLI::App* command = registry.command(
      group, "atlas",
      "Read an exported Atlas App Services directory or zip: what works, what is different, what "
      "is left to do",
      "import", [options](Session& session) { return import_atlas(session, *options); });
  command->add_option("SOURCE", options->source, "Directory or zip (also tar, tgz)")->required();
  command->add_option("--into", options->into,
                      "Directory to write to (default: a zip beside here, by its name; a directory "
                      "stays where it is)");
  command->add_option("--config-version", options->config_version, "Write the app in this layout")
      ->check(CLI::IsMember({20180301, 20200603, 20210101, 20230101}));
}

}  // namespace restitch::cli
