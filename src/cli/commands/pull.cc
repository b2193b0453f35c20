#include <filesystem>

#include "app/loader.h"
#include "app/root.h"
#include "cli/dependencies.h"
#include "cli/hosting.h"
#include "cli/local_app.h"
#include "cli/registry.h"

namespace restitch::cli {
namespace {

namespace fs = std::filesystem;

struct PullOptions {
  std::string local, remote;
  int config_version = 0;
  bool dry_run = false, include_hosting = false;
  DependencyChoice dependencies;
};

// The version of the app directory at `path`; 0 if there is none.
int version_at(const std::string& path) {
  const app::RootSearch search = app::search_root(path);
  return search.chosen() == nullptr ? 0 : search.chosen()->config_version;
}

// Where the app is to be written: what --local says, else the directory that we are in, else a new
// one.
Result<std::string> target_of(const PullOptions& options, const RemoteApp& app) {
  if (!options.local.empty()) return options.local;
  const auto root = app::find_app_root(".");
  if (!root) return app.name;
  RESTITCH_TRY(const LocalApp here, read_local_app(*root));
  const bool is_same = here.client_app_id == app.client_app_id ||
                       here.meta.text("app_id") == app.id ||
                       (here.client_app_id.empty() && here.name == app.name);
  return is_same ? *root : app.name;
}

Status pull(Session& session, const PullOptions& options) {
  Terminal& terminal = session.terminal();
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.remote, options.local));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::string target, target_of(options, app));
  const int present = version_at(target);
  if (present != 0 && options.config_version != 0 && present != options.config_version) {
    return setup_error(
        "must export an app with the same config version as found in the current project "
        "directory");
  }
  const int version = options.config_version != 0 ? options.config_version : present;
  if (options.dry_run) {
    terminal.say("No changes were written to your file system");
    terminal.say("Contents would have been written to: " + target);
    return {};
  }
  std::error_code error;
  if (fs::exists(target, error) && !fs::is_empty(target, error)) {
    const auto agreed = terminal.confirm("Directory '" + target +
                                         "' already exists, do you still wish to proceed?");
    if (!agreed) return setup_error("directory '" + target + "' exists; confirm with --yes");
    if (!*agreed) return {};
  }
  terminal.progress("Fetching the app");
  RESTITCH_CHECK(export_to(*api, app, target, version));
  terminal.say("Saved app to disk");
  if (options.dependencies.node_modules || options.dependencies.package_json) {
    RESTITCH_TRY(const std::string name,
                 fetch_dependencies(*api, app, target, options.dependencies.node_modules));
    const bool is_list = name == "package.json";
    if (!name.empty()) {
      terminal.say(std::string("Fetched dependencies as a ") +
                   (is_list ? "package.json file" : "node_modules archive"));
    }
  }
  if (options.include_hosting) {
    RESTITCH_CHECK(fetch_hosting(*api, app, target, terminal));
    terminal.say("Fetched hosting assets");
  }
  terminal.say("Successfully pulled app down: " + target);
  return {};
}

}  // namespace

void add_pull_commands(Registry& registry) {
  const auto options = std::make_shared<PullOptions>();
  CLI::App* command =
      registry.command(nullptr, "pull", "Write an app of the server to a directory", "pull",
                       [options](Session& session) { return pull(session, *options); });
  command->add_option("--local", options->local,
                      "Directory to write (default: that of the app, else its name)");
  command->add_option("--remote", options->remote,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  command
      ->add_option("--config-version", options->config_version,
                   "Layout: 20180301, 20200603, 20210101 or 20230101 (default: that of the "
                   "directory, else 20210101)")
      ->check(CLI::IsMember({20180301, 20200603, 20210101, 20230101}));
  CLI::Option* archive =
      command->add_flag("--include-node-modules", options->dependencies.node_modules,
                        "Also the packages, as an archive");
  command
      ->add_flag("--include-package-json", options->dependencies.package_json,
                 "Also the packages, as package.json")
      ->excludes(archive);
  command->add_flag("-s,--include-hosting", options->include_hosting, "Also the hosted files");
  command->add_flag("-x,--dry-run", options->dry_run, "Only say where the app would be written");
}

}  // namespace restitch::cli
