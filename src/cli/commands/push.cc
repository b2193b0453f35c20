#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "app/json_file.h"
#include "app/secrets.h"
#include "app/writing/import_document.h"
#include "bson/extended_json.h"
#include "cli/dependencies.h"
#include "cli/hosting.h"
#include "cli/local_app.h"
#include "cli/registry.h"

namespace restitch::cli {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxShownFindings = 50;
constexpr auto kLookAgain = milliseconds(250);
constexpr auto kDeploymentTime = std::chrono::minutes(10);

struct PushOptions {
  std::string local, remote, deployment_name;
  std::vector<std::string> secrets;  // NAME=VALUE
  bool dry_run = false;
  bool include_hosting = false, reset_cache = false;
  DependencyChoice dependencies;
};

// Told where they stand; false if one of them is an error.
bool tell_findings(Terminal& terminal, const app::Findings& findings) {
  int shown = 0;
  for (const app::Finding& finding : findings.list()) {
    if (++shown > kMaxShownFindings) continue;
    const bool is_error = finding.severity == app::FindingSeverity::kError;
    const std::string line = app::to_line(finding);
    is_error ? terminal.error("error: " + line) : terminal.warn("warning: " + line);
  }
  if (shown > kMaxShownFindings) {
    terminal.warn("… and " + std::to_string(shown - kMaxShownFindings) + " more");
  }
  return !findings.has_errors();
}

Result<RemoteApp> create_app(AdminApi& api, const std::string& project,
                             const LocalConfiguration& local) {
  std::string group = project;
  if (group.empty()) {
    RESTITCH_TRY(const std::vector<std::string> groups, api.groups());
    if (groups.empty()) return setup_error("this administrator has no project");
    group = groups.front();
  }
  const app::Config& config = local.config;
  Members body;
  body.set("name", bson::Value::of(config.name));
  const std::pair<const char*, const std::string*> members[] = {
      {"client_app_id", &config.client_app_id},
      {"location", &config.location},
      {"provider_region", &config.provider_region},
      {"deployment_model", &config.deployment_model},
      {"environment", &config.environment}};
  for (const auto& [name, value] : members) {
    if (!value->empty()) body.set(name, bson::Value::of(*value));
  }
  RESTITCH_TRY(const bson::Value created,
               api.call("POST", "/groups/" + group + "/apps", to_text(body)));
  RemoteApp app;
  app.all = Members(created);
  app.id = app.all.text("_id");
  app.group_id = group;
  app.client_app_id = app.all.text("client_app_id");
  app.name = app.all.text("name");
  return app;
}

class Push {
 public:
  Push(Session& session, const PushOptions& options)
      : session_(session), terminal_(session.terminal()), options_(options) {}

  Status run() {
    RESTITCH_CHECK(read());
    RESTITCH_TRY(auto found, session_.look_for_app(options_.remote, local_.root));
    RESTITCH_TRY(api_, session_.api());
    if (found) {
      app_ = std::move(*found);
    } else {
      RESTITCH_TRY(const bool is_created, create());
      if (!is_created) return {};
    }
    RESTITCH_CHECK(provide_secrets());
    RESTITCH_TRY(const std::vector<std::string> diffs, app_diffs());
    RESTITCH_CHECK(prepare_further_parts());
    const bool has_changes =
        !diffs.empty() || dependencies_.has_changes() || hosting_.has_changes();
    if (!has_changes) {
      terminal_.say("Deployed app is identical to proposed version, nothing to do");
      return {};
    }
    if (!terminal_.says_yes() || options_.dry_run) show(diffs);
    if (options_.dry_run) {
      terminal_.say("To push these changes, you must omit the 'dry-run' flag to proceed");
      terminal_.say("Try instead: restitch push --local " + local_.root + " --remote " +
                    app_.client_app_id);
      return {};
    }
    const auto agreed = terminal_.confirm("Please confirm the changes shown above");
    if (!agreed) return setup_error("confirm with --yes where nobody can be asked");
    if (!*agreed) return {};
    if (!diffs.empty()) RESTITCH_CHECK(deploy());
    RESTITCH_CHECK(push_further_parts());
    terminal_.say("Successfully pushed app up: " + app_.client_app_id);
    return {};
  }

