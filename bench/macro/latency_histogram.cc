#include "bench/macro/latency_histogram.h"

#include <algorithm>
#include <bit>

namespace restitch::bench {

void LatencyHistogram::record(std::chrono::nanoseconds latency) {
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
  ++buckets_[bucket_of(value)];
  ++count_;
  sum_ns_ += value;
  max_ns_ = std::max(max_ns_, value);
}

void LatencyHistogram::merge(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

std::uint64_t LatencyHistogram::quantile_ns(double fraction) const {
  const auto rank = static_cast<std::uint64_t>(fraction * static_cast<double>(count_));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen > rank) return std::min(upper_edge(i), max_ns_);
  }
  return max_ns_;
}

boost::json::object LatencyHistogram::to_json() const {
  const auto micros = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000.0; };
  return {
      {"mean", count_ == 0 ? 0.0 : micros(sum_ns_) / static_cast<double>(count_)},
      {"p50", micros(quantile_ns(0.5))},
      {"p90", micros(quantile_ns(0.9))},
      {"p99", micros(quantile_ns(0.99))},
      {"p999", micros(quantile_ns(0.999))},
      {"max", micros(max_ns_)},
  };
}

// Values below kSubBuckets have a bucket each; above, every power of two is cut into kSubBuckets
// parts.
std::size_t LatencyHistogram::bucket_of(std::uint64_t value) {
  if (value < kSubBuckets) return static_cast<std::size_t>(value);
  const unsigned octave = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBucketBits;
  const std::uint64_t within = (value >> octave) - kSubBuckets;
  return static_cast<std::size_t>((octave + 1) * kSubBuckets + within);
}

std::uint64_t LatencyHistogram::upper_edge(std::size_t bucket) {
  if (bucket < kSubBuckets) return bucket;
  const std::uint64_t octave = bucket / kSubBuckets - 1;
  const std::uint64_t within = bucket % kSubBuckets;
  return ((kSubBuckets + within + 1) << octave) - 1;
}

}  // namespace restitch::bench
