#pragma once

#include <atomic>
#include <cstdint>

#include "bson/types.h"

namespace restitch::datasource::embedded {

// What clients watch for changes of: one for each start of the cluster, shared by all connections.
struct Topology {
  bson::ObjectId process_id = bson::ObjectId::generate();
  std::atomic<std::int64_t> counter{0};  // grows when the server begins to stop
};

// Bytes before and after one algorithm's work.
struct CompressionStatistics {
  std::atomic<std::int64_t> compressor_in{0}, compressor_out{0};
  std::atomic<std::int64_t> decompressor_in{0}, decompressor_out{0};
};

// Counted by those who serve connections, told by serverStatus.
struct ConnectionStatistics {
  std::atomic<std::int64_t> current{0}, available{0}, created{0}, rejected{0}, active{0};
  std::atomic<std::int64_t> bytes_in{0}, bytes_out{0}, requests{0};
  CompressionStatistics snappy, zlib, zstd;
};

}  // namespace restitch::datasource::embedded
