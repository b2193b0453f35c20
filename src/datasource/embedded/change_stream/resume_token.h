#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/change_stream/log_entry.h"

namespace restitch::datasource::embedded {

// A place in a stream of events, as clients keep it: {_data: "<upper-case hex>"}. The texts order
// like the events.
//
//   be64 cluster time | version | kind: 0 high-water mark, 128 event | be32 index in the
//   transaction | 1 if of an invalidate event | 0, or 1 and 16 bytes: UUID of the collection | 8
//   bytes: hash of operation and key | be32 number of the fragment + 1, 0 when the event is whole
//
// In a high-water mark everything behind the kind is zero.
struct ResumeToken {
  bson::Timestamp time;
  bool is_event = false;
  std::uint32_t index = 0;
  bool is_invalidate = false;
  std::string uuid;  // 16 bytes or none
  std::uint64_t identity = 0;
  std::optional<std::uint32_t> fragment;

  // Events of this time or later follow.
  static ResumeToken high_water_mark(bson::Timestamp time);
  static ResumeToken of(const LogEntry& entry, bool is_invalidate);
  // Errors as MongoDB's: 40647, 9, 260.
  static Result<ResumeToken> parse(bson::View token);

  LogPosition position() const { return {time, index}; }
  // Whether the event that the token names is one of this entry.
  bool names(const LogEntry& entry) const;
  bson::Document document() const;
};

}  // namespace restitch::datasource::embedded
