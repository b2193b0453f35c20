#pragma once

#include <vector>

#include "schema/compiled.h"
#include "schema/schema.h"

namespace restitch::schema {

// All violations of the document, in document order.
std::vector<Violation> find_violations(const CompiledSchema& schema, bson::View document,
                                       const ValidationSettings& settings);

}  // namespace restitch::schema
