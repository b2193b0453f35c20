#pragma once

#include <cstring>
#include <string_view>

#include "bson/view.h"

namespace restitch::bson {

struct ScopedCode {
  std::string_view code;
  View scope;
};

// The parts of a kCodeWithScope value: int32 total, int32 length of the code, code, NUL, scope.
inline ScopedCode scoped_code(ValueView value) {
  RESTITCH_DASSERT(value.type() == Type::kCodeWithScope);
  const std::string_view raw = value.raw();
  std::uint32_t size;
  std::memcpy(&size, raw.data() + 4, 4);
  return {raw.substr(8, size - 1),
          View(reinterpret_cast<const std::uint8_t*>(raw.data()) + 8 + size)};
}

}  // namespace restitch::bson
