#pragma once

namespace restitch {

// Prints the broken invariant and aborts. Reached by programmer errors only, never by user input.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace restitch

#define RESTITCH_ASSERT(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::restitch::assertion_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define RESTITCH_DASSERT(condition) static_cast<void>(0)
#else
#define RESTITCH_DASSERT(condition) RESTITCH_ASSERT(condition)
#endif
