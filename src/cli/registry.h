#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/session.h"

namespace restitch::cli {

using Action = std::function<Status(Session&)>;

// Where commands are entered as they are added.
class Registry {
 public:
  Registry(CLI::App& root, std::function<int()>& chosen) : root_(root), chosen_(chosen) {}

  CLI::App& root() { return root_; }
  std::function<int()>& chosen() { return chosen_; }
  // A command that has commands of its own.
  CLI::App* group(const std::string& name, const std::string& about);
  // A command. `display` names it in errors ("push failed: …").
  CLI::App* command(CLI::App* parent, const std::string& name, const std::string& about,
                    const std::string& display, Action action);
  // An option that may be repeated takes one value at a time, so that "-u ID NEXT" is two things.
  void take_single_values();

 private:
  CLI::App& root_;
  std::function<int()>& chosen_;
  std::vector<CLI::App*> commands_;
};

// Runs an action and says how it ended.
int run(const GlobalOptions& options, const std::string& display, const Action& action);

// The parts of the command line, each in its file of commands/.
void add_account_commands(Registry& registry);
void add_push_commands(Registry& registry);
void add_pull_commands(Registry& registry);
void add_app_commands(Registry& registry);
void add_init_commands(Registry& registry);
void add_atlas_commands(Registry& registry);
void add_user_commands(Registry& registry);
void add_secret_commands(Registry& registry);
void add_value_commands(Registry& registry);
void add_function_commands(Registry& registry);
void add_log_commands(Registry& registry);
void add_schema_commands(Registry& registry);
void add_rule_commands(Registry& registry);
void add_access_list_commands(Registry& registry);
void add_deploy_commands(Registry& registry);
void add_deployment_commands(Registry& registry);
void add_trigger_commands(Registry& registry);
void add_audit_commands(Registry& registry);
void add_completion_commands(Registry& registry);

}  // namespace restitch::cli
