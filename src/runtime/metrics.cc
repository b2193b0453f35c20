#include "runtime/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <sstream>

namespace restitch::metrics {
namespace {

prometheus::Registry& registry() {
  static prometheus::Registry instance;
  return instance;
}

std::map<std::string, std::string> to_map(Labels labels) { return {labels.begin(), labels.end()}; }

}  // namespace

Counter::Counter(const std::string& name, const std::string& help, Labels labels)
    : counter_(&prometheus::BuildCounter().Name(name).Help(help).Register(registry()).Add(to_map(labels))) {}

void Counter::add(double amount) { counter_->Increment(amount); }

Gauge::Gauge(const std::string& name, const std::string& help, Labels labels)
    : gauge_(&prometheus::BuildGauge().Name(name).Help(help).Register(registry()).Add(to_map(labels))) {}

void Gauge::set(double value) { gauge_->Set(value); }

void Gauge::add(double amount) { gauge_->Increment(amount); }

Timing::Timing(const std::string& name, const std::string& help, Labels labels)
    : histogram_(&prometheus::BuildHistogram()
                      .Name(name)
                      .Help(help)
                      .Register(registry())
                      .Add(to_map(labels), prometheus::Histogram::BucketBoundaries{
                                               0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                               0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0})) {}

void Timing::observe(double seconds) { histogram_->Observe(seconds); }

std::string render() {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, registry().Collect());
  return out.str();
}

}  // namespace restitch::metrics
