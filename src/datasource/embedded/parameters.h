#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::datasource::embedded {

// What clients may read with getParameter and change with setParameter while the cluster runs.
struct Parameters {
  std::atomic<std::int64_t> transaction_lifetime_seconds{60};
  std::atomic<std::int64_t> cursor_timeout_millis{600'000};
  std::atomic<std::int64_t> snapshot_history_seconds{300};
  std::atomic<std::int64_t> slow_millis{100};  // commands that take longer are logged; -1: none
  std::atomic<bool> requires_api_version{false};
  std::atomic<bool> runs_ttl{true};
  bool has_test_commands = false;
};

// Appends the values of the parameters that `wants` picks; how many there were.
// `with_details`: {value, settableAtRuntime, settableAtStartup} instead of the value alone.
int append_parameters(bson::Builder& reply, const Parameters& parameters,
                      bool (*wants)(bson::View command, std::string_view name), bson::View command,
                      bool with_details);
// Sets one and gives its former value. 72 for an unknown one or one that is fixed, 14 and 2 for bad
// values.
Result<bson::Value> set_parameter(Parameters& parameters, std::string_view name,
                                  bson::ValueView value);

}  // namespace restitch::datasource::embedded
