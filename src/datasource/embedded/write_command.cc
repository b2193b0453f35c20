#include "datasource/embedded/write_command.h"

#include <algorithm>

#include "bson/compare.h"
#include "datasource/embedded/catalog.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::size_t kMaxBatch = 100'000;
constexpr std::size_t kCommitBytes = 4U << 20U;

// Ends the command, not the statement alone.
bool is_interruption(int number) {
  return number == code::kMaxTimeExpired || number == code::kInterrupted ||
         number == code::kExceededTimeLimit || number == code::kTransactionTooLong;
}

void collect_equalities(const query::FilterNode& node, std::vector<std::string_view>& paths,
                        bool& only_equalities) {
  if (node.op == query::FilterOp::kAnd) {
    for (const auto& child : node.children) collect_equalities(*child, paths, only_equalities);
  } else if (node.op == query::FilterOp::kEq) {
    paths.push_back(node.path);
  } else {
    only_equalities = false;
  }
}

}  // namespace

void append_error(Builder& builder, const Error& error, View extra, bool with_code_name) {
  const int number = error.mongo_code() != 0                     ? error.mongo_code()
                     : error.code() == ErrorCode::kWriteConflict ? code::kWriteConflict
                     : error.code() == ErrorCode::kDuplicateKey  ? code::kDuplicateKey
                                                                 : code::kInternalError;
  if (with_code_name) {
    builder.append("errmsg", error.message());
    builder.append("code", std::int32_t{number});
    builder.append("codeName", error_name(number));
  } else {
    builder.append("code", std::int32_t{number});
    builder.append("errmsg", error.message());
  }
  builder.append_all(extra);
}

// ---- WriteCommand

Result<const Collection*> WriteCommand::pin_collection() {
  WriteUnit& unit = operation_.unit();
  if (const Collection* pinned = unit.pinned(full_name_)) {
    RESTITCH_CHECK(check_kind(*pinned));
    return pinned;
  }
  if (operation_.in_transaction()) {
    RESTITCH_CHECK(operation_.catalog_view().find(full_name_));
  }
  WriterPin pin = operation_.services.catalog->pin_for_write(full_name_);
  if (!pin.collection()) return static_cast<const Collection*>(nullptr);
  RESTITCH_CHECK(check_kind(*pin.collection()));
  return &unit.keep(std::move(pin));
}

Status WriteCommand::check_kind(const Collection& collection) const {
  if (collection.is_view()) {
    return mongo_error(code::kViewError,
                       "Namespace " + full_name_ + " is a view, not a collection");
  }
  if (collection.is_capped && operation_.in_transaction()) {
    return mongo_error(code::kNotInTransaction,
                       "Collection '" + full_name_ +
                           "' is a capped collection. Writes in transactions are not allowed on "
                           "capped collections.");
  }
  return {};
}

bool WriteCommand::is_due() const {
  return !operation_.in_transaction() && operation_.has_own_writes() &&
         operation_.unit().write_bytes() > kCommitBytes;
}

std::int32_t WriteCommand::statement_id(std::size_t index) const {
  const View command = operation_.command;
  if (const auto ids = command["stmtIds"].as_array()) {
    std::size_t at = 0;
    for (const bson::Element& element : *ids) {
      if (at++ == index) return static_cast<std::int32_t>(element.value.as_integer().value_or(0));
    }
  }
  return static_cast<std::int32_t>(command["stmtId"].as_integer().value_or(0) +
                                   static_cast<std::int64_t>(index));
}

const Document* WriteCommand::executed(std::int32_t statement) const {
  if (!operation_.session_request.is_retryable_write() || !operation_.session) return nullptr;
  const auto found = operation_.session->executed.find(statement);
  if (found == operation_.session->executed.end()) return nullptr;
  ++operation_.services.transactions.retried_statements;
  if (!std::exchange(counts_as_retried_, true)) {
    ++operation_.services.transactions.retried_commands;
  }
  return &found->second;
}

void WriteCommand::record_executed(std::int32_t statement, Document result) {
  if (!operation_.session_request.is_retryable_write() || !operation_.session) return;
  meet_fail_point();
  operation_.session->executed[statement] = std::move(result);
  operation_.note_executed_statement();
}

