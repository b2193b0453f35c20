#include "cli/commands.h"

#include "cli/registry.h"

namespace restitch::cli {
namespace {

void add_global_options(CLI::App& command, GlobalOptions& options) {
  const char* group = "Options of every command";
  command.add_option("--profile", options.profile, "Profile that keeps the server and the login")
      ->capture_default_str()
      ->envname("RESTITCH_PROFILE")
      ->group(group);
  command
      .add_option("--url,--realm-url", options.url,
                  "Server (default: that of the profile, else http://127.0.0.1:9090)")
      ->group(group);
  command
      .add_option("--data", options.data_directory,
                  "Data directory of a server on this machine, whose admin.json signs in (default: "
                  "$RESTITCH_DATA, else ./data)")
      ->group(group);
  command.add_option("--project", options.project, "Project (group) id")->group(group);
  command.add_flag("-y,--yes", options.yes, "Answer every question with yes")->group(group);
  command.add_flag("--json", options.json, "One JSON object a line, as -f json")->group(group);
  command.add_option("-f,--output-format", options.output_format, "json")
      ->group(group)
      ->check([](const std::string& format) {
        return format == "json" ? std::string()
                                : std::string("unsupported value, use one of [json] instead");
      });
  command
      .add_option("-o,--output-target", options.output_target, "Append what is said to this file")
      ->group(group);
  command.add_flag("--disable-colors", options.plain, "No progress display")->group(group);
  command.add_option("--atlas-url,--telemetry", "Taken for the sake of scripts; without effect")
      ->group("");
}

}  // namespace

CLI::App* Registry::group(const std::string& name, const std::string& about) {
  // Some groups have commands of others already.
  const std::vector<CLI::App*> there =
      root_.get_subcommands([&](const CLI::App* command) { return command->get_name() == name; });
  CLI::App* group = there.empty() ? root_.add_subcommand(name) : there.front();
  group->description(about);
  group->require_subcommand(1);
  return group;
}

CLI::App* Registry::command(CLI::App* parent, const std::string& name, const std::string& about,
                            const std::string& display, Action action) {
  CLI::App* command = (parent == nullptr ? &root_ : parent)->add_subcommand(name, about);
  const auto options = std::make_shared<GlobalOptions>();
  commands_.push_back(command);
  add_global_options(*command, *options);
  command->callback([&chosen = chosen_, options, display, action = std::move(action)] {
    chosen = [options, display, action] { return run(*options, display, action); };
  });
  return command;
}

void Registry::take_single_values() {
  for (CLI::App* command : commands_) {
    for (CLI::Option* option : command->get_options()) {
      if (option->get_expected_max() > 1) option->allow_extra_args(false);
    }
  }
}

int run(const GlobalOptions& options, const std::string& display, const Action& action) {
  end_calls_on_interrupt();
  Session session(options);
  const Status done = action(session);
  session.terminal().progress("");
  if (done) return 0;
  if (was_interrupted()) {
    session.terminal().error(display + " was interrupted");
    return 130;
  }
  const char* verdict = is_setup_error(done.error()) ? " setup failed: " : " failed: ";
  session.terminal().error(display + verdict + done.error().message());
  if (!session.suggestion().empty()) {
    session.terminal().error("Try instead: " + session.suggestion());
  }
  return 1;
}

void add_commands(CLI::App& root, std::function<int()>& chosen) {
  Registry registry(root, chosen);

  add_account_commands(registry);
  add_app_commands(registry);
  add_init_commands(registry);
  add_push_commands(registry);
  add_pull_commands(registry);
  add_atlas_commands(registry);
  add_user_commands(registry);
  add_secret_commands(registry);
  add_value_commands(registry);
  add_function_commands(registry);
  add_log_commands(registry);
  add_schema_commands(registry);
  add_rule_commands(registry);
  add_access_list_commands(registry);
  add_deploy_commands(registry);
  add_deployment_commands(registry);
  add_trigger_commands(registry);
  add_audit_commands(registry);
  add_completion_commands(registry);
  registry.take_single_values();
}

}  // namespace restitch::cli
