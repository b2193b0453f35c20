#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>

namespace restitch::bench {

// Counts latencies in buckets that widen with the value: every reported quantile is within 0.8 % of
// the true one. Recording costs a few instructions and never allocates. Not safe for concurrent
// use; give each thread its own and merge them afterwards.
class LatencyHistogram {
 public:
  void record(std::chrono::nanoseconds latency);
  void merge(const LatencyHistogram& other);

  std::uint64_t count() const { return count_; }

  // The upper edge of the bucket that holds the quantile, in nanoseconds; 0 when nothing was
  // recorded.
  std::uint64_t quantile_ns(double fraction) const;

  // Mean, quantiles and maximum in microseconds.
  boost::json::object to_json() const;

 private:
  static constexpr unsigned kSubBucketBits = 7;
  static constexpr std::uint64_t kSubBuckets = 1U << kSubBucketBits;
  static constexpr unsigned kOctaves = 64 - kSubBucketBits;

  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t upper_edge(std::size_t bucket);

  std::array<std::uint64_t, (kOctaves + 1) * kSubBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ns_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace restitch::bench