 private:
  Status read() {
    auto local = read_configuration(options_.local);
    if (!local) return setup_error(local.error().message());
    local_ = std::move(*local);
    if (!tell_findings(terminal_, local_.findings)) {
      return Error(ErrorCode::kInvalidArgument, "the configuration has errors; nothing was sent");
    }
    document_ =
        bson::to_json(app::to_import_document(local_.tree).view(), bson::JsonMode::kRelaxed);
    return {};
  }

  // False if the user would rather not.
  Result<bool> create() {
    if (!options_.remote.empty()) {
      return setup_error("failed to find app '" + options_.remote + "'");
    }
    if (options_.dry_run) {
      terminal_.say(
          "This is a new app. To create a new app, you must omit the 'dry-run' flag to proceed");
      return false;
    }
    const auto agreed =
        terminal_.confirm("Do you wish to create a new app named '" + local_.config.name + "'?");
    if (!agreed)
      return setup_error("the server has no app '" + local_.config.name +
                         "'; confirm with --yes that it is to be made");
    if (!*agreed) return false;
    RESTITCH_TRY(app_, create_app(*api_, session_.options().project, local_));
    const std::string& wanted = local_.config.client_app_id;
    if (!wanted.empty() && wanted != app_.client_app_id) {
      terminal_.warn("warning: the server gave the app the id " + app_.client_app_id +
                     " in the place of " + wanted + "; clients must use it");
    }
    RESTITCH_CHECK(remember_app(local_.root, app_));
    terminal_.say("Created the app " + app_.client_app_id);
    return true;
  }

  // Secrets that the directory names and neither it nor the server has: set now, or told.
  Status provide_secrets() {
    std::set<std::string> known;
    RESTITCH_TRY(const bson::Value stored, api_->get(app_.path() + "/secrets"));
    for (const bson::Value& secret : app::elements_of(stored))
      known.insert(Members(secret).text("name"));
    for (const auto& [name, value] : local_.config.secrets) known.insert(name);
    std::map<std::string, std::string> given;
    for (const std::string& setting : options_.secrets) {
      const std::size_t equals = setting.find('=');
      if (equals == 0 || equals == std::string::npos)
        return setup_error("--secret needs NAME=VALUE");
      given[setting.substr(0, equals)] = setting.substr(equals + 1);
    }
    std::map<std::string, std::vector<std::string>> missing;
    for (const app::SecretReference& reference : app::secret_references(local_.config)) {
      if (known.contains(reference.name) || given.contains(reference.name)) continue;
      missing[reference.name].push_back(reference.file + ": " + reference.pointer);
    }
    for (const auto& [name, places] : missing) {
      terminal_.warn("secret '" + name + "' is not on the server; it is named by " +
                     places.front());
      if (options_.dry_run) continue;
      const auto value =
          terminal_.ask_secret("Value of the secret '" + name + "' (empty: not now):");
      if (value && !value->empty()) given[name] = *value;
    }
    if (options_.dry_run) return {};
    for (const auto& [name, value] : given) {
      if (known.contains(name)) continue;
      Members body;
      body.set("name", bson::Value::of(name));
      body.set("value", bson::Value::of(value));
      RESTITCH_CHECK(api_->call("POST", app_.path() + "/secrets", to_text(body)));
      missing.erase(name);
    }
    if (missing.empty()) return {};
    std::string names;
    for (const auto& [name, places] : missing) names.append(names.empty() ? "" : ", ").append(name);
    session_.suggest("restitch push --secret " + missing.begin()->first + "=<value>");
    return Error(ErrorCode::kInvalidArgument, "the server lacks these secrets: " + names);
  }

  Result<std::vector<std::string>> app_diffs() {
    terminal_.progress("Determining changes");
    RESTITCH_TRY(
        const bson::Value answer,
        api_->call("POST", app_.path() + "/import?diff=true&strategy=replace-by-name", document_));
    std::vector<std::string> diffs;
    for (const bson::Value& diff : app::elements_of(answer)) {
      diffs.emplace_back(diff.view().as_string().value_or(""));
    }
    return diffs;
  }

