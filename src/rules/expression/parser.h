#pragma once

#include <optional>
#include <string>

#include "app/config.h"
#include "bson/document.h"
#include "rules/expression.h"
#include "rules/expression/tree.h"

namespace restitch::rules {

// Where a parser reports what it finds.
struct ParsePlace {
  Place place = Place::kRole;
  const std::string& file;
  app::Findings& findings;
};

// Reads an expression (spec: rules §5.1). Nothing when errors were found.
std::optional<ExpressionProgram> parse_expression(bson::ValueView expression,
                                                  const std::string& pointer,
                                                  const ParsePlace& place);

// Reads a value in which expansions, conversions and, when allowed, function calls may stand.
// `slots` counts the slots given out. Nothing when errors were found.
std::optional<Operand> parse_operand(bson::ValueView value, const std::string& pointer,
                                     const ParsePlace& place, int& slots);

// Appends "/name" with JSON pointer escapes.
std::string below(const std::string& pointer, std::string_view name);

}  // namespace restitch::rules
