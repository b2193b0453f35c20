#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "datasource/embedded/catalog.h"
#include "datasource/embedded/change_stream/log_follower.h"
#include "datasource/embedded/cursors.h"
#include "datasource/embedded/endpoint_state.h"
#include "datasource/embedded/fail_points.h"
#include "datasource/embedded/identity.h"
#include "datasource/embedded/operation_table.h"
#include "datasource/embedded/parameters.h"
#include "datasource/embedded/sessions.h"
#include "datasource/embedded/snapshot_history.h"
#include "datasource/embedded/users/authentication.h"
#include "runtime/blocking_pool.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// The parts of a cluster that commands use.
struct Services {
  std::unique_ptr<storage::Engine> engine;
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<LogFollower> follower;  // destroyed after the cursors, whose streams it serves
  CursorTable cursors;
  SessionTable sessions;
  FailPoints fail_points;
  OperationTable operations;
  SnapshotHistory snapshots;
  Parameters parameters;
  TransactionCounters transactions;
  // The latest cluster time that a client has told, as ticks.
  std::atomic<std::uint64_t> heard_time{0};
  runtime::BlockingPool* pool = nullptr;  // reads and writes that may wait
  // Threads for changes of the catalog: they may wait for writers without starving `pool`.
  std::unique_ptr<runtime::BlockingPool> schema_pool;
  std::timed_mutex schema_mutex;  // one change of the catalog at a time
  ClusterIdentity identity;
  Topology topology;
  ConnectionStatistics connections;
  UserState users;
  std::string directory;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> inline_reads{0}, pooled_reads{0};
  std::atomic<std::uint64_t> inserts{0}, queries{0}, updates{0}, deletes{0}, get_mores{0},
      commands{0};
  std::atomic<bool> is_closing{false};
  std::atomic<bool> is_draining{false};  // nothing waits for data any more
  // changeStreamOptions.preAndPostImages.expireAfterSeconds; negative: as long as the change log.
  std::atomic<std::int64_t> image_lifetime_seconds{-1};
  std::atomic<std::uint64_t> parameter_time{0};  // when it was set: seconds << 32 | increment

  // Whether the images of a change are not to be shown any more; `wall` is its wall-clock time.
  bool images_have_expired(bson::ValueView wall) const {
    const std::int64_t lifetime = image_lifetime_seconds.load(std::memory_order_relaxed);
    if (lifetime < 0 || wall.type() != bson::Type::kDate) return false;
    return wall.get_date().millis + lifetime * 1000 < wall_clock().millis;
  }
};

}  // namespace restitch::datasource::embedded
