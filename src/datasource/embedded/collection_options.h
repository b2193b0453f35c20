#pragma once

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/fields.h"
#include "datasource/embedded/namespace.h"

namespace restitch::datasource::embedded {

// Checks the options of `create` and brings them into the form that is stored and listed (spec:
// mongodb-engine §5).
Result<bson::Document> parse_create_options(const Namespace& ns, bson::View command);
// Checks `changeStreamPreAndPostImages` of create and collMod and gives its `enabled`; false when
// it is absent.
Result<bool> check_image_option(const Namespace& ns, const Fields& fields);
// The bytes that a capped collection of the asked size may hold.
std::int64_t rounded_capped_size(std::int64_t size);
// Checks a validator: no operators that it must not use, compiles.
Status check_validator(const Namespace& ns, bson::View validator);

}  // namespace restitch::datasource::embedded
