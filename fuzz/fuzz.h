#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"

// A target defines this function. Broken promises end the program through RESTITCH_ASSERT.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace restitch::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace restitch::fuzz
