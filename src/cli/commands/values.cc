#include "bson/extended_json.h"
#include "cli/registry.h"

namespace restitch::cli {
namespace {

struct ValueOptions {
  std::string app, name, value, wanted;
  bool from_secret = false;
};

// JSON where the text is JSON, else the text itself.
bson::Value value_of(const std::string& text) {
  bson::Value value = parse_plain(text);
  return value.is_missing() ? bson::Value::of(text) : value;
}

Result<Members> find(AdminApi& api, const RemoteApp& app, const std::string& wanted) {
  RESTITCH_TRY(const bson::Value list, api.get(app.path() + "/values"));
  for (const bson::Value& entry : app::elements_of(list)) {
    Members value(entry);
    if (value.text("_id") == wanted || value.text("name") == wanted) return value;
  }
  return setup_error("unable to find value: " + wanted);
}

Status list(Session& session, const ValueOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const bson::Value list, api->get(app.path() + "/values"));
  std::vector<std::vector<std::string>> rows;
  for (const bson::Value& entry : app::elements_of(list)) {
    const Members value(entry);
    rows.push_back(
        {value.text("_id"), value.text("name"), value["from_secret"].truthy() ? "true" : "false"});
  }
  if (rows.empty()) {
    session.terminal().say("No available values to show");
    return {};
  }
  session.terminal().table("Found " + std::to_string(rows.size()) + " values",
                           {"ID", "Name", "From Secret"}, rows);
  return {};
}

Status show(Session& session, const ValueOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const Members found, find(*api, app, options.wanted));
  RESTITCH_TRY(const bson::Value value, api->get(app.path() + "/values/" + found.text("_id")));
  session.terminal().document("Value", value);
  return {};
}

Members body_of(const std::string& name, const ValueOptions& options) {
  Members body;
  body.set("name", bson::Value::of(name));
  body.set("value", options.from_secret ? bson::Value::of(options.value) : value_of(options.value));
  body.set("private", bson::Value::of(false));
  body.set("from_secret", bson::Value::of(options.from_secret));
  return body;
}

Status create(Session& session, const ValueOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const bson::Value created,
               api->call("POST", app.path() + "/values", to_text(body_of(options.name, options))));
  session.terminal().say("Successfully created value, id: " + Members(created).text("_id"));
  return {};
}

Status update(Session& session, const ValueOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const Members found, find(*api, app, options.wanted));
  const std::string name = options.name.empty() ? found.text("name") : options.name;
  RESTITCH_CHECK(api->call("PUT", app.path() + "/values/" + found.text("_id"),
                           to_text(body_of(name, options))));
  session.terminal().say("Successfully updated value");
  return {};
}

Status remove(Session& session, const ValueOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const Members found, find(*api, app, options.wanted));
  RESTITCH_CHECK(api->call("DELETE", app.path() + "/values/" + found.text("_id")));
  session.terminal().say("Successfully deleted value");
  return {};
}

CLI::App* add(Registry& registry, CLI::App* group, const char* name, const char* about,
              const std::shared_ptr<ValueOptions>& options,
              Status (*action)(Session&, const ValueOptions&)) {
  CLI::App* command =
      registry.command(group, name, about, std::string("value ") + name,
                       [options, action](Session& session) { return action(session, *options); });
  command->add_option("-a,--app", options->app,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  return command;
}

}  // namespace

void add_value_commands(Registry& registry) {
  CLI::App* group =
      registry.group("values", "Values of an app, which its functions and rules read");
  group->alias("value");
  add(registry, group, "list", "List the values", std::make_shared<ValueOptions>(), &list)
      ->alias("ls");
  const auto shown = std::make_shared<ValueOptions>();
  add(registry, group, "get", "Show a value", shown, &show)
      ->add_option("VALUE", shown->wanted, "Id or name")
      ->required();
  const auto created = std::make_shared<ValueOptions>();
  CLI::App* create_command =
      add(registry, group, "create", "Create a value; this is a deployment", created, &create);
  create_command->add_option("-n,--name", created->name, "Name of the value")->required();
  create_command
      ->add_option("-v,--value", created->value,
                   "JSON, or text; with --from-secret the secret's name")
      ->required();
  create_command->add_flag("--from-secret", created->from_secret, "The value is that of a secret");
  const auto updated = std::make_shared<ValueOptions>();
  CLI::App* update_command =
      add(registry, group, "update", "Change a value; this is a deployment", updated, &update);
  update_command->add_option("VALUE", updated->wanted, "Id or name")->required();
  update_command->add_option("-n,--name", updated->name, "New name");
  update_command
      ->add_option("-v,--value", updated->value,
                   "JSON, or text; with --from-secret the secret's name")
      ->required();
  update_command->add_flag("--from-secret", updated->from_secret, "The value is that of a secret");
  const auto deleted = std::make_shared<ValueOptions>();
  add(registry, group, "delete", "Delete a value; this is a deployment", deleted, &remove)
      ->add_option("VALUE", deleted->wanted, "Id or name")
      ->required();
}

}  // namespace restitch::cli
