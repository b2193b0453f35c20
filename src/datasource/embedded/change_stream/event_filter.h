#pragma once

#include <bitset>
#include <vector>

#include "bson/document.h"
#include "datasource/embedded/change_stream/log_entry.h"
#include "query/filter/filter.h"

namespace restitch::datasource::embedded {

// The query that leads a stream's pipeline, taken apart so that as much as possible is decided
// before events are built and documents are looked up for them.
class EventFilter {
 public:
  EventFilter() { kinds_.set(); }
  // `context` must outlive the filter.
  static Result<EventFilter> make(bson::View query, const query::CommandContext& context);

  // Decided by the operation's type alone.
  bool may_match(ChangeKind kind) const { return kinds_[static_cast<std::size_t>(kind)]; }
  bool may_match_invalidate() const { return kinds_[kInvalidate]; }
  // The conditions that read neither fullDocument nor fullDocumentBeforeChange, on an event that
  // may lack them.
  bool has_conditions_without_images() const { return !without_images_.empty(); }
  Result<bool> matches_without_images(bson::View event) const;
  // All conditions that the operation's type does not decide.
  Result<bool> matches(bson::View event) const;

 private:
  static constexpr std::size_t kInvalidate = static_cast<std::size_t>(ChangeKind::kUnknown);

  Status add(bson::View condition, const query::CommandContext& context);

  std::bitset<kInvalidate + 1> kinds_;
  std::vector<bson::Document> specs_;  // what the filters were compiled from
  std::vector<query::Filter> without_images_, with_images_;
};

}  // namespace restitch::datasource::embedded