  Status prepare_further_parts() {
    RESTITCH_CHECK(dependencies_.prepare(*api_, app_, local_.root, options_.dependencies));
    if (options_.include_hosting) {
      RESTITCH_CHECK(hosting_.prepare(*api_, app_, local_.root, terminal_));
    }
    return {};
  }

  void show(const std::vector<std::string>& diffs) {
    std::vector<std::string> lines = diffs;
    for (const std::string& line : dependencies_.lines()) lines.push_back(line);
    for (const std::string& line : hosting_.lines()) lines.push_back(line);
    if (terminal_.is_json()) {
      terminal_.list("The following reflects the proposed changes to your Realm app", lines);
      return;
    }
    terminal_.say("The following reflects the proposed changes to your Realm app");
    for (const std::string& line : lines) terminal_.say(line);
  }

  // Draft, import, deployment. Until the deployment nothing changes; a draft that fails or is
  // interrupted is taken back.
  Status deploy() {
    terminal_.progress("Creating draft");
    RESTITCH_TRY(const std::string draft, make_draft());
    if (draft.empty()) return setup_error("the existing draft was kept, nothing was pushed");
    terminal_.progress("Pushing changes");
    const auto imported =
        api_->call("POST", app_.path() + "/import?strategy=replace-by-name", document_);
    if (!imported) return discard(draft, imported.error());
    terminal_.progress("Deploying draft");
    Members body;
    if (!options_.deployment_name.empty()) {
      body.set("name", bson::Value::of(options_.deployment_name));
    }
    const auto deployment =
        api_->call("POST", app_.path() + "/drafts/" + draft + "/deployment", to_text(body));
    if (!deployment) return discard(draft, deployment.error());
    return wait_for(Members(*deployment));
  }

  Status discard(const std::string& draft, Error error) {
    allow_calls();
    const auto discarded = api_->call("DELETE", app_.path() + "/drafts/" + draft);
    if (!discarded) {
      terminal_.warn("warning: the draft could not be discarded: " + discarded.error().message());
    }
    return error;
  }

  // The id of a new draft; "" if an existing one is to be kept.
  Result<std::string> make_draft() {
    auto made = api_->call("POST", app_.path() + "/drafts");
    if (made) return Members(*made).text("_id");
    if (api_->last_error_code() != "DraftAlreadyExists") return made.error();
    RESTITCH_TRY(const bson::Value drafts, api_->get(app_.path() + "/drafts"));
    for (const bson::Value& value : app::elements_of(drafts)) {
      const std::string id = Members(value).text("_id");
      if (!terminal_.says_yes()) {
        const auto diff = api_->get(app_.path() + "/drafts/" + id + "/diff");
        if (diff) terminal_.document("An app draft already exists with these changes", *diff);
        const auto agreed = terminal_.confirm("Would you like to discard this draft?");
        if (!agreed || !*agreed) return std::string();
      }
      RESTITCH_CHECK(api_->call("DELETE", app_.path() + "/drafts/" + id));
    }
    RESTITCH_TRY(const bson::Value draft, api_->call("POST", app_.path() + "/drafts"));
    return Members(draft).text("_id");
  }

  Status wait_for(Members deployment) {
    const std::string id = deployment.text("_id");
    const auto started = std::chrono::steady_clock::now();
    while (deployment.text("status") == "created" || deployment.text("status") == "pending") {
      if (std::chrono::steady_clock::now() - started > kDeploymentTime) {
        return Error(ErrorCode::kInvalidArgument, "the deployment " + id + " did not end in time");
      }
      std::this_thread::sleep_for(kLookAgain);
      RESTITCH_TRY(const bson::Value current, api_->get(app_.path() + "/deployments/" + id));
      deployment = Members(current);
    }
    if (deployment.text("status") == "failed") {
      terminal_.say("Deployment failed");
      return Error(ErrorCode::kInvalidArgument,
                   "failed to deploy app: " + deployment.text("status_error_message"));
    }
    terminal_.say("Deployment complete");
    return {};
  }

