#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "bson/document.h"
#include "rules/expression/reference.h"

namespace restitch::rules {

// Three-valued truth, and one value for "a function has to be called first". A failure is never
// true, negated neither (spec: rules §5.8).
enum class Truth : std::uint8_t { kFalse, kTrue, kFailed, kPending };

constexpr Truth truth_of(bool value) { return value ? Truth::kTrue : Truth::kFalse; }

// The outcome of looking up or computing a value.
struct Resolved {
  enum class State : std::uint8_t { kMissing, kValue, kFailed, kPending };

  State state = State::kMissing;
  bson::ValueView borrowed;
  bson::Value owned;  // instead of `borrowed` when the value had to be made

  bson::ValueView view() const { return owned.is_missing() ? borrowed : owned.view(); }

  static Resolved of(bson::ValueView value) {
    if (value.is_missing()) return {};
    return {State::kValue, value, {}};
  }
  static Resolved made(bson::Value value) {
    if (value.is_missing()) return {};
    return {State::kValue, {}, std::move(value)};
  }
  static Resolved failed() { return {State::kFailed, {}, {}}; }
  static Resolved pending() { return {State::kPending, {}, {}}; }
};

// The one value that `path` leads to from `value`; the array of all of them when the path runs
// through an array.
Resolved follow(bson::ValueView value, std::span<const std::string> path, NameMatch match);

}  // namespace restitch::rules
