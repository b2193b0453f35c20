#pragma once

#include <string>

#include "app/config.h"
#include "bson/document.h"
#include "net/outbound.h"

namespace restitch::triggers {

// Puts events of triggers on buses of AWS EventBridge by way of an HTTP gateway of the operator
// (spec: functions §11.5). The gateway gets each event in the form in which a bus gives it to its
// targets. Thread-safe.
class EventBridge {
 public:
  // `gateway`: its URL; "" = none.
  explicit EventBridge(std::string gateway) : gateway_(std::move(gateway)) {}

  bool has_gateway() const { return !gateway_.empty(); }

  // One event of a trigger that has an event bus; no event: {}. `trigger` is the id that the Admin
  // API shows; `co_id` names the delivery. Put again, an event that tells its identity (a change, a
  // sign-in) has the same id. Errors: kSourceUnavailable, when the gateway does not answer or
  // cannot take anything now; kRequestTooLarge, when the event is larger than a bus takes; kRefused
  // with the gateway's text.
  Task<void> put(app::TriggerConfig config, bson::ObjectId trigger, std::string co_id,
                 bson::Document event);

  // Waits for the requests under way.
  void stop() { outbound_.stop(); }

 private:
  const std::string gateway_;
  net::Outbound outbound_;  // its own: a gateway that hangs holds up no sign-in
};

}  // namespace restitch::triggers
