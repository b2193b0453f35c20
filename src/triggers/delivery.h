#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <string>

#include "app/config.h"
#include "deployment/deployed_app.h"
#include "deployment/log_store.h"
#include "triggers/event_bridge.h"
#include "triggers/trigger_store.h"

namespace restitch::triggers {

// What all triggers of this node share.
struct RunnerContext {
  TriggerStore& store;
  deployment::LogStore& logs;
  EventBridge& event_bridge;
  TriggerServiceOptions options;
};

// The id by which the Admin API knows a trigger of the app; zeros when it has none of that name.
bson::ObjectId shown_id(const deployment::DeployedApp& app, const std::string& trigger);

enum class Delivered : std::uint8_t {
  kSucceeded,
  kFailed,       // the processor failed; noted as a dead letter
  kMustSuspend,  // and the trigger must not go on
  kNot,          // the trigger ends before the event could be given
};

struct Delivery {
  Delivered outcome = Delivered::kSucceeded;
  std::string reason;  // of kMustSuspend
};

// What a delivery needs; `app` and `is_ending` are asked anew at every attempt, because a
// deployment may come in between.
struct DeliveryContext {
  const RunnerContext& shared;
  const TriggerRecord& record;
  const app::TriggerConfig& config;
  std::function<deployment::DeployedAppPtr()> app;
  std::function<bool()> is_ending;
};

// Gives the event to the trigger's function or event bus. A call that did not begin, because too
// many wait or the app is being replaced, is tried again until it does, and so is a gateway that
// does not answer; a call whose worker died, three times. A processor's own failure is not retried
// (spec: functions §11.2): the event becomes a dead letter. Then the error handler, where there is
// one, decides whether the trigger goes on; without one a trigger with a function does, one with an
// event bus does not. `event` empty: the function gets no argument. Runs on the caller's executor;
// the context outlives the task.
asio::awaitable<Delivery> deliver(const DeliveryContext& context, bson::Document event);

// One attempt without any of that, for replays.
Task<void> give_once(const RunnerContext& shared, const deployment::DeployedApp& app,
                     const TriggerRecord& record, const app::TriggerConfig& config,
                     bson::Document event);

}  // namespace restitch::triggers
