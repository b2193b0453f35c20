#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace restitch::bench {

// The parts of one complete answer that a load test looks at; the view points into the given bytes.
struct FramedResponse {
  int status = 0;
  std::string_view body;
  std::size_t total_bytes = 0;
};

// Finds one answer at the start of `received`; nothing while it is incomplete. Only answers with a
// Content-Length (or a status that forbids a body) are understood: std::runtime_error for any
// other, because a driver that guessed the end of an answer would measure something else.
std::optional<FramedResponse> frame_response(std::string_view received);

}  // namespace restitch::bench
