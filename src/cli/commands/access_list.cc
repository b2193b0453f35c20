#include "cli/registry.h"

namespace restitch::cli {
namespace {

struct AccessOptions {
  std::string app, address, comment, wanted, new_address;
  std::vector<std::string> several;
  bool use_current = false, allow_all = false;
};

Result<std::vector<Members>> all(AdminApi& api, const RemoteApp& app) {
  RESTITCH_TRY(const bson::Value answer, api.get(app.path() + "/security/access_list"));
  const Members list(answer);
  std::vector<Members> entries;
  for (const bson::Value& entry : app::elements_of(list["allowed_ips"]))
    entries.emplace_back(entry);
  return entries;
}

bool is_meant(const Members& entry, const std::string& wanted) {
  return entry.text("_id") == wanted || entry.text("address") == wanted;
}

Status create(Session& session, const AccessOptions& options) {
  const std::string address = options.allow_all ? "0.0.0.0" : options.address;
  if (address.empty() && !options.use_current) {
    return setup_error("give an address with --ip, or use --use-current or --allow-all");
  }
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  Members body;
  if (!address.empty()) body.set("address", bson::Value::of(address));
  if (!options.comment.empty()) body.set("comment", bson::Value::of(options.comment));
  if (options.use_current) body.set("use_current", bson::Value::of(true));
  RESTITCH_TRY(const bson::Value created,
               api->call("POST", app.path() + "/security/access_list", to_text(body)));
  session.terminal().say("Successfully created allowed IP, id: " + Members(created).text("_id"));
  return {};
}

Status list(Session& session, const AccessOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::vector<Members> entries, all(*api, app));
  if (entries.empty()) {
    session.terminal().say("No available allowed IP addresses and/or CIDR blocks to show");
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const Members& entry : entries) {
    rows.push_back({entry.text("address"), entry.text("comment"), entry.text("_id")});
  }
  session.terminal().table(
      "Found " + std::to_string(rows.size()) + " allowed IP address(es) and/or CIDR block(s)",
      {"IP Address", "Comment", "ID"}, rows);
  return {};
}

Status update(Session& session, const AccessOptions& options) {
  if (options.new_address.empty() && options.comment.empty()) {
    return setup_error(
        "must set either --new-ip or --comment when updating an allowed IP address or CIDR block");
  }
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::vector<Members> entries, all(*api, app));
  for (const Members& entry : entries) {
    if (!is_meant(entry, options.wanted)) continue;
    Members body;
    body.set("address", bson::Value::of(options.new_address.empty() ? entry.text("address")
                                                                    : options.new_address));
    body.set("comment",
             bson::Value::of(options.comment.empty() ? entry.text("comment") : options.comment));
    RESTITCH_CHECK(api->call("PATCH", app.path() + "/security/access_list/" + entry.text("_id"),
                             to_text(body)));
    session.terminal().say("Successfully updated allowed IP address or CIDR block");
    return {};
  }
  return setup_error("unable to find allowed IP: " + options.wanted);
}

Status remove(Session& session, const AccessOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const std::vector<Members> entries, all(*api, app));
  std::vector<std::vector<std::string>> rows;
  std::size_t deleted = 0;
  for (const std::string& wanted : options.several) {
    bool is_known = false;
    for (const Members& entry : entries) {
      if (!is_meant(entry, wanted)) continue;
      is_known = true;
      const auto gone =
          api->call("DELETE", app.path() + "/security/access_list/" + entry.text("_id"));
      deleted += gone ? 1 : 0;
      rows.push_back({entry.text("address"), entry.text("comment"), gone ? "true" : "false",
                      gone ? "" : gone.error().message()});
    }
    if (!is_known) return setup_error("unable to find allowed IP: " + wanted);
  }
  session.terminal().table(
      "Deleted " + std::to_string(deleted) + " allowed IP address(es) and/or CIDR block(s)",
      {"IP Address", "Comment", "Deleted", "Details"}, rows);
  if (deleted == rows.size()) return {};
  return Error(ErrorCode::kInvalidArgument, "not every entry was deleted");
}

CLI::App* add(Registry& registry, CLI::App* group, const char* name, const char* about,
              const std::shared_ptr<AccessOptions>& options,
              Status (*action)(Session&, const AccessOptions&)) {
  CLI::App* command =
      registry.command(group, name, about, std::string("allowed IP ") + name,
                       [options, action](Session& session) { return action(session, *options); });
  command->add_option("-a,--app", options->app,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  return command;
}

}  // namespace

void add_access_list_commands(Registry& registry) {
  CLI::App* group = registry.group("accessList", "Addresses that may use an app");
  group->alias("accesslist")->alias("access-list");
  const auto created = std::make_shared<AccessOptions>();
  CLI::App* create_command = add(registry, group, "create", "Allow an address", created, &create);
  create_command->add_option("--ip", created->address, "IP address or CIDR block");
  create_command->add_option("--comment", created->comment, "Comment");
  create_command->add_flag("--use-current", created->use_current,
                           "The address that this computer is seen at");
  create_command->add_flag("--allow-all", created->allow_all, "Every address");
  add(registry, group, "list", "List the allowed addresses", std::make_shared<AccessOptions>(),
      &list)
      ->alias("ls");
  const auto updated = std::make_shared<AccessOptions>();
  CLI::App* update_command = add(registry, group, "update", "Change an entry", updated, &update);
  update_command->add_option("--ip", updated->wanted, "Address or id of the entry")->required();
  update_command->add_option("--new-ip", updated->new_address, "New address");
  update_command->add_option("--comment", updated->comment, "New comment");
  const auto deleted = std::make_shared<AccessOptions>();
  add(registry, group, "delete", "Delete entries", deleted, &remove)
      ->add_option("--ip", deleted->several, "Address or id of an entry (repeatable)")
      ->required();
}

}  // namespace restitch::cli
