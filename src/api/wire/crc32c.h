#pragma once

#include <cstdint>
#include <string_view>

namespace restitch::api::wire {

// CRC-32C (Castagnoli) as OP_MSG uses it: reflected, initial value and final exclusive-or all ones.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace restitch::api::wire
