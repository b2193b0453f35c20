#pragma once

#include <span>
#include <string>
#include <vector>

#include "query/expression/value_set.h"
#include "query/pipeline/stage.h"

namespace restitch::query {

// Values a local field offers for joining: arrays on the way and at the end are entered, a missing
// value is null.
void collect_local_values(bson::ValueView value, std::span<const std::string> path,
                          std::vector<bson::Value>& out);

// Values by which an equality query on the path finds the document (numeric components name array
// elements, too); what is missing counts as null.
void collect_foreign_values(bson::ValueView value, std::span<const std::string> path,
                            std::vector<bson::ValueView>& out);

// A query for documents whose field equals one of the values. Regular expressions are compared, not
// matched.
bson::Document equality_query(std::string_view field, std::span<const bson::Value* const> values,
                              const bson::Document& restriction);

inline bson::ValueView object_value(bson::View view) {
  return {bson::Type::kObject, view.data(), view.size()};
}

}  // namespace restitch::query
