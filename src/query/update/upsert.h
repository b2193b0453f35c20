#pragma once

#include "base/result.h"
#include "bson/document.h"
#include "query/filter/filter.h"

namespace restitch::query {

// The fields that an upsert takes from its query: those that the filter fixes to one value, in
// string order of their paths. Errors 54, 111, 224.
Result<bson::Document> document_from_query(const Filter& filter);
// The value of _id among them; missing if the query does not fix it.
Result<bson::Value> id_from_query(const Filter& filter);

}  // namespace restitch::query