void WriteCommand::meet_fail_point() {
  const auto failure = operation_.services.fail_points.meet_transactional_write();
  if (!failure) return;
  if (failure->closes_connection && operation_.caller) operation_.caller->has_to_close = true;
  if (failure->error_code) {
    operation_.injected_failure =
        mongo_error(*failure->error_code, "Failing a write before its commit by a fail point");
  }
}

// ---- BatchWriteCommand

Status BatchWriteCommand::read_options(std::string_view statements_field) {
  const Fields fields = operation_.fields();
  RESTITCH_TRY(is_ordered_, fields.boolean("ordered", true));
  RESTITCH_TRY(bypasses_validation_, fields.boolean("bypassDocumentValidation"));
  RESTITCH_TRY(keeps_empty_timestamps_, fields.boolean("bypassEmptyTsReplacement"));
  RESTITCH_TRY(const View list, fields.required_array(statements_field));
  for (const bson::Element& element : list) {
    const auto statement = element.value.as_object();
    if (!statement) {
      return mongo_error(code::kTypeMismatch,
                         "BSON field '" + std::string(operation_.spec->request_name()) + "." +
                             std::string(statements_field) + "." + std::string(element.name) +
                             "' is the wrong type '" +
                             std::string(bson::alias_of(element.value.type())) +
                             "', expected type 'object'");
    }
    statements_.push_back(*statement);
  }
  if (statements_.empty() || statements_.size() > kMaxBatch) {
    return mongo_error(code::kInvalidLength,
                       "Write batch sizes must be between 1 and 100000. Got " +
                           std::to_string(statements_.size()) + " operations.");
  }
  return {};
}

Result<bool> BatchWriteCommand::add_write_error(std::size_t index, const Error& error) {
  const bool in_transaction = operation_.in_transaction();
  if (in_transaction && is_transient_transaction_code(error.mongo_code())) return error;
  if (is_interruption(error.mongo_code())) return error;
  Builder builder;
  builder.append("index", static_cast<std::int32_t>(index));
  append_error(builder, error, operation_.error_extra, false);
  operation_.error_extra = Document();
  write_errors_.push_back(std::move(builder).finish());
  if (in_transaction) operation_.must_abort_transaction = true;
  return !is_ordered_ && !in_transaction;
}

Result<WriteCommand::Step> BatchWriteCommand::step() {
  while (at_ < statements_.size()) {
    Status in_time = operation_.check_deadline();
    auto result = in_time ? run_statement(at_) : Result<Step>(std::move(in_time).error());
    if (result && *result != Step::kFinished) return result;
    if (!result) {
      const Error& error = result.error();
      if (error.code() == ErrorCode::kWouldBlock) return std::move(result).error();
      if (error.code() == ErrorCode::kWriteConflict) return Step::kConflict;
      if (error.mongo_code() == 0 && error.code() != ErrorCode::kMongo)
        return std::move(result).error();
      RESTITCH_TRY(const bool goes_on, add_write_error(at_, error));
      end_statement();
      ++at_;
      if (!goes_on) {
        at_ = statements_.size();
        break;
      }
      continue;
    }
    end_statement();
    ++at_;
    if (is_due()) return at_ < statements_.size() ? Step::kCommit : Step::kFinished;
  }
  return Step::kFinished;
}

Document BatchWriteCommand::reply() {
  Builder reply;
  reply.append("n", static_cast<std::int32_t>(count_));
  append_results(reply);
  if (!write_errors_.empty()) {
    reply.open_array("writeErrors");
    for (const Document& error : write_errors_) reply.push(error);
    reply.close();
  }
  if (!retried_.empty()) {
    reply.open_array("retriedStmtIds");
    for (const std::int32_t id : retried_) reply.push(id);
    reply.close();
  }
  return std::move(reply).finish();
}

// ---- TargetQuery

Status TargetQuery::compile(Operation& operation, const Collection* collection, View query,
                            bson::ValueView collation, bool allow_expr) {
  query_ = query;
  RESTITCH_CHECK(operation.fill_context(context_, collection));
  if (!collation.is_missing()) {
    RESTITCH_TRY(context_.comparator, comparator_of(collation, collection));
  }
  query::FilterOptions options;
  options.allow_expr = allow_expr;
  RESTITCH_TRY(filter_, query::Filter::compile(query, context_, options));
  return {};
}

