#include <cstdlib>
#include <optional>

#include "cli/registry.h"

namespace restitch::cli {
namespace {

struct DeployOptions {
  std::string app, repository, branch, directory;
  std::optional<std::int64_t> poll_seconds;
  bool asks_webhook_secret = false, asks_access_token = false;
};

Result<Members> automatic_deployment(AdminApi& api, const RemoteApp& app) {
  RESTITCH_TRY(const bson::Value answer, api.get(app.path() + "/deploy/config"));
  return Members(Members(answer)["automatic_deployment"]);
}

Status patch(AdminApi& api, const RemoteApp& app, const Members& automatic) {
  Members body;
  body.set("automatic_deployment", automatic.value());
  RESTITCH_CHECK(api.call("PATCH", app.path() + "/deploy/config", to_text(body)));
  return {};
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Secrets are no arguments, which every user of a machine can read.
Status add_secret(Session& session, const char* variable, const std::string& question,
                  const char* member, Members& automatic) {
  std::string secret = environment(variable);
  if (secret.empty()) secret = session.terminal().ask_secret(question).value_or("");
  if (secret.empty()) return setup_error(question + " is needed: set " + variable);
  automatic.set(member, bson::Value::of(secret));
  return {};
}

// A webhook's secret and address are needed together.
void say_webhook(Terminal& terminal, const Members& automatic) {
  if (!automatic["has_webhook_secret"].as_bool().value_or(false)) return;
  terminal.say("Have pushes told to " + automatic.text("webhook_url"));
}

Status configure(Session& session, const DeployOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  Members automatic;
  automatic.set("enabled", bson::Value::of(true));
  const auto set_given = [&automatic](const char* member, const std::string& text) {
    if (!text.empty()) automatic.set(member, bson::Value::of(text));
  };
  set_given("repository", options.repository);
  set_given("branch", options.branch);
  set_given("directory", options.directory);
  if (options.poll_seconds) automatic.set("poll_seconds", bson::Value::of(*options.poll_seconds));
  if (options.asks_webhook_secret) {
    RESTITCH_CHECK(add_secret(session, "RESTITCH_WEBHOOK_SECRET", "Webhook Secret",
                              "webhook_secret", automatic));
  }
  if (options.asks_access_token) {
    RESTITCH_CHECK(add_secret(session, "RESTITCH_ACCESS_TOKEN", "Access Token", "access_token",
                              automatic));
  }
  const auto agreed = session.terminal().confirm(
      "What the branch holds will take the place of what the app has. Proceed?");
  if (!agreed) return setup_error("confirm with --yes where nobody can be asked");
  if (!*agreed) return {};
  RESTITCH_CHECK(patch(*api, app, automatic));
  session.terminal().say("Successfully enabled automatic deployment");
  RESTITCH_TRY(const Members now, automatic_deployment(*api, app));
  say_webhook(session.terminal(), now);
  return {};
}

Status describe(Session& session, const DeployOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const Members automatic, automatic_deployment(*api, app));
  session.terminal().document("Automatic deployment", automatic.value());
  return {};
}

Status set_enabled(Session& session, const DeployOptions& options, bool is_enabled) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  Members automatic;
  automatic.set("enabled", bson::Value::of(is_enabled));
  RESTITCH_CHECK(patch(*api, app, automatic));
  session.terminal().say(std::string("Successfully ") + (is_enabled ? "enabled" : "disabled") +
                         " automatic deployment");
  return {};
}

Status enable(Session& session, const DeployOptions& options) {
  return set_enabled(session, options, true);
}

Status disable(Session& session, const DeployOptions& options) {
  return set_enabled(session, options, false);
}

Status check(Session& session, const DeployOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_CHECK(api->call("POST", app.path() + "/deploy/check"));
  session.terminal().say("The repository is looked at; see 'restitch deploy describe'");
  return {};
}

CLI::App* add(Registry& registry, CLI::App* group, const char* name, const char* about,
              const std::shared_ptr<DeployOptions>& options,
              Status (*action)(Session&, const DeployOptions&)) {
  CLI::App* command =
      registry.command(group, name, about, std::string("deploy ") + name,
                       [options, action](Session& session) { return action(session, *options); });
  command->add_option("-a,--app", options->app,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  return command;
}

}  // namespace

void add_deploy_commands(Registry& registry) {
  CLI::App* group = registry.group("deploy", "Automatic deployment from a git repository");
  const auto options = std::make_shared<DeployOptions>();
  CLI::App* configure_command =
      add(registry, group, "configure", "Link an app to a branch of a repository and deploy it",
          options, &configure);
  configure_command->add_option("--repository", options->repository,
                                "URL of the repository: https://… or ssh://…");
  configure_command->add_option("--branch", options->branch, "Branch (default: main)");
  configure_command->add_option("--directory", options->directory,
                                "Directory in it that holds the app (default: its root)");
  configure_command->add_option("--poll-seconds", options->poll_seconds,
                                "How often to look at the branch; 0 = only when told (default: 60)");
  configure_command->add_flag("--webhook-secret", options->asks_webhook_secret,
                              "Take pushes that a webhook tells of, signed with the secret in "
                              "RESTITCH_WEBHOOK_SECRET (asked for when that is not set)");
  configure_command->add_flag("--access-token", options->asks_access_token,
                              "Sign in to https with the token in RESTITCH_ACCESS_TOKEN (asked for "
                              "when that is not set)");
  const auto simple = [&](const char* name, const char* about,
                          Status (*action)(Session&, const DeployOptions&)) {
    add(registry, group, name, about, std::make_shared<DeployOptions>(), action);
  };
  simple("describe", "Show the link, and what came of it last", &describe);
  simple("enable", "Deploy from the repository again", &enable);
  simple("disable", "Stop deploying from the repository", &disable);
  simple("check", "Look at the branch now", &check);
}

}  // namespace restitch::cli
