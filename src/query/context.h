#pragma once

#include <chrono>
#include <cstdint>

#include "bson/document.h"
#include "query/comparator.h"
#include "query/work_budget.h"

namespace restitch::query {

// What a command fixes for everything compiled and evaluated in it. Kept by reference in compiled
// objects: it must outlive them.
struct CommandContext {
  Comparator comparator;
  bson::Date now;                                   // $$NOW: one value for the whole command
  bson::Timestamp cluster_time;                     // $$CLUSTER_TIME; zero if unknown
  bson::Document let;                               // command-level `let`: names to constant values
  std::int64_t memory_limit = 100LL * 1024 * 1024;  // bytes a blocking stage may hold
  // Steady-clock time after which long work gives up with 50 MaxTimeMSExpired; max() = none.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  // Of the command, for as long as it works with this; null: it may do what it wants.
  WorkBudget* budget = nullptr;

  bool expired() const {
    return deadline != std::chrono::steady_clock::time_point::max() &&
           std::chrono::steady_clock::now() > deadline;
  }
};

}  // namespace restitch::query
