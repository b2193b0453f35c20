#pragma once

#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/change_stream/resume_token.h"

namespace restitch::datasource::embedded {

// Largest event that is given as a whole.
inline constexpr std::size_t kMaxEventBytes = bson::kMaxInternalDocumentBytes - 8 * 1024;

Error event_too_large(std::size_t bytes);

// Cuts an event that is too large for one document into fragments between its top-level fields,
// smallest fields first; each has `_id` of its own and `splitEvent: {fragment, of}`. One fragment
// without splitEvent when it fits. 10334 when a field alone is too large.
Result<std::vector<bson::Document>> split_event(bson::Document event, const ResumeToken& token);

}  // namespace restitch::datasource::embedded
