#pragma once

#include <atomic>
#include <string_view>

// Named places at which a test kills the process, to see that what lies on the disk at that moment
// is enough. Armed by RESTITCH_KILL_POINT=NAME or NAME:COUNT in the environment, where COUNT says
// which visit is fatal (default: the first). One relaxed load when nothing is armed.
namespace restitch::kill_point {

// Reads the environment. Once, before other threads start.
void arm_from_environment();

namespace detail {
extern std::atomic<bool> is_armed;
void visit(std::string_view name);
}  // namespace detail

// Ends the process with SIGKILL when this point is armed.
inline void reach(std::string_view name) {
  if (detail::is_armed.load(std::memory_order_relaxed)) detail::visit(name);
}

}  // namespace restitch::kill_point
