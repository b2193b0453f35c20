#include "datasource/embedded/executor.h"

#include <algorithm>

#include "bson/extended_json.h"
#include "bson/key_encoding.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/index_keys.h"
#include "query/interruption.h"

namespace restitch::datasource::embedded {

namespace {
constexpr std::uint64_t kDeadlineCheckInterval = 128;  // works
}

PlanExecutor::PlanExecutor(const Collection* collection, const QueryPlan& plan,
                           const ExecutorOptions& options)
    : collection_(collection), plan_(plan), options_(options), to_skip_(options.skip) {
  index_readers_.reserve(plan.scans.size());
  for (const IndexScan& scan : plan.scans) index_readers_.emplace_back(scan);
  if (plan.access == Access::kSortMerge) heads_.resize(plan.scans.size());
}

void PlanExecutor::attach(const storage::Reader& reader, storage::ReadTier tier,
                          WorkBudget* budget) {
  reader_ = &reader;
  tier_ = tier;
  budget_ = budget;
  if (plan_.access == Access::kSortMerge) {
    for (IndexReader& one : index_readers_) one.attach(reader, tier);
  } else if (branch_ < index_readers_.size()) {
    index_readers_[branch_].attach(reader, tier);
  }
  cursor_.reset();
}

void PlanExecutor::detach() {
  for (IndexReader& reader : index_readers_) reader.detach();
  cursor_.reset();
  reader_ = nullptr;
  budget_ = nullptr;
}

std::uint64_t PlanExecutor::keys_examined() const {
  std::uint64_t sum = plan_.access == Access::kIdLookup && documents_examined_ > 0 ? 1 : 0;
  for (const IndexReader& reader : index_readers_) sum += reader.keys_examined();
  return sum;
}

Status PlanExecutor::spend() {
  if (budget_ != nullptr && !budget_->spend()) {
    return Error(ErrorCode::kWouldBlock, "work budget used up");
  }
  if (budget_ != nullptr && budget_->interrupted() != 0) {
    return mongo_error(budget_->interrupted(), query::kInterruptedText);
  }
  if (works_++ % kDeadlineCheckInterval == 0 && options_.context != nullptr &&
      options_.context->expired()) {
    return mongo_error(code::kMaxTimeExpired, "operation exceeded time limit");
  }
  return {};
}

Result<bool> PlanExecutor::next() {
  if (options_.limit && given_ >= *options_.limit) return false;
  if (plan_.needs_sort) {
    if (!is_sorted_) RESTITCH_CHECK(collect_sorted());
    if (sorted_at_ == sorted_.size()) return false;
    Sorted& entry = sorted_[sorted_at_++];
    record_ = entry.record;
    details_ = entry.details;
    rebuilt_ = std::move(entry.document);
    current_ = rebuilt_;
    ++given_;
    return true;
  }
  for (;;) {
    RESTITCH_TRY(const bool found, next_unsorted());
    if (!found) return false;
    if (to_skip_ > 0) {
      --to_skip_;
      continue;
    }
    ++given_;
    return true;
  }
}

Result<bool> PlanExecutor::next_unsorted() {
  if (is_done_) return false;
  switch (plan_.access) {
    case Access::kNothing:
      return false;
    case Access::kIdLookup:
      return next_id_lookup();
    case Access::kCollectionScan:
      return next_scanned();
    case Access::kIndexScan:
    case Access::kIndexUnion:
    case Access::kSortMerge:
      return next_indexed();
  }
  return false;
}

Result<bool> PlanExecutor::next_id_lookup() {
  const Index& index = collection_->id_index();
  std::string key;
  append_index_value(index.fields.front(), index.collation.get(), plan_.id, key, nullptr);
  RESTITCH_TRY(const auto record,
               reader_->keyed_record(index.ident, key, collection_->ident, tier_, fetched_));
  is_done_ = true;
  if (!record) return false;
  return take_fetched(*record);
}

Result<bool> PlanExecutor::next_scanned() {
  for (;;) {
    if (!cursor_) {
      // Going on behind the record that was given out last.
      std::optional<storage::RecordId> from;
      if (has_scanned_) from = plan_.is_forward ? record_ + 1 : record_ - 1;
      cursor_ = reader_->records(collection_->ident, plan_.is_forward, tier_, from);
    }
    RESTITCH_CHECK(spend());
    RESTITCH_TRY(const bool found, cursor_->next());
    if (!found) {
      is_done_ = true;
      return false;
    }
    ++documents_examined_;
    has_scanned_ = true;
    record_ = cursor_->id();
    current_ = cursor_->document();
    RESTITCH_TRY(const bool accepted, accepts());
    if (accepted) return true;
  }
}

Result<bool> PlanExecutor::next_entry(std::size_t& at) {
  while (branch_ < index_readers_.size()) {
    RESTITCH_CHECK(spend());
    IndexReader& reader = index_readers_[branch_];
    RESTITCH_TRY(const IndexReader::Step step, reader.next());
    if (step == IndexReader::Step::kAgain) continue;
    if (step == IndexReader::Step::kEntry) {
      at = branch_;
      return true;
    }
    reader.detach();
    if (++branch_ < index_readers_.size()) index_readers_[branch_].attach(*reader_, tier_);
  }
  return false;
}

Status PlanExecutor::fill_head(std::size_t at) {
  IndexReader& reader = index_readers_[at];
  for (;;) {
    RESTITCH_CHECK(spend());
    RESTITCH_TRY(const IndexReader::Step step, reader.next());
    if (step == IndexReader::Step::kAgain) continue;
    heads_[at].has_ended = step == IndexReader::Step::kEnd;
    heads_[at].is_filled = !heads_[at].has_ended;
    break;
  }
  if (!heads_[at].is_filled) return {};
  std::string_view order = reader.key();
  for (std::size_t field = 0; field < plan_.merge_field; ++field) {
    RESTITCH_TRY(const std::size_t length,
                 bson::encoded_length(order, plan_.scans[at].index->fields[field].descending));
    order.remove_prefix(length);
  }
  heads_[at].order = order;
  return {};
}

bool PlanExecutor::comes_before(std::size_t a, std::size_t b) const {
  int order = heads_[a].order.compare(heads_[b].order);
  if (order == 0) {
    order = index_readers_[a].record() < index_readers_[b].record() ? -1 : 1;
  }
  return plan_.scans.front().is_forward ? order < 0 : order > 0;
}

Result<bool> PlanExecutor::next_merged(std::size_t& at) {
  std::optional<std::size_t> first;
  for (std::size_t one = 0; one < heads_.size(); ++one) {
    if (!heads_[one].is_filled && !heads_[one].has_ended) RESTITCH_CHECK(fill_head(one));
    if (heads_[one].is_filled && (!first || comes_before(one, *first))) first = one;
  }
  if (!first) return false;
  heads_[*first].is_filled = false;
  at = *first;
  return true;
}

Result<bool> PlanExecutor::next_indexed() {
  const bool is_merge = plan_.access == Access::kSortMerge;
  for (;;) {
    std::size_t at = 0;
    RESTITCH_TRY(const bool found, is_merge ? next_merged(at) : next_entry(at));
    if (!found) {
      is_done_ = true;
      return false;
    }
    const IndexReader& reader = index_readers_[at];
    record_ = reader.record();
    if (plan_.needs_distinct && !seen_.insert(record_).second) {
      ++duplicates_;
      continue;
    }
    if (options_.counts_only && !plan_.needs_filter) {
      current_ = bson::View();
      ++accepted_;
      return true;
    }
    if (plan_.reads_only_keys()) {
      rebuild_from_key(reader);
      RESTITCH_TRY(const bool accepted, accepts());
      if (accepted) return true;
      continue;
    }
    RESTITCH_TRY(const bool accepted, fetch(record_));
    if (accepted) return true;
  }
}

void PlanExecutor::rebuild_from_key(const IndexReader& reader) {
  bson::Builder builder;
  std::string_view key = reader.key();
  std::string_view bits = reader.type_bits();
  for (const IndexField& field : plan_.scans.front().index->fields) {
    auto value = bson::decode_key(key, bits, field.descending);
    if (!value) break;
    if (field.components.size() == 1) builder.append(field.path, *value);
  }
  rebuilt_ = std::move(builder).finish();
  current_ = rebuilt_;
}

Result<bool> PlanExecutor::fetch(storage::RecordId record) {
  RESTITCH_TRY(const bool found, reader_->record(collection_->ident, record, tier_, fetched_));
  return found ? take_fetched(record) : Result<bool>(false);
}

Result<bool> PlanExecutor::take_fetched(storage::RecordId record) {
  ++documents_examined_;
  record_ = record;
  current_ = bson::View(reinterpret_cast<const std::uint8_t*>(fetched_.data()));
  return accepts();
}

Result<bool> PlanExecutor::accepts() {
  if (plan_.needs_filter || options_.needs_match_details) {
    details_ = {};
    RESTITCH_TRY(
        const bool matches,
        options_.filter->matches(current_, options_.needs_match_details ? &details_ : nullptr));
    if (!matches) return false;
  }
  ++accepted_;
  return true;
}

void PlanExecutor::add_sorted(Sorted entry, std::size_t keep) {
  const auto is_before = [](const Sorted& a, const Sorted& b) {
    const int order = a.key.compare(b.key);
    return order != 0 ? order < 0 : a.sequence < b.sequence;
  };
  const auto cost = [](const Sorted& one) {
    return static_cast<std::int64_t>(sizeof(Sorted) + one.key.size() + one.document.bytes().size());
  };
  if (sorted_.size() == keep) {
    if (!is_before(entry, sorted_.front())) return;
    std::pop_heap(sorted_.begin(), sorted_.end(), is_before);
    sorted_bytes_ -= cost(sorted_.back());
    sorted_.pop_back();
  }
  sorted_bytes_ += cost(entry);
  total_sorted_bytes_ += entry.document.bytes().size();
  sorted_.push_back(std::move(entry));
  if (keep != SIZE_MAX) std::push_heap(sorted_.begin(), sorted_.end(), is_before);
}

Status PlanExecutor::collect_sorted() {
  std::size_t keep = SIZE_MAX;
  if (options_.limit) {
    keep = static_cast<std::size_t>(*options_.limit) + static_cast<std::size_t>(options_.skip);
  }
  for (;;) {
    RESTITCH_TRY(const bool found, next_unsorted());
    if (!found) break;
    Sorted entry;
    RESTITCH_TRY(entry.key, options_.sort->key_of(current_));
    entry.sequence = sequence_++;
    if (sorted_.size() == keep && entry.key >= sorted_.front().key) continue;
    entry.record = record_;
    entry.details = details_;
    entry.document = bson::Document(current_);
    add_sorted(std::move(entry), keep);
    if (options_.context != nullptr && sorted_bytes_ > options_.context->memory_limit) {
      return mongo_error(code::kMemoryLimit, "Sort exceeded memory limit of " +
                                                 std::to_string(options_.context->memory_limit) +
                                                 " bytes, but did not opt in to external sorting.");
    }
  }
  std::sort(sorted_.begin(), sorted_.end(), [](const Sorted& a, const Sorted& b) {
    const int order = a.key.compare(b.key);
    return order != 0 ? order < 0 : a.sequence < b.sequence;
  });
  sorted_at_ = std::min(static_cast<std::size_t>(options_.skip), sorted_.size());
  is_sorted_ = true;
  return {};
}

namespace {

std::string text_of(const QueryPlan& plan) {
  switch (plan.access) {
    case Access::kNothing:
      return "EOF";
    case Access::kIdLookup:
      return "IDHACK";
    case Access::kCollectionScan:
      return "COLLSCAN";
    case Access::kSortMerge:
      return "SORT_MERGE IXSCAN " + bson::to_shell(plan.scans.front().index->key.view());
    case Access::kIndexScan:
    case Access::kIndexUnion:
      break;
  }
  std::string text;
  for (const IndexScan& scan : plan.scans) {
    if (!text.empty()) text += ", ";
    text += "IXSCAN " + bson::to_shell(scan.index->key.view());
  }
  return text;
}

}  // namespace

void ExecutionSummary::add(const QueryPlan& chosen, const PlanExecutor& executor) {
  if (std::chrono::steady_clock::now() > slow_after) plan = text_of(chosen);
  keys_examined += executor.keys_examined();
  documents_examined += executor.documents_examined();
}

}  // namespace restitch::datasource::embedded
