#include "api/admin/entities.h"
#include "api/admin/routes.h"
#include "bson/extended_json.h"

namespace restitch::api::admin {
namespace {

constexpr Family kTriggers{"trigger", "EventSubscriptionNotFound",
                           "EventSubscriptionAlreadyExists"};
constexpr std::int64_t kMostFailed = 1000;

// The service knows triggers by their names; a path may hold the name or the id.
std::string trigger_of(const AdminRequest& request) {
  const std::string& wanted = request.parameters.at(0);
  const auto config = request.app->deployed();
  const auto entity = config->require(EntityKind::kTrigger, wanted);
  return entity ? (*entity)->name : wanted;
}

std::int64_t seconds_of(const std::optional<bson::Date>& date) { return date->millis / 1000; }

bson::Document status_document(const triggers::TriggerStatus& status) {
  bson::Builder out;
  out.append("name", status.name).append("type", status.type);
  out.append("state", triggers::name_of(status.state));
  if (!status.reason.empty()) out.append("reason", status.reason);
  if (!status.node.empty()) out.append("node", status.node);
  out.append("delivered", status.delivered).append("failed", status.failed);
  out.append("failed_kept", status.dead_letters);
  if (status.cluster_time) {
    out.append("cluster_time", static_cast<std::int64_t>(status.cluster_time->seconds));
  }
  if (status.completed_at) out.append("completed_at", seconds_of(status.completed_at));
  if (status.heartbeat) out.append("heartbeat", seconds_of(status.heartbeat));
  if (status.next_run) out.append("next_run", seconds_of(status.next_run));
  if (!status.gap) return std::move(out).finish();
  out.open_object("gap").append("found_at", status.gap->found_at.millis / 1000);
  if (status.gap->from) {
    out.append("from_cluster_time", static_cast<std::int64_t>(status.gap->from->seconds));
  }
  out.append("reason", status.gap->reason).close();
  return std::move(out).finish();
}

// Events keep their types as Extended JSON.
bson::Document letter_document(const triggers::DeadLetter& letter) {
  bson::Builder out;
  out.append("_id", letter.id.to_hex()).append("created", letter.created.millis / 1000);
  out.append("error", letter.error).append("error_code", letter.error_code);
  out.append("co_id", letter.co_id).append("attempts", letter.attempts);
  out.append("event", bson::to_json(letter.event.view()));
  return std::move(out).finish();
}

Task<AdminReply> list_status(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const auto statuses, co_await api.triggers().list(request.app->identity().id));
  std::vector<bson::Document> shown;
  for (const triggers::TriggerStatus& status : statuses) shown.push_back(status_document(status));
  co_return AdminReply::of_list(shown);
}

Task<AdminReply> show_status(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const triggers::TriggerStatus status,
                  co_await api.triggers().status(request.app->identity().id, trigger_of(request)));
  co_return AdminReply::of(status_document(status));
}

Task<AdminReply> suspend(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(co_await api.triggers().pause(request.app->identity().id, trigger_of(request)));
  co_return AdminReply::empty();
}

Task<AdminReply> list_failed(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const auto letters,
                  co_await api.triggers().dead_letters(request.app->identity().id,
                                                       trigger_of(request), kMostFailed));
  std::vector<bson::Document> shown;
  for (const triggers::DeadLetter& letter : letters) shown.push_back(letter_document(letter));
  co_return AdminReply::of_list(shown);
}

Task<AdminReply> replay(AdminApi& api, AdminRequest& request) {
  std::optional<bson::ObjectId> letter;
  if (request.parameters.size() > 1) {
    letter = bson::ObjectId::from_hex(request.parameters.at(1));
    if (!letter) co_return Error(ErrorCode::kInvalidArgument, "the failed event's id is no id");
  }
  RESTITCH_CO_TRY(
      const triggers::ReplayResult result,
      co_await api.triggers().replay(request.app->identity().id, trigger_of(request), letter));
  bson::Builder out;
  out.append("succeeded", result.succeeded).append("failed", result.failed);
  out.append("has_more", result.has_more);
  co_return AdminReply::of(std::move(out).finish());
}

}  // namespace

// What the hosted service did not offer: how triggers are, pausing them, and their failed events.
std::vector<Route> trigger_run_routes() {
  return {
      app_route("GET", "/trigger_status", kTriggers, &list_status),
      app_route("GET", "/triggers/{id}/status", kTriggers, &show_status),
      app_route("PUT", "/triggers/{id}/suspend", kTriggers, &suspend),
      app_route("GET", "/triggers/{id}/failed", kTriggers, &list_failed),
      app_route("POST", "/triggers/{id}/failed/replay", kTriggers, &replay),
      app_route("POST", "/triggers/{id}/failed/{event}/replay", kTriggers, &replay),
  };
}

}  // namespace restitch::api::admin
