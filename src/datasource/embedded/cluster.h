#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "datasource/data_source.h"
#include "datasource/embedded/caller.h"
#include "datasource/embedded/endpoint_state.h"
#include "runtime/blocking_pool.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

struct ClusterOptions {
  std::string directory;
  std::size_t block_cache_bytes = 256ULL << 20U;
  // How long changes are kept for change streams to resume: the older ones go when either is exceeded.
  std::int64_t change_log_max_age_seconds = 24LL * 3600;
  std::int64_t change_log_max_bytes = 1LL << 30U;
  std::size_t write_buffer_bytes = 64ULL << 20U;  // a quarter of what unflushed writes may take
  std::chrono::seconds expiry_interval{60};  // between removals of what TTL indexes have expired
  bool test_commands = false;      // clients may set fail points
  std::int64_t slow_millis = 100;  // commands that take longer are logged; -1: none
};

// What a connection of the endpoint adds to a command.
struct CallerContext {
  CallerPtr caller;
  // Waits before the command runs, behind its fail point: the awaitable hello. May be empty.
  std::function<asio::awaitable<void>()> wait;
};

struct ClusterStatistics {
  storage::EngineStatistics storage;
  std::uint64_t open_cursors = 0, open_transactions = 0;
  std::uint64_t inline_reads = 0, pooled_reads = 0;
};

// The embedded cluster: poses as the primary of a one-node replica set of MongoDB 7.0 (spec:
// mongodb-engine). Commands run on the caller's thread while the data is in memory and hop to
// `pool` when a read would wait for the disk or work on many documents; writes resume the caller
// after their commit group is durable.
class Cluster : public DataSource {
 public:
  // `pool` must outlive the cluster.
  static Result<std::unique_ptr<Cluster>> open(const ClusterOptions& options,
                                               runtime::BlockingPool& pool);

  // Runs a command of a connection. When a fail point closes the connection, the caller is told
  // (Caller::has_to_close) and the reply means nothing.
  virtual Task<bson::Document> run_for(CallerContext context, std::string_view database,
                                       bson::Document command) = 0;

  virtual Topology& topology() = 0;
  virtual ConnectionStatistics& connections() = 0;

  virtual ClusterStatistics statistics() const = 0;
  // storage::Engine::needs_restart().
  virtual bool needs_restart() const = 0;
  // Time of the newest commit that readers see.
  virtual bson::Timestamp cluster_time() const = 0;
  // Later commits get times above `seen`, a time that a client has heard of. The caller has checked
  // that it is not too far ahead.
  virtual void advance_cluster_time(bson::Timestamp seen) = 0;
  // Commands that wait for data end with 11600, now and from now on, so that their callers can be
  // drained.
  virtual void stop_waiting() = 0;
  // Consistent copy of the storage into a new directory on the same file system. Returns a cluster
  // time at or behind its newest change. Waits for the disk.
  virtual Result<bson::Timestamp> checkpoint(const std::string& directory) = 0;
  // Aborts transactions, kills cursors, closes the storage. No command may be running.
  virtual Status close() = 0;
};

}  // namespace restitch::datasource::embedded
