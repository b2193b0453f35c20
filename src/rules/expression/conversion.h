#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bson/document.h"

namespace restitch::rules {

// %stringToOid and its kin (spec: rules §5.5).
enum class Conversion : std::uint8_t { kStringToOid, kOidToString, kStringToUuid, kUuidToString };

// From the operator with its percent sign.
std::optional<Conversion> conversion_from_name(std::string_view name);

// Nothing when the value is of the wrong type or form.
std::optional<bson::Value> convert(Conversion conversion, bson::ValueView value);

}  // namespace restitch::rules
