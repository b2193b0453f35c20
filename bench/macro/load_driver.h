#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/macro/latency_histogram.h"
#include "bench/macro/workload.h"

namespace restitch::bench {

struct LoadOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::size_t connections = 1;
  std::chrono::milliseconds duration{1000};
};

struct LoadResult {
  LatencyHistogram latencies;
  std::uint64_t failures = 0;
  std::string first_failure;
  double seconds = 0;
  // Share of one core that this program used. Near 1 the driver, not the server, was the limit.
  double driver_cpu_share = 0;

  boost::json::object to_json() const;
};

// Sends the requests in order, over and over, on keep-alive connections with one request
// outstanding each, all from the calling thread. An answer other than 2xx, or one without its
// expected text, counts as a failure. Requests outstanding when the duration ends are waited for
// and counted. Throws std::runtime_error when the server cannot be reached, closes a connection or
// stops answering.
LoadResult run_load(const LoadOptions& options, const std::vector<PreparedRequest>& requests);

}  // namespace restitch::bench
