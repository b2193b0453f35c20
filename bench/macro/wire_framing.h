#pragma once

#include "bench/macro/request.h"

namespace restitch::bench {

// The framing of OP_MSG replies; the body is the reply's document, a success has ok: 1 and no
// writeErrors.
std::optional<FramedResponse> frame_op_msg(std::string_view received);

}  // namespace restitch::bench
