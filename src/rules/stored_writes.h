#pragma once

#include <cstdint>
#include <vector>

#include "bson/document.h"
#include "rules/user_request.h"

namespace restitch::rules {

// One decided change of a stored document.
struct StoredWrite {
  bson::Document before;  // empty for an insert
  bson::Document after;   // empty for a deletion
  bool replaces = false;  // an update that was asked for as a replacement
};

// Carries out decided writes. Inside a transaction each is guarded by its _id, as the transaction
// keeps the document from changing; without one each is guarded by the whole document as it was
// read, and what was done is undone when a later one fails. kWriteConflict: a document has changed;
// read and decide again.
Task<void> carry_out(UserRequest& request, const std::vector<StoredWrite>& writes);

// Runs `body` in the request's transaction; else in one of its own, again after a conflict; else,
// where the source has no transactions, again while documents change under it.
using AtomicBody = Task<bson::Value> (*)(UserRequest& request);
Task<bson::Value> run_atomically(UserRequest& request, AtomicBody body);

}  // namespace restitch::rules
