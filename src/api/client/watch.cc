#include <chrono>
#include <memory>

#include "api/client/function_call.h"
#include "api/client/handlers.h"
#include "api/http_error.h"
#include "base/encoding.h"
#include "bson/extended_json.h"
#include "deployment/users.h"
#include "rules/user_watch.h"

namespace restitch::api::client {
namespace {

// The first of the query's parameters with one of the names: today's and that of the Stitch SDKs.
std::string parameter(const net::HttpRequest& http, std::string_view name, std::string_view former_name) {
  for (const auto& [key, value] : net::parse_query(http.query())) {
    if (key == name || key == former_name) return value;
  }
  return {};
}

// Native SDKs send the token in the query, browsers in the header.
std::string token_of(const net::HttpRequest& http) {
  const std::string_view header = bearer_token(http);
  return header.empty() ? parameter(http, "baas_at", "stitch_at") : std::string(header);
}

// The call in the query: JSON in base64 of either alphabet. A plus sign that was not escaped has become a blank.
Result<FunctionCall> streamed_call(const net::HttpRequest& http) {
  const Error invalid(ErrorCode::kBadRequest, "invalid function call request");
  std::string encoded = parameter(http, "baas_request", "stitch_request");
  for (char& c : encoded) {
    if (c == ' ') c = '+';
  }
  const auto text = from_base64(encoded);
  if (!text) return invalid;
  const auto body = bson::parse_json_document(*text);
  if (!body) return Error(invalid.code(), invalid.message()).with_detail(body.error().message());
  return parse_call(*body);
}

// The text of one server-sent event. Clients undo exactly these three escapes (spec: client-api §12.3).
std::string event_text(std::string_view name, std::string_view data) {
  std::string text;
  if (!name.empty()) text.append("event: ").append(name).append("\n");
  text.append("data: ");
  for (const char c : data) {
    switch (c) {
      case '%': text.append("%25"); break;
      case '\n': text.append("%0A"); break;
      case '\r': text.append("%0D"); break;
      default: text.push_back(c);
    }
  }
  return text + "\n\n";
}

std::string error_text(const Error& error) {
  bson::Builder body;
  const HttpError known = http_error_of(error.code());
  body.append("error", error.message());
  body.append("error_code", known.error_code.empty() ? std::string_view("BadRequest") : known.error_code);
  return event_text("error", bson::to_json(std::move(body).finish().view()));
}

// What a stream keeps while it is open: the user and the app's snapshot that it began with.
class EventStream {
 public:
  EventStream(ClientApi& api, const RequestContext& context, const FunctionCall& call, rules::User user)
      : api_(api),
        app_(context.app),
        request_id_(context.request_id),
        user_(std::move(user)),
        request_(request_info(context, call).to_document()),
        evaluation_{user_,
                    request_,
                    app_->values,
                    app_->environment_tag,
                    app_->environment_values,
                    app_->functions.get(),
                    request_id_} {}
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  Task<void> open(rules::WatchRequest request) {
    began_ = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
    RESTITCH_CO_TRY(watch_, co_await app_->data->watch_as_user(std::move(request), evaluation_));
    co_return Status();
  }

  asio::awaitable<void> send(net::BodyStream& body) {
    body.on_end([watch = watch_.get()] { watch->close(); });
    bool is_open = co_await body.write(":\n\n");  // so that the client sees the stream open
    while (is_open) {
      auto event = co_await watch_->next();
      if (!event) {
        co_await body.write(error_text(event.error()));
        break;
      }
      if (!*event) break;
      const bool is_allowed = co_await may_go_on();
      if (!is_allowed) {
        co_await body.write(error_text(Error(ErrorCode::kInvalidSession, "invalid session")));
        break;
      }
      if ((*event)->empty()) {
        is_open = co_await body.write(":\n\n");
        continue;
      }
      is_open = co_await body.write(event_text("", bson::to_json((*event)->view())));
    }
    watch_->close();
    body.on_end([] {});
  }

 private:
  // A user who was disabled, deleted or whose sessions were revoked since the stream began gets no
  // further event.
  asio::awaitable<bool> may_go_on() {
    const auto id = bson::ObjectId::from_hex(user_.id);
    if (!id) co_return false;
    const auto user = co_await api_.auth().find_user(app_->id, *id);
    if (!user) co_return user.error().code() != ErrorCode::kUserNotFound;
    const auth::UserRecord& record = (*user)->record;
    co_return !record.disabled && record.not_before.millis <= began_.count();
  }

  ClientApi& api_;
  deployment::DeployedAppPtr app_;
  std::string request_id_;
  rules::User user_;
  bson::Document request_;
  rules::EvaluationContext evaluation_;
  std::unique_ptr<rules::UserWatch> watch_;
  std::chrono::milliseconds began_{0};  // since the Unix epoch
};

Task<Reply> stream(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(auth::AuthenticatedUser bearer, co_await bearer_of(api, context, token_of(context.http)));
  RESTITCH_CO_TRY(const FunctionCall call, streamed_call(context.http));
  const deployment::DeployedApp& app = *context.app;
  if (call.service.empty() || call.name != "watch") {
    co_return Error(ErrorCode::kBadRequest, "only 'watch' of a data source is a stream of events");
  }
  if (!app.data->has_source(call.service)) {
    co_return Error(ErrorCode::kServiceNotFound, "service not found: '" + call.service + "'");
  }
  const auto argument = call.arguments.view()["0"].as_object();
  if (!argument) co_return Error(ErrorCode::kMissingParameter, "the action takes one argument, an object");
  std::string title;
  RESTITCH_CO_TRY(rules::WatchRequest request, rules::parse_watch(call.service, *argument, &title));
  const rules::RuleSet& rules = app.data->rules();
  if (!title.empty() && !rules.resolve_title(call.service, title, &request.database, &request.collection)) {
    co_return Error(ErrorCode::kInvalidArgument,
                    "no matching collection found that maps to a table with title \"" + title + "\".");
  }
  rules::User user = deployment::to_rules_user(*bearer.user, std::move(bearer.custom_data));
  const auto events = std::make_shared<EventStream>(api, context, call, std::move(user));
  RESTITCH_CO_CHECK(co_await events->open(std::move(request)));
  Reply reply;
  reply.events = [events](net::BodyStream& body) { return events->send(body); };
  co_return reply;
}

}  // namespace

std::vector<Route> watch_routes() {
  return {{"GET", PathPattern("/app/{app}/functions/call"), AppFrom::kPath, &stream}};
}

}  // namespace restitch::api::client
