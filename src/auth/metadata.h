#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::auth {

// The metadata of a user from what a provider says: `fields` are the provider's metadata_fields
// {name, field_name?, required?}; `name` is a dotted path in which "\." is a plain dot (spec:
// client-api §7.1). kInvalidSession when a required one is missing or a text is longer than 4,096
// characters.
Result<bson::Document> map_metadata(const std::vector<bson::Document>& fields, bson::View claims);

}  // namespace restitch::auth
