#pragma once

#include <cstddef>
#include <memory>

#include "runtime/blocking_pool.h"

namespace restitch::runtime {

// How far threads stand back for others of the process (nice values): the event loops keep 0.
inline constexpr int kNiceOfReads = 4;    // somebody waits for one document, or scans a million
inline constexpr int kNiceOfHashes = 10;  // tens of milliseconds each

// A pool whose threads get the processor after those of lower nice values: what computes for long
// does not delay the answers that take microseconds.
std::unique_ptr<BlockingPool> make_background_pool(std::size_t threads, std::size_t queue_limit, int nice);

}  // namespace restitch::runtime
