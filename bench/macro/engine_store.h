#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "bench/macro/latency_histogram.h"
#include "bson/document.h"

namespace restitch::bench {

inline constexpr std::size_t kEngineBatch = 1000;
inline constexpr std::int32_t kRangeDocuments = 100;

struct Workload {
  // `get`: a document by its _id. `range`: 100 documents by the second index. `scan`: all documents
  // tested for one string. `insert`: one document, synced; `insert buffered`: not synced;
  // `insert many`: 1,000 in one synced write.
  std::string name;
  std::size_t threads = 1;  // concurrent operations
  std::chrono::nanoseconds duration{};
};

struct Outcome {
  LatencyHistogram latencies;   // per operation
  std::uint64_t documents = 0;  // read or written
  double seconds = 0;
};

// Documents of 240 B under two indexes: _id, and `amount`, whose values are the numbers below the
// count. Errors are std::runtime_error.
class EngineStore {
 public:
  virtual ~EngineStore() = default;
  // Fills the empty store.
  virtual void load(std::size_t documents) = 0;
  // On a store of so many documents, before the first run(): what is no part of the measurement.
  virtual void prepare(const Workload&, std::size_t) {}
  // One run goes on where the former one stopped: what is read is not what the warm-up has read.
  virtual Outcome run(const Workload& workload, std::size_t documents) = 0;
};

// The embedded cluster, by commands as all callers give them.
std::unique_ptr<EngineStore> open_cluster(const std::string& directory);
// RocksDB without anything above it: the cluster's own options, keys and values.
std::unique_ptr<EngineStore> open_raw(const std::string& directory);

// A permutation of the numbers below `documents`, a power of ten.
std::int32_t amount_of(std::size_t number, std::size_t documents);

// Throughput of the query language alone on one core, on documents in memory. `match`: four
// predicates; `group`: $match, $group with three accumulators, $sort.
Outcome run_query(const Workload& workload);

}  // namespace restitch::bench
