#include "datasource/mongodb/topology_watch.h"

#include "base/log.h"

namespace restitch::datasource::mongodb {
namespace {

// Wire versions: 7 is MongoDB 4.0 (transactions on replica sets), 8 is 4.2 (on sharded clusters).
constexpr std::int64_t kReplicaSetTransactions = 7;
constexpr std::int64_t kShardedTransactions = 8;

bool offers_transactions(bson::View hello) {
  if (hello["logicalSessionTimeoutMinutes"].is_missing()) return false;
  const std::int64_t wire_version = hello["maxWireVersion"].as_integer().value_or(0);
  if (hello["msg"].as_string() == "isdbgrid") return wire_version >= kShardedTransactions;
  return hello["setName"].as_string().has_value() && wire_version >= kReplicaSetTransactions;
}

}  // namespace

void TopologyWatch::attach(mongoc_client_pool_t* pool) {
  mongoc_apm_callbacks_t* callbacks = mongoc_apm_callbacks_new();
  mongoc_apm_set_server_changed_cb(callbacks, [](const mongoc_apm_server_changed_t* event) {
    auto* self = static_cast<TopologyWatch*>(mongoc_apm_server_changed_get_context(event));
    self->see_server(mongoc_apm_server_changed_get_new_description(event));
  });
  mongoc_apm_set_topology_changed_cb(callbacks, [](const mongoc_apm_topology_changed_t* event) {
    auto* self = static_cast<TopologyWatch*>(mongoc_apm_topology_changed_get_context(event));
    // The function asked below takes a mutable description and changes nothing.
    self->see_topology(const_cast<mongoc_topology_description_t*>(
        mongoc_apm_topology_changed_get_new_description(event)));
  });
  mongoc_client_pool_set_apm_callbacks(pool, callbacks, this);
  mongoc_apm_callbacks_destroy(callbacks);
}

void TopologyWatch::see_server(const mongoc_server_description_t* server) {
  const bson_t* hello = mongoc_server_description_hello_response(server);
  if (hello == nullptr || bson_empty(hello)) return;
  offers_transactions_.store(offers_transactions(bson::View(bson_get_data(hello))),
                             std::memory_order_relaxed);
}

void TopologyWatch::note_transactions(bool are_there) {
  const Proof before =
      proof_.exchange(are_there ? Proof::kProven : Proof::kRefuted, std::memory_order_relaxed);
  if (are_there || before == Proof::kRefuted) return;
  RESTITCH_LOG(kWarning, kSource, 5108,
               "Data source names itself a replica set but has no transactions",
               {"cluster", name_});
}

void TopologyWatch::see_topology(mongoc_topology_description_t* topology) {
  const bool now = mongoc_topology_description_has_writable_server(topology);
  const bool before = is_reachable_.exchange(now, std::memory_order_relaxed);
  if (now == before) return;
  const char* type = mongoc_topology_description_type(topology);
  if (now) {
    proof_.store(Proof::kNone, std::memory_order_relaxed);  // another server may have come
    RESTITCH_LOG(kInfo, kSource, 5103, "Data source reached", {"cluster", name_},
                 {"topology", type});
  } else {
    RESTITCH_LOG(kWarning, kSource, 5104, "Data source lost; it is looked for", {"cluster", name_},
                 {"topology", type});
  }
}

}  // namespace restitch::datasource::mongodb
