#pragma once

#include <string>

#include "bson/document.h"

namespace restitch::bson {

// Plain JSON without type wrappers, as endpoints answer it and events carry it (spec: functions §9):
// ids and Decimal128 as strings, dates as ISO text, binary data as {Subtype, Data}. Loses types on
// purpose.
std::string to_plain_json(ValueView value);

}  // namespace restitch::bson
