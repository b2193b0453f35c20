#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/data_source.h"
#include "datasource/embedded/caller.h"
#include "datasource/embedded/catalog_view.h"
#include "datasource/embedded/collection.h"
#include "datasource/embedded/executor.h"
#include "datasource/embedded/fields.h"
#include "datasource/embedded/namespace.h"
#include "datasource/embedded/operation_table.h"
#include "datasource/embedded/sessions.h"
#include "query/context.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

struct CommandSpec;
struct Services;

// Which state a command asks to read (spec: mongodb-engine §3.1).
struct ReadConcern {
  bool is_snapshot = false;
  std::optional<bson::Timestamp> after;  // afterClusterTime
  std::optional<bson::Timestamp> at;     // atClusterTime
};

struct User;

// One command while it runs: its request, where it reads and writes, and what its error needs
// besides the Error.
struct Operation {
  Services& services;
  const CommandSpec* spec = nullptr;
  std::string database;
  bson::Document command;
  Deadline deadline = kNoDeadline;
  bool may_write_system_collections = false;
  CallerPtr caller;                                // null: the server itself
  std::shared_ptr<const User> user;  // who has signed in, the first of several; null: nobody
  bool has_committed = false;                      // something was written durably
  std::optional<std::vector<std::string>> labels;  // instead of those the error would get
  SessionRequest session_request;
  SessionTable::Guard session;
  ReadConcern read_concern;

  storage::ReadTier tier = storage::ReadTier::kAll;
  WorkBudget budget;
  bson::Document error_extra;  // members added to an error reply or write error
  storage::Durability durability = storage::Durability::kJournaled;
  bson::Document write_concern_error;  // what the reply says about an unsatisfiable write concern
  std::optional<Error> injected_failure;  // a fail point keeps the writes from being committed
  bool is_change_stream = false;          // a getMore of a change stream
  bool must_abort_transaction =
      false;  // a write error has ended the transaction although the reply is ok: 1

  ExecutionSummary summary;
  OperationEntry entry;  // the last member but the private ones: leaves the table first

  explicit Operation(Services& owner) : services(owner) { budget.interrupt = &entry.interrupt(); }

  bool in_transaction() const { return session_request.in_transaction(); }
  Fields fields() const;
  // Value of the command's first field: usually the collection's name.
  bson::ValueView target() const { return command.view().begin()->value; }
  Result<std::string> collection_name() const;
  Result<Namespace> target_namespace() const;

  // The transaction, or the newest durable state: one for the whole command unless refreshed.
  const storage::Reader& reader();
  storage::SnapshotPtr snapshot();
  void refresh_snapshot() {
    if (!is_pinned_) snapshot_.reset();
  }
  // Reads this state, whatever is written meanwhile: a snapshot read outside transactions.
  void pin(storage::SnapshotPtr snapshot) {
    snapshot_ = std::move(snapshot);
    is_pinned_ = true;
  }
  // Null unless one was pinned.
  storage::SnapshotPtr pinned() const { return is_pinned_ ? snapshot_ : nullptr; }

  // The collections that this command sees.
  CatalogView catalog_view();
  Result<CollectionPtr> find_collection(std::string_view db, std::string_view collection) {
    return catalog_view().find(db, collection);
  }

  // Where writes go: the transaction, or a unit of this command's own, made when it is first asked
  // for.
  WriteUnit& unit();
  // Gives the own unit to be committed, with the session's row when statements were recorded since.
  std::unique_ptr<WriteUnit> take_own_unit();
  // The session's record of executed statements has changed and belongs to this unit's commit.
  void note_executed_statement() { session_row_due_ = true; }
  bool has_own_writes() const { return own_unit_ && own_unit_->has_writes(); }

  // On the caller's thread the work must not wait: it moves on to another thread when asked to.
  WorkBudget* inline_budget() {
    if (tier != storage::ReadTier::kCacheOnly) budget.left = INT64_MAX;
    return &budget;
  }
  Status check_deadline() const;
  // What it has been told to end with, if it has.
  Status check_interrupt() const;
  // Context for filters and the like: now, deadline, budget, collation of the request or else of
  // the collection, `let`. One that outlives the operation has to forget its budget.
  Status fill_context(query::CommandContext& context, const Collection* collection);

 private:
  storage::SnapshotPtr snapshot_;
  bool is_pinned_ = false;
  std::unique_ptr<WriteUnit> own_unit_;
  bool session_row_due_ = false;
};

// `collation` of a request or statement; the collection's when there is none.
Result<query::Comparator> comparator_of(bson::ValueView collation, const Collection* collection);

}  // namespace restitch::datasource::embedded
