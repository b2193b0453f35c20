#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bson/view.h"

namespace restitch::schema {

// A set of type names of the dialect. A schema lists names; a value carries the names that accept
// it; it is of a right type if both sets meet.
using TypeSet = std::uint32_t;

// The set of one name of `bsonType`, or of `type` (which has fewer names); nothing for an unknown
// name.
std::optional<TypeSet> types_of_bson_type(std::string_view name);
std::optional<TypeSet> types_of_type(std::string_view name);

// The names that accept the value.
TypeSet types_of(bson::ValueView value);

// The same as text for messages, e.g. "int long number mixed".
std::string_view names_of(bson::ValueView value);

inline constexpr TypeSet kObjectType = 1U << 0U;

}  // namespace restitch::schema
