#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/operation.h"
#include "datasource/embedded/plan_choice.h"
#include "datasource/embedded/record_writer.h"
#include "query/filter/filter.h"
#include "query/update/update.h"

namespace restitch::datasource::embedded {

// A writing command as a sequence of steps on the operation's write unit. Between two steps the
// dispatcher commits what has been written (outside transactions), waits, creates the collection or
// moves to another thread.
class WriteCommand {
 public:
  enum class Step : std::uint8_t {
    kFinished,          // everything done: commit and reply
    kCommit,            // commit what there is and go on
    kConflict,          // another writer is in the way: commit what there is, wait a little, go on
    kCreateCollection,  // the collection is missing: create it and go on
  };

  explicit WriteCommand(Operation& operation, Namespace ns)
      : operation_(operation), ns_(std::move(ns)), full_name_(ns_.full()) {}
  virtual ~WriteCommand() = default;

  // An Error ends the command: what the unit holds is dropped, what was committed before stays.
  // kWouldBlock asks to be called again on a thread that may wait.
  virtual Result<Step> step() = 0;
  // The reply without `ok`.
  virtual bson::Document reply() = 0;
  // Whether it is known to be too much work for the caller's thread.
  virtual bool is_large() const { return false; }

  const Namespace& ns() const { return ns_; }

 protected:
  // The collection to write, pinned in the present unit; null if there is none. Error 166 for a
  // view.
  Result<const Collection*> pin_collection();
  // 166 for a view, 263 for a capped collection in a transaction.
  Status check_kind(const Collection& collection) const;
  bool is_due() const;  // the unit is large enough to be committed
  // Results of statements that a retry finds done already (spec: mongodb-engine §3.3); null if
  // there are none.
  const bson::Document* executed(std::int32_t statement) const;
  void record_executed(std::int32_t statement, bson::Document result);
  void meet_fail_point();
  std::int32_t statement_id(std::size_t index) const;

  Operation& operation_;
  Namespace ns_;
  std::string full_name_;

 private:
  mutable bool counts_as_retried_ = false;
};

// A command of a list of statements: counts, write errors, order.
class BatchWriteCommand : public WriteCommand {
 public:
  using WriteCommand::WriteCommand;

  Result<Step> step() final;
  bson::Document reply() override;

 protected:
  // Reads the options all batch commands share.
  Status read_options(std::string_view statements_field);
  // Works on statement `index`. kFinished: it is done. An Error is its write error.
  virtual Result<Step> run_statement(std::size_t index) = 0;
  // Forgets what run_statement keeps of a statement that is over.
  virtual void end_statement() {}
  virtual void append_results(bson::Builder& reply) = 0;

  std::vector<bson::View> statements_;
  bool is_ordered_ = true;
  bool bypasses_validation_ = false;
  bool keeps_empty_timestamps_ = false;
  std::int64_t count_ = 0;  // n of the reply
  std::vector<std::int32_t> retried_;

 private:
  // Records a write error; false when the command has to end with it.
  Result<bool> add_write_error(std::size_t index, const Error& error);

  std::size_t at_ = 0;
  std::vector<bson::Document> write_errors_;
};

// The documents one update, delete or findAndModify is about.
class TargetQuery {
 public:
  // `query`, `sort`, `collation` and `hint` are kept as views: the command owns them.
  Status compile(Operation& operation, const Collection* collection, bson::View query,
                 bson::ValueView collation, bool allow_expr);
  Status set_sort(bson::View sort);
  void set_hint(bson::ValueView hint) { hint_ = hint; }

  const query::Filter& filter() const { return *filter_; }
  query::CommandContext& context() { return context_; }
  bson::View query() const { return query_; }

  struct Target {
    storage::RecordId record = 0;
    std::string bytes;  // of the locked record
    query::MatchDetails details;

    bson::View document() const {
      return bson::View(reinterpret_cast<const std::uint8_t*>(bytes.data()));
    }
  };
  // Locks the first document that still matches. kWriteConflict when another writer holds it.
  Result<std::optional<Target>> lock_first(Operation& operation, const Collection& collection);
  // Records that match in the state the operation reads.
  Result<std::vector<storage::RecordId>> find_all(Operation& operation,
                                                  const Collection& collection);
  // Locks one of them; nothing when it is gone or matches no longer.
  Result<std::optional<Target>> lock(Operation& operation, const Collection& collection,
                                     storage::RecordId record);
  Result<PlanChoice> plan(Operation& operation, const Collection& collection,
                          const storage::Reader& reader, std::optional<std::int64_t> limit);

 private:
  query::CommandContext context_;
  bson::View query_;
  std::optional<query::Filter> filter_;
  std::optional<query::SortPattern> sort_;
  bson::View sort_spec_;
  bson::ValueView hint_;
};

// Whether an insert that met a duplicate on `index` may be tried again as an update of the document
// that won: the query is an equality on exactly the index's fields.
bool is_equality_on(const Index& index, const query::Filter& filter);

// {code, errmsg, …extra}: the members of a write error or error reply.
void append_error(bson::Builder& builder, const Error& error, bson::View extra,
                  bool with_code_name);

}  // namespace restitch::datasource::embedded
