#include "triggers/event_bridge.h"

#include <chrono>

#include "auth/crypto.h"
#include "base/encoding.h"
#include "bson/extended_json.h"
#include "bson/iso_date.h"
#include "bson/plain_json.h"

namespace restitch::triggers {
namespace {

constexpr std::size_t kMaxEventBytes = 256U << 10U;  // of a bus
constexpr std::string_view kTooLarge =
    "total size of the entries in the request is over the limit";

// A UUID (version 8) that is the same for the same event of the same trigger.
std::string event_id(const bson::ObjectId& trigger, const std::string& co_id,
                     const bson::Document& event) {
  const bson::ValueView token = event["_id"];
  const std::string_view identity = !token.is_missing() ? token.raw()
                                    : event.empty()     ? std::string_view(co_id)
                                                        : event.bytes();
  std::string bytes = auth::sha256(trigger.to_hex() + std::string(identity)).substr(0, 16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x80);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  std::string text = to_hex(bytes);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

// When the change happened; else now.
std::string event_time(const bson::Document& event) {
  using std::chrono::duration_cast;
  using std::chrono::seconds;
  std::int64_t at =
      duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const bson::ValueView changed = event["clusterTime"];
  if (changed.type() == bson::Type::kTimestamp) at = changed.get_timestamp().seconds;
  std::string text;
  bson::append_iso_date(text, at * 1000);
  return text;
}

// "shop.items": where the change happened, or what the trigger listens to when the event does not
// tell.
std::string changed_namespace(const app::TriggerConfig& config, const bson::Document& event) {
  const auto database = event.view().find_path("ns.db").as_string();
  const auto collection = event.view().find_path("ns.coll").as_string();
  std::string text(database.value_or(config.database));
  const std::string_view rest = database ? collection.value_or("") : config.collection;
  if (!rest.empty()) text.append(".").append(rest);
  return text;
}

std::string detail_type(const app::TriggerConfig& config, const bson::Document& event) {
  switch (config.type) {
    case app::TriggerType::kDatabase:
      return "MongoDB Database Trigger for " + changed_namespace(config, event);
    case app::TriggerType::kAuthentication:
      return "MongoDB Authentication Trigger for " + config.name;
    case app::TriggerType::kScheduled:
      return "MongoDB Scheduled Trigger for " + config.name;
  }
  return {};
}

// The member `error` of the gateway's answer.
std::string told_error(const net::OutboundResponse& response) {
  const auto body = bson::parse_json_document(response.body);
  const auto told = body ? body->view()["error"].as_string() : std::nullopt;
  return told ? std::string(*told)
              : "the gateway of AWS_EVENTBRIDGE answered " + std::to_string(response.status);
}

Status outcome_of(const net::OutboundResponse& response) {
  const int status = response.status;
  if (status >= 200 && status < 300) return {};
  std::string text = told_error(response);
  if (status == 413 || (status == 400 && text.find(kTooLarge) != std::string::npos)) {
    return Error(ErrorCode::kRequestTooLarge, std::move(text));
  }
  const bool is_passing = status == 429 || (status >= 502 && status <= 504);
  return Error(is_passing ? ErrorCode::kSourceUnavailable : ErrorCode::kRefused, std::move(text));
}

std::string bus_event(const app::TriggerConfig& config, const bson::ObjectId& trigger,
                      const std::string& co_id, const bson::Document& event) {
  const app::EventBus& bus = *config.event_bus;
  const std::string source = "aws.partner/mongodb.com/stitch.trigger/" + trigger.to_hex();
  bson::Builder out;
  out.append("version", "0").append("id", event_id(trigger, co_id, event));
  out.append("detail-type", detail_type(config, event)).append("source", source);
  out.append("account", bus.account_id).append("time", event_time(event));
  out.append("region", bus.region).open_array("resources");
  out.push("arn:aws:events:" + bus.region + "::event-source/" + source).close();
  out.append("detail", event);
  const bson::Document whole = std::move(out).finish();
  return bus.extended_json ? bson::to_json(whole.view())
                           : bson::to_plain_json(bson::Value::of(whole).view());
}

}  // namespace

Task<void> EventBridge::put(app::TriggerConfig config, bson::ObjectId trigger, std::string co_id,
                            bson::Document event) {
  net::OutboundRequest request;
  request.url = gateway_;
  request.json = bus_event(config, trigger, co_id, event);
  if (request.json.size() >= kMaxEventBytes) {
    co_return Error(ErrorCode::kRequestTooLarge, "the event is larger than the limit of 256 KB");
  }
  RESTITCH_CO_TRY(const net::OutboundResponse response,
                  co_await outbound_.send(std::move(request)));
  co_return outcome_of(response);
}

}  // namespace restitch::triggers
