#include "triggers/delivery.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "base/log.h"
#include "runtime/metrics.h"

namespace restitch::triggers {
namespace {

using std::chrono::milliseconds;

constexpr int kInterruptedAttempts = 3;
constexpr milliseconds kFirstWait{20};
constexpr milliseconds kLongestWait{2000};
constexpr std::int64_t kMaxDeadLetters = 10'000;  // for each trigger; further ones are only logged
constexpr std::size_t kMaxLetterBytes = 15U << 20U;  // with what surrounds the event, below 16 MiB

metrics::Counter delivered_counter("restitch_triggers_events_total",
                                   "Events given to trigger functions");
metrics::Counter failed_counter("restitch_triggers_failed_events_total",
                                "Events whose trigger function failed");

bson::Date now() {
  return bson::Date{
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count()};
}

std::string_view log_type(app::TriggerType type) {
  if (type == app::TriggerType::kDatabase) return "DB_TRIGGER";
  return type == app::TriggerType::kScheduled ? "SCHEDULED_TRIGGER" : "AUTH_TRIGGER";
}

bson::Document log_fields(const deployment::DeployedApp& app, const TriggerRecord& record,
                          const std::string& parent) {
  bson::Builder out;
  out.append("event_subscription_id", shown_id(app, record.name).to_hex());
  out.append("event_subscription_name", record.name);
  if (!parent.empty()) out.append("parent_co_id", parent);
  return std::move(out).finish();
}

functions::CallRequest request_of(const deployment::DeployedApp& app, const TriggerRecord& record,
                                  const app::TriggerConfig& config, const bson::Document& event) {
  functions::CallRequest request;
  request.function = config.function;
  if (!event.empty()) request.arguments = bson::make_document("0", event);
  request.user.type = "system";
  request.system_caller = true;
  request.request_id = bson::ObjectId::generate().to_hex();
  request.log_type = log_type(config.type);
  request.log_fields = log_fields(app, record, "");
  return request;
}

asio::awaitable<void> wait(milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

// Whether the call has certainly not begun.
bool is_not_begun(ErrorCode code) {
  return code == ErrorCode::kTooManyRequests || code == ErrorCode::kClosing;
}

struct Failure {
  Error error;
  std::string co_id;
};

// The function's failure, nothing on success. kClosing when the trigger ends first.
asio::awaitable<std::optional<Failure>> call_until_begun(const DeliveryContext& context,
                                                         const bson::Document& event) {
  milliseconds pause = kFirstWait;
  for (int interrupted = 0;;) {
    if (context.is_ending()) {
      co_return Failure{Error(ErrorCode::kClosing, "the trigger has been stopped"), ""};
    }
    const deployment::DeployedAppPtr app = context.app();
    functions::CallRequest request = request_of(*app, context.record, context.config, event);
    const std::string co_id = request.request_id;
    auto outcome = co_await app->functions->call(std::move(request));
    if (outcome) co_return std::nullopt;
    const ErrorCode code = outcome.error().code();
    const bool is_again = is_not_begun(code) || (code == ErrorCode::kFunctionInterrupted &&
                                                 ++interrupted < kInterruptedAttempts);
    if (!is_again) co_return Failure{std::move(outcome.error()), co_id};
    co_await wait(pause);
    pause = std::min(pause * 2, kLongestWait);
  }
}

asio::awaitable<void> keep_dead_letter(const DeliveryContext& context, const Failure& failure,
                                       const bson::Document& event) {
  const TriggerRecord& record = context.record;
  auto count = co_await context.store.count_dead_letters(record);
  if (count && *count >= kMaxDeadLetters) co_return;
  DeadLetter letter;
  letter.id = bson::ObjectId::generate();
  letter.created = now();
  letter.error = failure.error.message();
  letter.error_code = name_of(failure.error.code());
  letter.co_id = failure.co_id;
  if (event.bytes().size() <= kMaxLetterBytes) letter.event = event;
  auto stored = co_await context.store.add_dead_letter(record, std::move(letter));
  if (!stored) {
    RESTITCH_LOG(kWarning, kApp, 2101, "Cannot store a trigger's failed event",
                 {"trigger", record.name}, {"error", stored.error().message()});
  }
}

// Calls the error handler; whether the trigger may go on.
asio::awaitable<bool> handle_error(const DeliveryContext& context, const Failure& failure,
                                   const bson::Document& event) {
  bson::Builder arguments;
  arguments.open_object("0").append("code", "OTHER");
  arguments.append("message", failure.error.message()).close();
  arguments.append("1", event);
  functions::CallRequest request;
  request.function = context.config.error_handler;
  request.arguments = std::move(arguments).finish();
  request.user.type = "system";
  request.system_caller = true;
  request.request_id = bson::ObjectId::generate().to_hex();
  request.log_type = "TRIGGER_ERROR_HANDLER";
  const deployment::DeployedAppPtr app = context.app();
  request.log_fields = log_fields(*app, context.record, failure.co_id);
  const auto handled = co_await app->functions->call(std::move(request));
  co_return handled || handled.error().code() == ErrorCode::kClosing;
}

}  // namespace

bson::ObjectId shown_id(const deployment::DeployedApp& app, const std::string& trigger) {
  const auto found = app.trigger_ids.find(trigger);
  return found == app.trigger_ids.end() ? bson::ObjectId() : found->second;
}

asio::awaitable<Delivered> deliver(const DeliveryContext& context, bson::Document event) {
  const std::optional<Failure> failure = co_await call_until_begun(context, event);
  if (failure && failure->error.code() == ErrorCode::kClosing) co_return Delivered::kNot;
  delivered_counter.add();
  if (!failure) co_return Delivered::kSucceeded;
  failed_counter.add();
  co_await keep_dead_letter(context, *failure, event);
  if (context.config.error_handler.empty()) co_return Delivered::kFailed;
  const bool goes_on = co_await handle_error(context, *failure, event);
  co_return goes_on ? Delivered::kFailed : Delivered::kMustSuspend;
}

Task<void> call_once(const deployment::DeployedApp& app, const TriggerRecord& record,
                     const app::TriggerConfig& config, bson::Document event) {
  functions::CallRequest request = request_of(app, record, config, event);
  RESTITCH_CO_CHECK(co_await app.functions->call(std::move(request)));
  co_return Status();
}

}  // namespace restitch::triggers
