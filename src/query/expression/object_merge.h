#pragma once

#include <optional>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::query {

// What $mergeObjects does, one object after the other: later values win, fields keep the place of
// their first mention.
class ObjectMerge {
 public:
  // Null and missing are skipped; other values than objects are error 40400.
  Status add(bson::ValueView value);
  void add(bson::View object);
  bson::Document finish() && { return merged_ ? std::move(*merged_) : bson::Document(); }
  std::size_t size() const { return merged_ ? merged_->bytes().size() : 0; }

 private:
  std::optional<bson::Document> merged_;
};

}  // namespace restitch::query
