#include "deployment/auth_events.h"

#include <algorithm>
#include <chrono>

namespace restitch::deployment {
namespace {

std::string_view name_of(auth::AuthEvent event) {
  switch (event) {
    case auth::AuthEvent::kLogin:
      return "LOGIN";
    case auth::AuthEvent::kCreate:
      return "CREATE";
    case auth::AuthEvent::kDelete:
      return "DELETE";
    case auth::AuthEvent::kLogout:
      return "LOGOUT";
  }
  return "LOGIN";
}

bool holds(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Whether the trigger listens to one of the providers; one without a list to all.
bool concerns(const app::TriggerConfig& trigger, std::string_view operation,
              const std::vector<std::string>& providers) {
  if (!holds(trigger.operations, operation)) return false;
  return trigger.providers.empty() ||
         std::any_of(providers.begin(), providers.end(),
                     [&](const std::string& one) { return holds(trigger.providers, one); });
}

bson::Document event_object(std::string_view operation, const std::vector<std::string>& providers,
                            const auth::CachedUser& user, bson::Date time) {
  bson::Builder out;
  out.append("operationType", operation).open_array("providers");
  for (const std::string& provider : providers) out.push(provider);
  out.close().append("user", user_object(user)).append("time", time);
  return std::move(out).finish();
}

}  // namespace

bson::Document user_object(const auth::CachedUser& user) {
  bson::Builder out;
  out.append("id", user.record.id.to_hex())
      .append("type", user.record.type)
      .append("data", user.data);
  out.open_object("custom_data").close();
  out.append_array("identities", user.identities);
  return std::move(out).finish();
}

void attach_auth_events(auth::AppAuth& auth, const app::Config& config) {
  std::vector<app::TriggerConfig> triggers;
  for (const app::TriggerConfig& trigger : config.triggers) {
    if (trigger.type == app::TriggerType::kAuthentication && !trigger.disabled) {
      triggers.push_back(trigger);
    }
  }
  if (triggers.empty()) return;
  auth.event_records = [app = auth.app_id, triggers = std::move(triggers)](
                           auth::AuthEvent kind, std::vector<std::string> providers,
                           const auth::CachedUser& user) {
    const std::string_view operation = name_of(kind);
    const bson::Date now{std::chrono::duration_cast<std::chrono::milliseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count()};
    std::vector<bson::Document> records;
    for (const app::TriggerConfig& trigger : triggers) {
      if (!concerns(trigger, operation, providers)) continue;
      bson::Builder record;
      record.append("_id", bson::ObjectId::generate()).append("app", app);
      record.append("trigger", trigger.name).append("created", now);
      record.append("event", event_object(operation, providers, user, now));
      records.push_back(std::move(record).finish());
    }
    return records;
  };
}

}  // namespace restitch::deployment