Status TargetQuery::set_sort(View sort) {
  if (sort.empty()) return {};
  RESTITCH_TRY(sort_, query::SortPattern::compile(sort, context_));
  sort_spec_ = sort;
  return {};
}

Result<PlanChoice> TargetQuery::plan(Operation& operation, const Collection& collection,
                                     const storage::Reader& reader,
                                     std::optional<std::int64_t> limit) {
  ChoiceRequest request;
  // The pin keeps the collection; the plan only borrows it.
  request.plan.collection = CollectionPtr(CollectionPtr(), &collection);
  request.plan.filter = &*filter_;
  request.plan.sort = sort_ ? &*sort_ : nullptr;
  request.plan.collation = context_.comparator.collation();
  request.plan.hint = hint_;
  request.plan.read_time = reader.cluster_time();
  request.filter = query_;
  request.sort = sort_spec_;
  request.limit = limit;
  request.context = &context_;
  request.reader = &reader;
  request.tier = operation.tier;
  return choose_plan(request);
}

namespace {

// Reads through what the command has written already, or else through a snapshot.
const storage::Reader& reader_of(Operation& operation) {
  if (operation.in_transaction() || operation.has_own_writes())
    return operation.unit().transaction();
  return operation.reader();
}

}  // namespace

Result<std::optional<TargetQuery::Target>> TargetQuery::lock_first(Operation& operation,
                                                                   const Collection& collection) {
  const storage::Reader& reader = reader_of(operation);
  RESTITCH_TRY(const PlanChoice chosen, plan(operation, collection, reader, 1));
  ExecutorOptions options;
  options.filter = &*filter_;
  options.sort = sort_ ? &*sort_ : nullptr;
  options.context = &context_;
  PlanExecutor executor(&collection, chosen.plan, options);
  executor.attach(reader, operation.tier, operation.inline_budget());
  for (;;) {
    RESTITCH_TRY(const bool found, executor.next());
    std::optional<Target> target;
    if (found) {
      RESTITCH_TRY(target, lock(operation, collection, executor.record()));
    }
    if (found && !target) continue;
    operation.summary.add(chosen.plan, executor);
    note_works(chosen, executor.works());
    return target;
  }
}

Result<std::vector<storage::RecordId>> TargetQuery::find_all(Operation& operation,
                                                             const Collection& collection) {
  const storage::Reader& reader = reader_of(operation);
  RESTITCH_TRY(const PlanChoice chosen, plan(operation, collection, reader, std::nullopt));
  ExecutorOptions options;
  options.filter = &*filter_;
  options.context = &context_;
  options.counts_only = true;
  PlanExecutor executor(&collection, chosen.plan, options);
  executor.attach(reader, operation.tier, operation.inline_budget());
  std::vector<storage::RecordId> records;
  for (;;) {
    RESTITCH_TRY(const bool found, executor.next());
    if (!found) break;
    records.push_back(executor.record());
  }
  operation.summary.add(chosen.plan, executor);
  note_works(chosen, executor.works());
  return records;
}

Result<std::optional<TargetQuery::Target>> TargetQuery::lock(Operation& operation,
                                                             const Collection& collection,
                                                             storage::RecordId record) {
  Target target;
  target.record = record;
  RESTITCH_TRY(const bool found,
               operation.unit().transaction().lock_record(collection.ident, record, target.bytes));
  if (!found) return std::optional<Target>();
  RESTITCH_TRY(const bool matches, filter_->matches(target.document(), &target.details));
  if (!matches) return std::optional<Target>();
  return std::optional<Target>(std::move(target));
}

bool is_equality_on(const Index& index, const query::Filter& filter) {
  std::vector<std::string_view> paths;
  bool only_equalities = true;
  collect_equalities(filter.root(), paths, only_equalities);
  if (!only_equalities || paths.size() != index.fields.size()) return false;
  return std::all_of(index.fields.begin(), index.fields.end(), [&](const IndexField& field) {
    return std::find(paths.begin(), paths.end(), field.path) != paths.end();
  });
}

}  // namespace restitch::datasource::embedded
