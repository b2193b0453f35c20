#pragma once

#include <atomic>
#include <cstdint>

namespace restitch::query {

// How much a command may do on the caller's thread before it has to move to one that may be busy,
// and whether it has been told to end.
struct WorkBudget {
  std::int64_t left = INT64_MAX;
  const std::atomic<int>* interrupt = nullptr;  // not zero: the code to end with

  int interrupted() const {
    return interrupt == nullptr ? 0 : interrupt->load(std::memory_order_relaxed);
  }

  // False when it is used up.
  bool spend(std::int64_t units = 1) { return (left -= units) >= 0; }
};

}  // namespace restitch::query
