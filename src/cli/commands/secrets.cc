#include "cli/registry.h"

namespace restitch::cli {
namespace {

struct SecretOptions {
  std::string app, name, value;
  std::string wanted;  // id or name
  std::vector<std::string> several;
};

Result<std::vector<Members>> all(AdminApi& api, const RemoteApp& app) {
  RESTITCH_TRY(const bson::Value answer, api.get(app.path() + "/secrets"));
  std::vector<Members> secrets;
  for (const bson::Value& secret : app::elements_of(answer)) secrets.emplace_back(secret);
  return secrets;
}

bool is_meant(const Members& secret, const std::string& wanted) {
  return secret.text("_id") == wanted || secret.text("name") == wanted;
}

Status create(Session& session, const SecretOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  std::string value = options.value;
  if (value.empty()) value = session.terminal().ask_secret("Secret Value").value_or("");
  if (options.name.empty() || value.empty()) return setup_error("--name and --value are needed");
  Members body;
  body.set("name", bson::Value::of(options.name));
  body.set("value", bson::Value::of(value));
  RESTITCH_TRY(const bson::Value created,
               api->call("POST", app.path() + "/secrets", to_text(body)));
  session.terminal().say("Successfully created secret, id: " + Members(created).text("_id"));
  return {};
}

Status list(Session& session, const SecretOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::vector<Members> secrets, all(*api, app));
  if (secrets.empty()) {
    session.terminal().say("No available secrets to show");
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const Members& secret : secrets) rows.push_back({secret.text("_id"), secret.text("name")});
  session.terminal().table("Found " + std::to_string(rows.size()) + " secrets", {"ID", "Name"},
                           rows);
  return {};
}

Status update(Session& session, const SecretOptions& options) {
  if (options.name.empty() && options.value.empty()) {
    return setup_error("must set either --name or --value when updating a secret");
  }
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::vector<Members> secrets, all(*api, app));
  for (const Members& secret : secrets) {
    if (!is_meant(secret, options.wanted)) continue;
    Members body;
    body.set("name", bson::Value::of(options.name.empty() ? secret.text("name") : options.name));
    body.set("value", bson::Value::of(options.value));
    RESTITCH_CHECK(api->call("PUT", app.path() + "/secrets/" + secret.text("_id"), to_text(body)));
    session.terminal().say("Successfully updated secret");
    return {};
  }
  return setup_error("unable to find secret: " + options.wanted);
}

Status remove(Session& session, const SecretOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::vector<Members> secrets, all(*api, app));
  std::vector<std::vector<std::string>> rows;
  std::size_t deleted = 0;
  for (const std::string& wanted : options.several) {
    bool is_known = false;
    for (const Members& secret : secrets) {
      if (!is_meant(secret, wanted)) continue;
      is_known = true;
      const auto gone = api->call("DELETE", app.path() + "/secrets/" + secret.text("_id"));
      deleted += gone ? 1 : 0;
      rows.push_back({secret.text("_id"), secret.text("name"), gone ? "true" : "false",
                      gone ? "" : gone.error().message()});
    }
    if (!is_known) return setup_error("unable to find secret: " + wanted);
  }
  session.terminal().table("Deleted " + std::to_string(deleted) + " secret(s)",
                           {"ID", "Name", "Deleted", "Details"}, rows);
  if (deleted == rows.size()) return {};
  return Error(ErrorCode::kInvalidArgument, "not every secret was deleted");
}

CLI::App* add(Registry& registry, CLI::App* group, const char* name, const char* about,
              const std::shared_ptr<SecretOptions>& options,
              Status (*action)(Session&, const SecretOptions&)) {
  CLI::App* command =
      registry.command(group, name, about, std::string("secret ") + name,
                       [options, action](Session& session) { return action(session, *options); });
  command->add_option("-a,--app", options->app,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  return command;
}

}  // namespace

void add_secret_commands(Registry& registry) {
  CLI::App* group = registry.group("secrets", "Secrets of an app; their values are never shown");
  group->alias("secret");
  const auto created = std::make_shared<SecretOptions>();
  CLI::App* create_command = add(registry, group, "create", "Create a secret", created, &create);
  create_command->add_option("-n,--name", created->name, "Name of the secret");
  create_command->add_option("-v,--value", created->value, "Value; asked for when left out");
  add(registry, group, "list", "List the names of the secrets", std::make_shared<SecretOptions>(),
      &list)
      ->alias("ls");
  const auto updated = std::make_shared<SecretOptions>();
  CLI::App* update_command =
      add(registry, group, "update", "Rename a secret or give it another value", updated, &update);
  update_command->add_option("-s,--secret", updated->wanted, "Id or name of the secret")
      ->required();
  update_command->add_option("-n,--name", updated->name, "New name");
  update_command->add_option("-v,--value", updated->value, "New value");
  const auto deleted = std::make_shared<SecretOptions>();
  add(registry, group, "delete", "Delete secrets", deleted, &remove)
      ->add_option("-s,--secret", deleted->several, "Id or name of a secret (repeatable)")
      ->required();
}

}  // namespace restitch::cli
