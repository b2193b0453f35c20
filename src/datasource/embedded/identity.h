#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// What stays the same, or only grows, over the starts of a cluster.
struct ClusterIdentity {
  // Of the election that made this node the primary. Grows at every start, also when the data are
  // those of an older backup: it is never below the seconds of the clock at the start.
  std::int64_t term = 0;
  std::string secret;  // 32 random bytes, known to nobody else
};

// Begins a new term and stores it. When it cannot be stored (a full disk), the start goes on with
// a term that is kept in memory only.
Result<ClusterIdentity> begin_term(storage::Engine& engine);

}  // namespace restitch::datasource::embedded
