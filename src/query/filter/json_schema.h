#pragma once

#include <memory>
#include <optional>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"

namespace restitch::query {

// MongoDB's $jsonSchema (spec: mongodb-engine §11). Immutable, thread-safe.
class JsonSchema {
 public:
  static Result<std::shared_ptr<const JsonSchema>> compile(bson::View schema,
                                                           const CommandContext& context);
  virtual ~JsonSchema() = default;
  virtual bool matches(bson::View document) const = 0;
  // The `details` member of errInfo for a document that does not match.
  virtual bson::Document explain_mismatch(bson::View document) const = 0;
};

}  // namespace restitch::query
