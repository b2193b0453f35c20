#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/change_stream/log_entry.h"
#include "datasource/embedded/change_stream/resume_token.h"
#include "datasource/embedded/namespace.h"

namespace restitch::datasource::embedded {

enum class FullDocument : std::uint8_t { kDefault, kUpdateLookup, kWhenAvailable, kRequired };
enum class BeforeChange : std::uint8_t { kOff, kWhenAvailable, kRequired };

// A $changeStream stage, checked.
struct StreamOptions {
  StreamScope scope;
  FullDocument full_document = FullDocument::kDefault;
  BeforeChange before_change = BeforeChange::kOff;
  bool shows_expanded_events = false;
  std::optional<ResumeToken> resume;        // resumeAfter or startAfter
  std::optional<bson::Timestamp> start_at;  // startAtOperationTime
};

// Reads the stage of an aggregate on `ns` (collection empty for aggregate: 1). Errors: 14, 2,
// 40415, 40674, 50865, 72, 73, 260 and those of ResumeToken::parse.
Result<StreamOptions> parse_stream_options(const Namespace& ns, bson::ValueView stage);

}  // namespace restitch::datasource::embedded
