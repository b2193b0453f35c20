#pragma once

#include <cstdint>

#include "base/result.h"
#include "query/context.h"

namespace restitch::query {

inline constexpr const char* kInterruptedText = "operation was interrupted";

// Ends long work that was told to end, that is too long for the caller's thread (kWouldBlock: to be
// done again on another), or whose command is past its deadline (50). To be called once a step of
// any loop that a client can make long; cheap, because only every 128th call of a thread looks at
// the clock.
inline Status check_interruption(const CommandContext& context) {
  constexpr std::uint32_t kInterval = 128;
  thread_local std::uint32_t steps = 0;
  if (WorkBudget* budget = context.budget; budget != nullptr) {
    if (const int code = budget->interrupted(); code != 0) {
      return mongo_error(code, kInterruptedText);
    }
    if (!budget->spend()) return Error(ErrorCode::kWouldBlock, "work budget used up");
  }
  if (++steps % kInterval == 0 && context.expired()) {
    return mongo_error(50, "operation exceeded time limit");
  }
  return {};
}

}  // namespace restitch::query
