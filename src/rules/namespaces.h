#pragma once

#include <string_view>

namespace restitch::rules {

// Databases that end users never reach, whatever a rule says (spec: rules §1.1).
bool is_reserved_database(std::string_view database);
// Databases that nobody but the server itself reaches.
bool is_internal_database(std::string_view database);

}  // namespace restitch::rules
