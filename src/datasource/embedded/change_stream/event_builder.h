#pragma once

#include <optional>

#include "bson/document.h"
#include "datasource/embedded/change_stream/log_entry.h"
#include "datasource/embedded/change_stream/resume_token.h"
#include "datasource/embedded/change_stream/stream_options.h"

namespace restitch::datasource::embedded {

// Documents that an event shows besides what its entry holds. A null value is shown as null;
// nothing leaves the field out.
struct EventImages {
  std::optional<bson::Value> full_document;
  std::optional<bson::Value> before_change;
};

// The event of a change, its fields in MongoDB's order (spec: mongodb-engine §12).
bson::Document build_event(const LogEntry& entry, const StreamOptions& options,
                           const bson::Document& token, const EventImages& images);
// The event that ends a stream because of this change.
bson::Document build_invalidate_event(const LogEntry& entry, const bson::Document& token);
// Whether the change ends a stream of the scope.
bool invalidates(const LogEntry& entry, const StreamScope& scope);

}  // namespace restitch::datasource::embedded
