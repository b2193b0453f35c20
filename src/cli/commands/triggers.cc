#include "cli/dates.h"
#include "cli/registry.h"

namespace restitch::cli {
namespace {

struct TriggerOptions {
  std::string app, name, event;
  bool begins_now = false;
};

std::string time_of(const Members& members, const std::string& name) {
  const auto seconds = members[name].as_integer();
  return seconds ? query_time(*seconds * 1000) : std::string();
}

std::string number_of(const Members& members, const std::string& name) {
  return std::to_string(members[name].as_integer().value_or(0));
}

Status list(Session& session, const TriggerOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const bson::Value answer, api->get(app.path() + "/trigger_status"));
  std::vector<std::vector<std::string>> rows;
  for (const bson::Value& value : app::elements_of(answer)) {
    const Members trigger(value);
    rows.push_back({trigger.text("name"), trigger.text("type"), trigger.text("state"),
                    number_of(trigger, "delivered"), number_of(trigger, "failed_kept"),
                    time_of(trigger, "completed_at"), trigger.text("reason")});
  }
  if (rows.empty()) {
    session.terminal().say("No triggers to show");
    return {};
  }
  session.terminal().table(
      "Found " + std::to_string(rows.size()) + " triggers",
      {"Name", "Type", "State", "Delivered", "Failed Events", "Last Event", "Reason"}, rows);
  return {};
}

Status describe(Session& session, const TriggerOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const bson::Value answer,
               api->get(app.path() + "/triggers/" + options.name + "/status"));
  session.terminal().document("Trigger", answer);
  return {};
}

Status pause(Session& session, const TriggerOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_CHECK(api->call("PUT", app.path() + "/triggers/" + options.name + "/suspend"));
  session.terminal().say("Successfully paused trigger " + options.name);
  return {};
}

Status resume(Session& session, const TriggerOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  Members body;
  body.set("disable_token", bson::Value::of(options.begins_now));
  RESTITCH_CHECK(
      api->call("PUT", app.path() + "/triggers/" + options.name + "/resume", to_text(body)));
  session.terminal().say("Successfully resumed trigger " + options.name);
  return {};
}

Status failed(Session& session, const TriggerOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  RESTITCH_TRY(const bson::Value answer,
               api->get(app.path() + "/triggers/" + options.name + "/failed"));
  std::vector<std::vector<std::string>> rows;
  for (const bson::Value& value : app::elements_of(answer)) {
    const Members event(value);
    rows.push_back({event.text("_id"), time_of(event, "created"), number_of(event, "attempts"),
                    event.text("error"), event.text("event")});
  }
  if (rows.empty()) {
    session.terminal().say("No failed events to show");
    return {};
  }
  session.terminal().table("Found " + std::to_string(rows.size()) + " failed events, newest first",
                           {"ID", "Failed", "Attempts", "Error", "Event"}, rows);
  return {};
}

Status replay(Session& session, const TriggerOptions& options) {
  RESTITCH_TRY(const RemoteApp app, session.find_app(options.app));
  RESTITCH_TRY(AdminApi * api, session.api());
  const std::string event = options.event.empty() ? "" : "/" + options.event;
  RESTITCH_TRY(
      const bson::Value answer,
      api->call("POST", app.path() + "/triggers/" + options.name + "/failed" + event + "/replay"));
  const Members result(answer);
  const bool has_more = result["has_more"].as_bool().value_or(false);
  session.terminal().say("Replayed: " + number_of(result, "succeeded") + " succeeded, " +
                         number_of(result, "failed") + " failed again" +
                         (has_more ? "; there are more" : ""));
  return {};
}

using TriggerAction = Status (*)(Session&, const TriggerOptions&);

CLI::App* add(Registry& registry, CLI::App* group, const char* name, const char* about,
              const std::shared_ptr<TriggerOptions>& options, TriggerAction action) {
  CLI::App* command =
      registry.command(group, name, about, std::string("triggers ") + name,
                       [options, action](Session& session) { return action(session, *options); });
  command->add_option("-a,--app", options->app,
                      "App: id, beginning of an id, or name (default: that of the directory)");
  return command;
}

CLI::App* add_for_one(Registry& registry, CLI::App* group, const char* name, const char* about,
                      const std::shared_ptr<TriggerOptions>& options, TriggerAction action) {
  CLI::App* command = add(registry, group, name, about, options, action);
  command->add_option("TRIGGER", options->name, "Name or id of the trigger")->required();
  return command;
}

}  // namespace

void add_trigger_commands(Registry& registry) {
  CLI::App* group = registry.group("triggers", "Triggers of an app");
  group->alias("trigger");
  add(registry, group, "list", "How the triggers are", std::make_shared<TriggerOptions>(), &list)
      ->alias("ls");
  add_for_one(registry, group, "describe", "Everything about a trigger's state",
              std::make_shared<TriggerOptions>(), &describe);
  add_for_one(registry, group, "pause", "Stop a trigger until it is resumed",
              std::make_shared<TriggerOptions>(), &pause);
  const auto resumed = std::make_shared<TriggerOptions>();
  add_for_one(registry, group, "resume", "Go on where a paused or suspended trigger stopped",
              resumed, &resume)
      ->add_flag("--from-now", resumed->begins_now, "Skip what has happened in the meantime");
  add_for_one(registry, group, "failed", "Events whose function failed, newest first",
              std::make_shared<TriggerOptions>(), &failed);
  const auto replayed = std::make_shared<TriggerOptions>();
  add_for_one(registry, group, "replay", "Call the function again for failed events", replayed,
              &replay)
      ->add_option("EVENT", replayed->event, "Id of one failed event (default: all)");
}

}  // namespace restitch::cli