  Status push_further_parts() {
    if (dependencies_.has_changes()) {
      RESTITCH_CHECK(dependencies_.push(*api_, app_, terminal_));
      terminal_.say("Installed dependencies");
    }
    if (hosting_.has_changes()) {
      RESTITCH_CHECK(hosting_.push(*api_, app_, terminal_));
      terminal_.say("Import hosting assets");
    }
    if (options_.include_hosting && options_.reset_cache) {
      RESTITCH_CHECK(
          api_->call("PUT", app_.path() + "/hosting/cache", R"({"invalidate":true,"path":"/*"})"));
      terminal_.say("Reset CDN cache");
    }
    return {};
  }

  Session& session_;
  Terminal& terminal_;
  const PushOptions& options_;
  AdminApi* api_ = nullptr;
  LocalConfiguration local_;
  std::string document_;
  RemoteApp app_;
  Dependencies dependencies_;
  Hosting hosting_;
};

Status diff(Session& session, const PushOptions& options) {
  auto local = read_configuration(options.local);
  if (!local) return setup_error(local.error().message());
  if (!tell_findings(session.terminal(), local->findings)) {
    return Error(ErrorCode::kInvalidArgument, "the configuration has errors; nothing was sent");
  }
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.remote, local->root));
  RESTITCH_TRY(AdminApi * api, session.api());
  const std::string body =
      bson::to_json(app::to_import_document(local->tree).view(), bson::JsonMode::kRelaxed);
  RESTITCH_TRY(const bson::Value answer,
               api->call("POST", app.path() + "/import?diff=true&strategy=replace-by-name", body));
  std::vector<std::string> lines;
  for (const bson::Value& one : app::elements_of(answer)) {
    lines.emplace_back(one.view().as_string().value_or(""));
  }
  Dependencies dependencies;
  RESTITCH_CHECK(dependencies.prepare(*api, app, local->root, options.dependencies));
  for (const std::string& line : dependencies.lines()) lines.push_back(line);
  if (options.include_hosting) {
    Hosting hosting;
    RESTITCH_CHECK(hosting.prepare(*api, app, local->root, session.terminal()));
    for (const std::string& line : hosting.lines()) lines.push_back(line);
  }
  if (lines.empty()) {
    session.terminal().say("Deployed app is identical to proposed version");
    return {};
  }
  if (session.terminal().is_json()) {
    session.terminal().list("The following reflects the proposed changes to your Realm app", lines);
    return {};
  }
  session.terminal().say("The following reflects the proposed changes to your Realm app");
  for (const std::string& line : lines) session.terminal().say(line);
  return {};
}

void add_common(CLI::App* command, PushOptions& options) {
  command->add_option("--local", options.local,
                      "Directory of the app (default: the working directory or one above it)");
  command->add_option("--remote", options.remote,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  CLI::Option* archive =
      command->add_flag("--include-node-modules", options.dependencies.node_modules,
                        "Also the archive or directory functions/node_modules");
  command
      ->add_flag("--include-package-json", options.dependencies.package_json,
                 "Also the packages that functions/package.json names")
      ->excludes(archive);
  command
      ->add_flag("-d,--include-dependencies", options.dependencies.node_modules,
                 "Old name of --include-node-modules")
      ->group("");
  command->add_flag("-s,--include-hosting", options.include_hosting,
                    "Also the files of hosting/files");
}

}  // namespace

void add_push_commands(Registry& registry) {
  const auto options = std::make_shared<PushOptions>();
  CLI::App* push = registry.command(
      nullptr, "push", "Deploy a directory: the app becomes what it says, what it lacks is deleted",
      "push", [options](Session& session) { return Push(session, *options).run(); });
  add_common(push, *options);
  push->add_option("--secret", options->secrets,
                   "NAME=VALUE of a secret that the server lacks (repeatable)");
  push->add_option("-n,--deployment-name", options->deployment_name, "Name of the deployment");
  push->add_flag("-c,--reset-cdn-cache", options->reset_cache, "Have hosted files fetched anew");
  push->add_flag("-x,--dry-run", options->dry_run, "Only show what would change");

  const auto compared = std::make_shared<PushOptions>();
  CLI::App* apps = registry.root().get_subcommand("apps");
  add_common(
      registry.command(apps, "diff", "Show what a push of the directory would change", "app diff",
                       [compared](Session& session) { return diff(session, *compared); }),
      *compared);
}

}  // namespace restitch::cli
