#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace restitch::metrics {

using Labels = std::initializer_list<std::pair<const std::string, std::string>>;

// Metrics are declared as static objects beside the code they measure: restitch_<area>_<what>_<unit>[_total]. Labels
// have few values only. Updating is thread-safe and cheap.
class Counter {
 public:
  Counter(const std::string& name, const std::string& help, Labels labels = {});
  void add(double amount = 1.0);

 private:
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  Gauge(const std::string& name, const std::string& help, Labels labels = {});
  void set(double value);
  void add(double amount);

 private:
  prometheus::Gauge* gauge_;
};

// Seconds, in buckets from 100 µs to 10 s.
class Timing {
 public:
  Timing(const std::string& name, const std::string& help, Labels labels = {});
  void observe(double seconds);

 private:
  prometheus::Histogram* histogram_;
};

// Everything declared, in the Prometheus text format.
std::string render();

}  // namespace restitch::metrics
