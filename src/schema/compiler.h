#pragma once

#include <string>
#include <vector>

#include "app/node.h"
#include "schema/compiled.h"
#include "schema/schema.h"

namespace restitch::schema {

// Reads the schema of a collection. Problems are reported at the node's place; the result is then
// not to be used. `validate` expressions are collected.
CompiledPtr compile_schema(const app::Node& root, std::vector<ValidateExpression>& validates);

}  // namespace restitch::schema
