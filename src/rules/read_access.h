#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bson/document.h"
#include "rules/bound_rules.h"

namespace restitch::rules {

// Names of the fields that the hosted service put on documents (spec: rules §8): never shown, never
// written.
bool is_reserved_field(std::string_view name);
bool has_reserved_field(bson::View document);
bson::Document without_reserved_fields(bson::View document);

// The read decision for one stored document (spec: rules §3.1).
enum class ReadGrant : std::uint8_t { kNone, kWhole, kFields };

ReadGrant read_grant(BoundRules& rules, const RoleProgram& role, bson::View document);

// What the user may see of a stored document.
struct Sight {
  enum class Kind : std::uint8_t { kHidden, kWhole, kPart };

  Kind kind = Kind::kHidden;
  bson::Document part;  // kPart
};

// The decision and, where only some fields are readable, the redacted document. `for_search`
// demands the role's `search` permission in addition.
Sight look_at(BoundRules& rules, bson::View document, bool for_search = false);
// The same under a known role.
Sight look_at(BoundRules& rules, const RoleProgram& role, bson::View document,
              bool for_search = false);

}  // namespace restitch::rules
