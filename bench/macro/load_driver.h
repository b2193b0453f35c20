#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/macro/latency_histogram.h"
#include "bench/macro/request.h"

namespace restitch::bench {

struct LoadOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::size_t connections = 1;
  std::chrono::milliseconds duration{1000};
  // Requests per second of all connections together; 0: each connection sends as soon as it has its
  // answer. At a rate, latency counts from the time a request was due.
  double rate = 0;
  Framing framing = nullptr;
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
// outstanding each, all from the calling thread. An answer that is no success, or one without its
// expected bytes, counts as a failure. Requests outstanding when the duration ends are waited for
// and counted. Throws std::runtime_error when the server cannot be reached, closes a connection or
// stops answering.
LoadResult run_load(const LoadOptions& options, std::vector<PreparedRequest>& requests);

// Sends each request once, in order, on one connection, and waits for each answer. Throws
// std::runtime_error as well when an answer is not as expected. The answers' bodies.
std::vector<std::string> run_once(const LoadOptions& options,
                                  std::vector<PreparedRequest>& requests);

}  // namespace restitch::bench
