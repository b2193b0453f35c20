#include <filesystem>

#include "app/names.h"
#include "app/root.h"
#include "app/writing/files.h"
#include "cli/app_templates.h"
#include "cli/local_app.h"
#include "cli/registry.h"

namespace restitch::cli {
namespace {

namespace fs = std::filesystem;

struct InitOptions {
  std::string directory, name, app_template = "tasks", remote;
  int config_version = 20210101;
};

// The directory's name with what an app's name cannot hold as '-'.
std::string name_from(const std::string& directory) {
  std::string base = fs::absolute(directory).lexically_normal().filename().string();
  if (base.empty())
    base = fs::absolute(directory).lexically_normal().parent_path().filename().string();
  std::string name;
  for (const char c : base) {
    if (name.size() == app::kMaxAppNameLength) break;
    name.push_back(app::has_name_characters(std::string_view(&c, 1)) ? c : '-');
  }
  const bool has_letter =
      !name.empty() && ((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z'));
  return has_letter ? name : ("app-" + name).substr(0, app::kMaxAppNameLength);
}

Status init(Session& session, const InitOptions& options) {
  const std::string directory = options.directory.empty() ? "." : options.directory;
  if (app::search_root(directory).chosen() != nullptr) {
    return setup_error("'" + directory + "' holds an app already");
  }
  Terminal& terminal = session.terminal();
  if (!options.remote.empty()) {
    RESTITCH_TRY(const RemoteApp app, session.find_app(options.remote));
    RESTITCH_TRY(AdminApi * api, session.api());
    RESTITCH_CHECK(export_to(*api, app, directory, options.config_version, true));
    terminal.say("Successfully initialized app from " + app.client_app_id);
    return {};
  }
  const std::string name = options.name.empty() ? name_from(directory) : options.name;
  if (!app::has_name_characters(name) || name.size() > app::kMaxAppNameLength) {
    return setup_error(
        "'" + name + "' cannot be the name of an app: 1 to 32 ASCII letters, digits, '_' and '-'");
  }
  RESTITCH_TRY(const app::Files files,
               make_app(options.app_template, name, options.config_version));
  for (const auto& [path, text] : files.contents) {
    if (fs::exists(fs::path(directory) / path)) {
      return setup_error("'" + (fs::path(directory) / path).string() +
                         "' exists already and is not overwritten");
    }
  }
  RESTITCH_CHECK(app::write_directory(files, directory));
  terminal.say("Successfully initialized app '" + name + "' from the template '" +
               options.app_template + "'");
  const std::string there = options.directory.empty() ? "" : "cd " + options.directory + " && ";
  terminal.say("Deploy it to a running server: " + there + "restitch push");
  return {};
}

}  // namespace

void add_init_commands(Registry& registry) {
  const auto options = std::make_shared<InitOptions>();
  const auto add = [&](CLI::App* parent) {
    CLI::App* command = registry.command(
        parent, "init", "Make an app directory that runs, from a template", "app init",
        [options](Session& session) { return init(session, *options); });
    command->alias("initialize");
    command->add_option("DIR", options->directory,
                        "Directory to write to (default: the working directory)");
    command->add_option("-n,--name", options->name,
                        "Name of the app (default: that of the directory)");
    command
        ->add_option(
            "-t,--template", options->app_template,
            "tasks: rules, schema, users and a function; endpoint: an HTTPS endpoint; blank")
        ->check(CLI::IsMember({"tasks", "endpoint", "blank"}))
        ->capture_default_str();
    command->add_option("--remote", options->remote,
                        "Existing app whose parts to copy, instead of a template");
    command
        ->add_option("--config-version", options->config_version,
                     "Layout: 20180301, 20200603, 20210101 or 20230101")
        ->check(CLI::IsMember({20180301, 20200603, 20210101, 20230101}))
        ->capture_default_str();
  };
  add(nullptr);
  add(registry.root().get_subcommand("apps"));
}

}  // namespace restitch::cli
