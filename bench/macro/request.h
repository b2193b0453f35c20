#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace restitch::bench {

// A place in a request that the driver fills in before it sends the request: eight bytes, kText
// sixteen.
struct Stamp {
  enum class Kind : std::uint8_t {
    kKey,         // a number that no other request of any run has, in big-endian order
    kNumber,      // the same in little-endian order: a positive BSON int64
    kText,        // the same as hexadecimal digits
    kConnection,  // a number of the connection, the same for all its requests
  };
  std::size_t offset = 0;
  Kind kind = Kind::kKey;
};

// One request as it goes over the wire.
struct PreparedRequest {
  std::string bytes;
  std::string expect;  // what a right answer contains; empty: not checked
  std::vector<Stamp> stamps;
};

// The parts of one complete answer that a load test looks at; the views point into the given bytes.
struct FramedResponse {
  bool is_success = false;
  std::string_view whole;
  std::string_view body;
};

// Finds one answer at the start of `received`; nothing while it is incomplete. std::runtime_error
// for an answer of another protocol.
using Framing = std::optional<FramedResponse> (*)(std::string_view received);

}  // namespace restitch::bench
