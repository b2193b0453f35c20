#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::bson {

struct ValidateOptions {
  std::size_t max_size = kMaxInternalDocumentBytes;
  int max_depth = 200;
};

// Checks untrusted bytes: lengths, terminators, known types, UTF-8 of names and strings, nesting,
// and that exactly one document fills them. After this, View and ValueView may be used on the bytes
// without further checks. Errors carry MongoDB code 22 (InvalidBSON), or 15 when nested too deeply.
Status validate(std::string_view bytes, const ValidateOptions& options = {});

// Validates and takes ownership.
Result<Document> checked_document(std::string bytes, const ValidateOptions& options = {});

}  // namespace restitch::bson
