#pragma once

#include <cstdint>
#include <string>

#include "bson/document.h"

namespace restitch::bson {

enum class WrapperOutcome : std::uint8_t {
  kNotWrapper,  // the object stands for itself
  kConverted,   // `type` and `bytes` hold the value
  kBad,         // a known wrapper of a wrong shape; `problem` says which
};

struct WrapperValue {
  Type type = Type::kMissing;
  std::string bytes;  // kept between calls, so that no call needs to allocate
  std::string problem;
};

// Interprets an object whose first name starts with `$` as an Extended JSON wrapper. The values
// inside have been interpreted already ({"$date":{"$numberLong":"1"}} arrives with an int64).
WrapperOutcome interpret_wrapper(View object, WrapperValue& out);

}  // namespace restitch::bson
