#include <chrono>
#include <thread>

#include "cli/dates.h"
#include "cli/registry.h"

namespace restitch::cli {
namespace {

struct DeploymentOptions {
  std::string app, id;
};

// An error has a line for each finding.
std::string first_line(const std::string& text) {
  const std::size_t end = text.find('\n');
  return end == std::string::npos ? text : text.substr(0, end) + " …";
}

Status list(Session& session, const DeploymentOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const bson::Value answer, api->get(app.path() + "/deployments"));
  std::vector<std::vector<std::string>> rows;
  for (const bson::Value& value : app::elements_of(answer)) {
    const Members deployment(value);
    const std::int64_t seconds = deployment["deployed_at"].as_integer().value_or(0);
    rows.push_back({deployment.text("_id"), query_time(seconds * 1000), deployment.text("origin"),
                    deployment.text("status"), deployment.text("name"), deployment.text("commit"),
                    first_line(deployment.text("status_error_message"))});
  }
  if (rows.empty()) {
    session.terminal().say("No deployments to show");
    return {};
  }
  session.terminal().table("Found " + std::to_string(rows.size()) + " deployments, newest first",
                           {"ID", "Deployed", "Origin", "Status", "Name", "Commit", "Error"}, rows);
  return {};
}

Status describe(Session& session, const DeploymentOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const bson::Value answer, api->get(app.path() + "/deployments/" + options.id));
  session.terminal().document("Deployment", answer);
  return {};
}

Status redeploy(Session& session, const DeploymentOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  const auto agreed = session.terminal().confirm(
      "The app will be again what it was at deployment " + options.id + ". Proceed?");
  if (!agreed) return setup_error("confirm with --yes where nobody can be asked");
  if (!*agreed) return {};
  RESTITCH_CHECK(api->call("POST", app.path() + "/deployments/" + options.id + "/redeploy"));
  session.terminal().say("Successfully redeployed " + options.id);
  return {};
}

CLI::App* add(Registry& registry, CLI::App* group, const char* name, const char* about,
              const std::shared_ptr<DeploymentOptions>& options,
              Status (*action)(Session&, const DeploymentOptions&)) {
  CLI::App* command =
      registry.command(group, name, about, std::string("deployment ") + name,
                       [options, action](Session& session) { return action(session, *options); });
  command->add_option("-a,--app", options->app,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  return command;
}

}  // namespace

void add_deployment_commands(Registry& registry) {
  CLI::App* group = registry.group("deployments", "Past deployments of an app");
  group->alias("deployment");
  add(registry, group, "list", "List the 25 newest deployments",
      std::make_shared<DeploymentOptions>(), &list)
      ->alias("ls");
  const auto described = std::make_shared<DeploymentOptions>();
  add(registry, group, "describe", "Show a deployment", described, &describe)
      ->add_option("ID", described->id, "Id of the deployment")
      ->required();
  const auto again = std::make_shared<DeploymentOptions>();
  add(registry, group, "redeploy", "Bring the app back to a former deployment", again, &redeploy)
      ->add_option("ID", again->id, "Id of the deployment")
      ->required();
}

}  // namespace restitch::cli
