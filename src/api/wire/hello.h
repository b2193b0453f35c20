#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/endpoint_state.h"

// What the endpoint itself knows about `hello` (spec: mongodb-engine §2); the rest of the answer is
// the data source's.
namespace restitch::api::wire {

using datasource::embedded::Topology;

struct TopologyVersion {
  bson::ObjectId process_id;
  std::int64_t counter = 0;
};

struct HelloRequest {
  std::optional<bson::View> metadata;  // `client`
  // Both or neither: the sender waits for a change of the topology that it knows.
  std::optional<TopologyVersion> known_topology;
  std::chrono::milliseconds max_wait{0};

  bool is_awaitable() const { return known_topology.has_value(); }
};

// The views stay valid as long as `command`.
Result<HelloRequest> parse_hello(bson::View command);

// 183, 184, 185: what a driver may tell about itself.
Status check_metadata(bson::View metadata);

// Whether the sender knows the present topology, so that its answer waits. 31382 when it claims to
// know a later one.
Result<bool> knows_topology(const TopologyVersion& known, const Topology& topology);

// 91 with the topology version, for clients that wait while the server stops.
bson::Document stopping_hello(const Topology& topology);

}  // namespace restitch::api::wire
