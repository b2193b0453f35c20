#include "triggers/delivery.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

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
                                   "Events given to the functions and event buses of triggers");
metrics::Counter failed_counter("restitch_triggers_failed_events_total",
                                "Events whose trigger function or event bus failed");

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
                                  const app::TriggerConfig& config, const std::string& co_id,
                                  const bson::Document& event) {
  functions::CallRequest request;
  request.function = config.function;
  if (!event.empty()) request.arguments = bson::make_document("0", event);
  request.user.type = "system";
  request.system_caller = true;
  request.request_id = co_id;
  request.log_type = log_type(config.type);
  request.log_fields = log_fields(app, record, "");
  return request;
}

// Whether the function certainly has not begun, or the event certainly was not sent.
bool is_not_begun(ErrorCode code) {
  return code == ErrorCode::kTooManyRequests || code == ErrorCode::kClosing;
}

// Whether the gateway of an event bus does not answer, or takes nothing now.
bool is_away(const app::TriggerConfig& config, ErrorCode code) {
  return config.event_bus && code == ErrorCode::kSourceUnavailable;
}

// Puts the event on the trigger's bus, with a log entry as a function's call has one; attempts that
// the gateway could not take now have none.
Task<void> put(const RunnerContext& shared, const deployment::DeployedApp& app,
               const TriggerRecord& record, const app::TriggerConfig& config, std::string co_id,
               bson::Document event) {
  using std::chrono::steady_clock;
  const auto begin = steady_clock::now();
  const Status put = co_await shared.event_bridge.put(config, shown_id(app, record.name), co_id,
                                                      std::move(event));
  if (!put && (is_not_begun(put.error().code()) || is_away(config, put.error().code()))) {
    co_return put;
  }
  bson::Builder entry;
  entry.append("co_id", co_id).append_all(log_fields(app, record, ""));
  if (!put) entry.append("error", put.error().message()).append("error_code", "AWSError");
  shared.logs.add_entry(app.id, app.group_id, log_type(config.type), std::move(entry).finish(),
                        std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin));
  co_return put;
}

// One attempt; `co_id` is that of its log entry.
Task<void> give(const RunnerContext& shared, const deployment::DeployedApp& app,
                const TriggerRecord& record, const app::TriggerConfig& config, std::string co_id,
                bson::Document event) {
  if (config.event_bus) {
    co_return co_await put(shared, app, record, config, std::move(co_id), std::move(event));
  }
  functions::CallRequest request = request_of(app, record, config, co_id, event);
  RESTITCH_CO_CHECK(co_await app.functions->call(std::move(request)));
  co_return Status();
}

asio::awaitable<void> wait(milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

struct Failure {
  Error error;
  std::string co_id;
};

// Shows in the trigger's status that its gateway does not answer, until it does.
class Outage {
 public:
  explicit Outage(const DeliveryContext& context) : context_(context) {}

  asio::awaitable<void> begin(const Error& error) {
    if (std::exchange(is_noted_, true)) co_return;
    RESTITCH_LOG(kWarning, kApp, 2102, "Trigger waits for its gateway",
                 {"trigger", context_.record.name}, {"error", error.message()});
    co_await note(error.message());
  }
  asio::awaitable<void> end() {
    if (std::exchange(is_noted_, false)) co_await note("");
  }

 private:
  asio::awaitable<void> note(std::string reason) {
    auto noted = co_await context_.shared.store.note(context_.record.id, std::move(reason));
    static_cast<void>(noted);  // it is for people only
  }

  const DeliveryContext& context_;
  bool is_noted_ = false;
};

// The processor's failure, nothing on success. kClosing when the trigger ends first.
asio::awaitable<std::optional<Failure>> give_until_taken(const DeliveryContext& context,
                                                         const bson::Document& event) {
  Outage outage(context);
  milliseconds pause = kFirstWait;
  for (int interrupted = 0;;) {
    if (context.is_ending()) {
      co_return Failure{Error(ErrorCode::kClosing, "the trigger has been stopped"), ""};
    }
    const deployment::DeployedAppPtr app = context.app();
    const std::string co_id = bson::ObjectId::generate().to_hex();
    auto outcome =
        co_await give(context.shared, *app, context.record, context.config, co_id, event);
    const ErrorCode code = outcome ? ErrorCode::kInternal : outcome.error().code();
    const bool waits_for_gateway = is_away(context.config, code);
    if (waits_for_gateway) {
      co_await outage.begin(outcome.error());
    } else {
      co_await outage.end();
    }
    if (outcome) co_return std::nullopt;
    const bool is_again = waits_for_gateway || is_not_begun(code) ||
                          (code == ErrorCode::kFunctionInterrupted &&
                           ++interrupted < kInterruptedAttempts);
    if (!is_again) co_return Failure{std::move(outcome.error()), co_id};
    co_await wait(pause);
    pause = std::min(pause * 2, kLongestWait);
  }
}

asio::awaitable<void> keep_dead_letter(const DeliveryContext& context, const Failure& failure,
                                       const bson::Document& event) {
  const TriggerRecord& record = context.record;
  auto count = co_await context.shared.store.count_dead_letters(record);
  if (count && *count >= kMaxDeadLetters) co_return;
  DeadLetter letter;
  letter.id = bson::ObjectId::generate();
  letter.created = now();
  letter.error = failure.error.message();
  letter.error_code = name_of(failure.error.code());
  letter.co_id = failure.co_id;
  if (event.bytes().size() <= kMaxLetterBytes) letter.event = event;
  auto stored = co_await context.shared.store.add_dead_letter(record, std::move(letter));
  if (!stored) {
    RESTITCH_LOG(kWarning, kApp, 2101, "Cannot store a trigger's failed event",
                 {"trigger", record.name}, {"error", stored.error().message()});
  }
}

// Calls the error handler; whether the trigger may go on.
asio::awaitable<bool> handle_error(const DeliveryContext& context, const Failure& failure,
                                   const bson::Document& event) {
  const bool is_too_large = failure.error.code() == ErrorCode::kRequestTooLarge;
  bson::Builder arguments;
  arguments.open_object("0").append("code", is_too_large ? "DOCUMENT_TOO_LARGE" : "OTHER");
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

asio::awaitable<Delivery> deliver(const DeliveryContext& context, bson::Document event) {
  Delivery delivery;
  const std::optional<Failure> failure = co_await give_until_taken(context, event);
  if (failure && failure->error.code() == ErrorCode::kClosing) {
    delivery.outcome = Delivered::kNot;
    co_return delivery;
  }
  delivered_counter.add();
  if (!failure) co_return delivery;
  failed_counter.add();
  delivery.outcome = Delivered::kFailed;
  co_await keep_dead_letter(context, *failure, event);
  if (!context.config.error_handler.empty()) {
    const bool goes_on = co_await handle_error(context, *failure, event);
    if (!goes_on) delivery.reason = "the error handler failed";
  } else if (context.config.event_bus) {
    delivery.reason = "an event could not be put: " + failure->error.message();
  }
  if (!delivery.reason.empty()) delivery.outcome = Delivered::kMustSuspend;
  co_return delivery;
}

Task<void> give_once(const RunnerContext& shared, const deployment::DeployedApp& app,
                     const TriggerRecord& record, const app::TriggerConfig& config,
                     bson::Document event) {
  std::string co_id = bson::ObjectId::generate().to_hex();
  co_return co_await give(shared, app, record, config, std::move(co_id), std::move(event));
}

}  // namespace restitch::triggers
