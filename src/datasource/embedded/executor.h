#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "datasource/embedded/index_scan.h"
#include "datasource/embedded/planner.h"
#include "query/context.h"
#include "query/filter/filter.h"
#include "query/sort.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

using query::WorkBudget;

struct ExecutorOptions {
  const query::Filter* filter = nullptr;
  const query::SortPattern* sort = nullptr;  // may be null
  const query::CommandContext* context = nullptr;
  std::int64_t skip = 0;
  std::optional<std::int64_t> limit;
  bool needs_match_details = false;
  // Only the number of results matters: documents are not fetched where the index decides.
  bool counts_only = false;
};

// How a command has read: for the log of slow ones.
struct ExecutionSummary {
  // Up to then the plan's text is not worth its making.
  std::chrono::steady_clock::time_point slow_after = std::chrono::steady_clock::time_point::max();
  std::string plan;
  std::uint64_t keys_examined = 0, documents_examined = 0;
  std::int64_t returned = 0;

  void add(const QueryPlan& chosen, const class PlanExecutor& executor);
};

// Runs a plan: a stream of records that match, in order. What it refers to (plan, options' objects)
// must outlive it. It reads through the reader of attach(); between detach() and the next attach()
// it holds no storage resources and may go on with another state of the data. Errors: kWouldBlock
// with ReadTier::kCacheOnly: make a new executor then; kWouldBlock when the budget is used up: it
// may go on with another; 50, 292, and those of expressions.
class PlanExecutor {
 public:
  PlanExecutor(const Collection* collection, const QueryPlan& plan, const ExecutorOptions& options);

  void attach(const storage::Reader& reader, storage::ReadTier tier, WorkBudget* budget = nullptr);
  void detach();

  Result<bool> next();
  // Of the current result; valid until the next call. With counts_only it may be empty.
  bson::View document() const { return current_; }
  storage::RecordId record() const { return record_; }
  const query::MatchDetails& match_details() const { return details_; }

  // The results of a sort are all in memory: no reading is left to do.
  bool is_sorted() const { return is_sorted_; }
  std::uint64_t keys_examined() const;
  std::uint64_t documents_examined() const { return documents_examined_; }
  std::uint64_t works() const { return works_; }
  // Documents that passed the filter, before skip and limit.
  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t duplicates() const { return duplicates_; }
  std::uint64_t sorted_bytes() const { return total_sorted_bytes_; }
  const std::vector<IndexReader>& index_readers() const { return index_readers_; }

  // Plans of one index scan: passes over the documents with the present values of the first fields.
  Status skip_equal(std::size_t fields) { return index_readers_.front().skip_equal(fields); }

 private:
  struct Sorted {
    std::string key;
    std::uint64_t sequence = 0;
    storage::RecordId record = 0;
    bson::Document document;
    query::MatchDetails details;
  };

  Result<bool> next_unsorted();
  Result<bool> next_id_lookup();
  Result<bool> next_scanned();
  Result<bool> next_indexed();
  // Moves to the next index entry in the order of the plan; false at the end. `at` is its reader.
  Result<bool> next_entry(std::size_t& at);
  Result<bool> next_merged(std::size_t& at);
  Status fill_head(std::size_t at);
  bool comes_before(std::size_t a, std::size_t b) const;
  Result<bool> fetch(storage::RecordId record);
  Result<bool> take_fetched(storage::RecordId record);
  Result<bool> accepts();
  Status spend();
  Status collect_sorted();
  void add_sorted(Sorted entry, std::size_t keep);
  void rebuild_from_key(const IndexReader& reader);

  const Collection* collection_;
  const QueryPlan& plan_;
  ExecutorOptions options_;
  const storage::Reader* reader_ = nullptr;
  storage::ReadTier tier_ = storage::ReadTier::kAll;
  WorkBudget* budget_ = nullptr;

  std::unique_ptr<storage::RecordCursor> cursor_;
  std::vector<IndexReader> index_readers_;
  std::size_t branch_ = 0;
  // kSortMerge: per reader the rest of its key that orders it, while it has an entry to give.
  struct Head {
    bool is_filled = false, has_ended = false;
    std::string_view order;
  };
  std::vector<Head> heads_;
  std::unordered_set<storage::RecordId> seen_;
  bool is_done_ = false;
  bool has_scanned_ = false;

  std::vector<Sorted> sorted_;
  std::size_t sorted_at_ = 0;
  std::uint64_t sequence_ = 0;
  std::int64_t sorted_bytes_ = 0;
  bool is_sorted_ = false;

  std::string fetched_;
  bson::Document rebuilt_;
  bson::View current_;
  storage::RecordId record_ = 0;
  query::MatchDetails details_;
  std::int64_t to_skip_ = 0;
  std::int64_t given_ = 0;
  std::uint64_t documents_examined_ = 0, works_ = 0, accepted_ = 0, duplicates_ = 0;
  std::uint64_t total_sorted_bytes_ = 0;
};

}  // namespace restitch::datasource::embedded
