#pragma once

#include "bench/macro/request.h"

namespace restitch::bench {

// The framing of HTTP/1.1; a success is a status of 2xx. Only answers with a Content-Length (or a
// status that forbids a body) are understood: std::runtime_error for any other, because a driver
// that guessed the end of an answer would measure something else.
std::optional<FramedResponse> frame_http(std::string_view received);

}  // namespace restitch::bench
