#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"
#include "query/filter/filter.h"

namespace restitch::query {

enum class UpdateStyle : std::uint8_t { kOperators, kReplacement, kPipeline };

struct UpdateOptions {
  bool multi = false;                   // a replacement is refused (9)
  bson::View array_filters;             // the arrayFilters array; the empty document if none
  bson::View constants;                 // `c` of a pipeline update
  bool keeps_empty_timestamps = false;  // a replacement's Timestamp(0, 0) is stored as it is
};

// What one update did to one document.
struct Updated {
  bson::Document document;  // post-image, equal to the pre-image when nothing changed
  bool modified = false;    // the bytes differ
  // For change events (spec: mongodb-engine §12): {updatedFields, removedFields, truncatedArrays}.
  // Empty when the event is a replace (replacement style, or a diff as large as the document), see
  // `is_replace`.
  bson::Document description;
  bool is_replace = false;
  // `disambiguatedPaths` of the description, for streams with showExpandedEvents; {} when nothing
  // is ambiguous.
  bson::Document disambiguated_paths;
};

// A compiled update (spec: mongodb-engine §8). Immutable, thread-safe.
class Update {
 public:
  // `update` is the `u` member: object (operators or replacement) or array (pipeline). Codes and
  // texts are MongoDB's. `context` must outlive the update.
  static Result<Update> compile(bson::ValueView update, const CommandContext& context,
                                const UpdateOptions& options);

  UpdateStyle style() const;

  // Applies to a matched document; `details` carries the positional match. _id is immutable (66).
  Result<Updated> apply(bson::View document, const MatchDetails& details) const;

  // The document an upsert inserts when nothing matched: equality fields of `filter`, then this
  // update with $setOnInsert; _id first, generated if absent.
  Result<bson::Document> upsert_document(const Filter& filter, bson::View query) const;

  struct Impl;

 private:
  std::shared_ptr<const Impl> impl_;
};

// Checks common to insert and update on a document about to be stored: _id kind (53), `$`-names
// inside _id (52), duplicate _id (2), depth (15), size (`too_large_code`). Adds a generated _id in
// front, or moves the present one there, and replaces top-level Timestamp(0,0). Returns the
// document to store.
Result<bson::Document> prepare_for_insert(bson::View document, bson::Timestamp now);

}  // namespace restitch::query
