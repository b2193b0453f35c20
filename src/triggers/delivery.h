#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <string>

#include "app/config.h"
#include "deployment/deployed_app.h"
#include "triggers/trigger_store.h"

namespace restitch::triggers {

// The id by which the Admin API knows a trigger of the app; zeros when it has none of that name.
bson::ObjectId shown_id(const deployment::DeployedApp& app, const std::string& trigger);

enum class Delivered : std::uint8_t {
  kSucceeded,
  kFailed,       // the function ran and failed; noted as a dead letter
  kMustSuspend,  // the error handler failed too
  kNot,          // the trigger ends before the function could run
};

// What a delivery needs; `app` and `is_ending` are asked anew at every attempt, because a
// deployment may come in between.
struct DeliveryContext {
  TriggerStore& store;
  const TriggerRecord& record;
  const app::TriggerConfig& config;
  std::function<deployment::DeployedAppPtr()> app;
  std::function<bool()> is_ending;
};

// Calls the trigger's function with the event. A call that did not begin, because too many wait or
// the app is being replaced, is tried again until it does; one whose worker died, three times. A
// function's own failure is not retried (spec: functions §11.2): the event becomes a dead letter,
// and the error handler, where there is one, decides whether the trigger goes on. `event` empty:
// the function gets no argument. Runs on the caller's executor; the context outlives the task.
asio::awaitable<Delivered> deliver(const DeliveryContext& context, bson::Document event);

// One call of the function without any of that, for replays.
Task<void> call_once(const deployment::DeployedApp& app, const TriggerRecord& record,
                     const app::TriggerConfig& config, bson::Document event);

}  // namespace restitch::triggers
