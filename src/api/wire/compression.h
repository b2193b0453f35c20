#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace restitch::api::wire {

// The algorithms of OP_COMPRESSED (spec: mongodb-engine §1), by their numbers on the wire.
enum class Compressor : std::uint8_t { kNone = 0, kSnappy = 1, kZlib = 2, kZstd = 3 };

// The names that are offered to clients.
std::span<const std::string_view> compressor_names();

// Nothing for a number that is not served.
std::optional<Compressor> compressor_of(std::uint8_t number);

std::string compress(Compressor compressor, std::string_view bytes);
// Exactly `size` bytes, which the caller has checked to be within its limits; nothing larger is
// allocated. An error when the bytes are damaged or hold another number of bytes.
Result<std::string> decompress(Compressor compressor, std::string_view bytes, std::size_t size);

}  // namespace restitch::api::wire
