#pragma once

#include <memory>
#include <optional>

#include "query/filter/filter.h"
#include "query/update/update.h"
#include "rules/stored_writes.h"
#include "rules/user_request.h"

namespace restitch::rules {

// An update of a request, ready to be applied to documents. Refers to the request.
class UpdateProgram {
 public:
  static Result<UpdateProgram> compile(UserRequest& request);

  bool is_replacement() const { return update_.style() == query::UpdateStyle::kReplacement; }

  // What a stored document becomes.
  Result<query::Updated> apply(bson::View before) const;
  // The document that an upsert inserts, complete with an _id.
  Result<bson::Document> new_document(UserRequest& request) const;

 private:
  UpdateProgram(query::Filter filter, query::Update update)
      : filter_(std::move(filter)), update_(std::move(update)) {}

  query::Filter filter_;
  query::Update update_;
};

// What is to happen with one stored document.
struct WriteStep {
  enum class Kind : std::uint8_t { kSkip, kKeep, kChange, kRefuse };

  Kind kind = Kind::kSkip;
  bson::Document after;        // kChange; empty for a deletion
  std::optional<Error> error;  // kRefuse
  bool shows_values = false;   // the user sees the whole document, so error texts may quote it

  static WriteStep of(Kind kind) {
    WriteStep step;
    step.kind = kind;
    return step;
  }
  static WriteStep refuse(Error error) {
    WriteStep step = of(Kind::kRefuse);
    step.error = std::move(error);
    return step;
  }
};

// The decision about one document that the request's query matches; with `program` null about its
// deletion. Means nothing while the rules have something pending.
WriteStep decide_write(UserRequest& request, const UpdateProgram* program, bson::View document);

// What an update, replacement, upsert or deletion has done.
struct WriteOutcome {
  std::int64_t matched = 0;  // without an upserted document
  std::int64_t modified = 0;
  std::optional<bson::Document> before, after;  // of a single document
  bool is_upsert = false;
};

// Decides, checks and carries out an update, or with `program` null a deletion, of the documents
// that the request's query matches: of all of them or of the first that the user may reach. To be
// run atomically.
Task<WriteOutcome> write_matching(UserRequest& request, const UpdateProgram* program, bool multi);

}  // namespace restitch::rules
