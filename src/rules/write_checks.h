#pragma once

#include <optional>
#include <vector>

#include "bson/document.h"
#include "rules/user_request.h"

namespace restitch::rules {

enum class WriteKind : std::uint8_t { kInsert, kUpdate, kDelete };

// kPermissionDenied with the client's text ("insert not permitted", …).
Error write_denied(WriteKind kind);

// Refuses changes to the fields that are reserved (spec: rules §8). `before` may be the empty
// document.
Status check_reserved_fields(bson::View before, bson::View after);
// Whether an update mentions one of them anywhere.
bool mentions_reserved_field(bson::ValueView update);

// What a document to be stored violates of the schema or, when nothing, of validate expressions.
Task<std::vector<schema::Violation>> schema_violations(UserRequest& request, bson::View after,
                                                       std::optional<bson::View> before);
// Schema and validate expressions on a document to be stored. kSchemaValidation with the text of a
// denied write; the violations are in the error's detail.
Task<void> check_schema(UserRequest& request, WriteKind kind, bson::View after,
                        std::optional<bson::View> before);
// The same for a document to be deleted, which only validate expressions see.
Task<std::vector<schema::Violation>> deletion_violations(UserRequest& request, bson::View document);
// Validate expressions alone, for a document to be deleted.
Task<void> check_deletion(UserRequest& request, bson::View document);

// Whether a role allows the new document.
Task<bool> is_insert_allowed(UserRequest& request, bson::View document);

// The MongoDB error of a write to documents that the user sees in part only: without the values it
// may quote.
Error without_values(const Error& error);

}  // namespace restitch::rules
