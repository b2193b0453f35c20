#include "bson/extended_json.h"
#include "datasource/embedded/commands/writes.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"
#include "query/pipeline/pipeline.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::Value;
using bson::View;

constexpr std::size_t kInlineStatements = 64;
constexpr std::size_t kInlineTargets = 128;  // documents changed on the caller's thread

// One element of `updates`, compiled.
struct UpdateStatement {
  TargetQuery target;
  std::optional<query::Update> update;
  bool is_multi = false;
  bool is_upsert = false;
  bool has_retried_upsert = false;
  // multi: what is left to do.
  bool has_targets = false;
  std::vector<storage::RecordId> targets;
  std::size_t at = 0;
};

constexpr std::string_view kStatementFields[] = {"q",
                                                 "u",
                                                 "c",
                                                 "multi",
                                                 "upsert",
                                                 "collation",
                                                 "arrayFilters",
                                                 "hint",
                                                 "sampleId",
                                                 "upsertSupplied"};

class UpdateCommand final : public BatchWriteCommand {
 public:
  using BatchWriteCommand::BatchWriteCommand;

  Status prepare() {
    RESTITCH_CHECK(read_options("updates"));
    for (const View statement : statements_) {
      RESTITCH_CHECK(check_fields(statement));
    }
    operation_.services.updates += statements_.size();
    return {};
  }

  bool is_large() const override { return statements_.size() > kInlineStatements; }

 protected:
  Result<Step> run_statement(std::size_t index) override {
    const std::int32_t id = statement_id(index);
    if (const Document* done = executed(id)) {
      if ((*done)["kind"].as_string() == "delete") {
        return mongo_error(40638,
                           "update retry request is not compatible with the write of type delete "
                           "that the session has recorded");
      }
      replay(index, id, *done);
      return Step::kFinished;
    }
    RESTITCH_TRY(const Collection* collection, pin_collection());
    if (!statement_) {
      statement_ = std::make_unique<UpdateStatement>();
      RESTITCH_CHECK(compile(statements_[index], collection));
    }
    if (collection == nullptr) {
      return statement_->is_upsert ? Step::kCreateCollection : Step::kFinished;
    }
    return statement_->is_multi ? update_many(*collection, index) : update_one(*collection, index);
  }

  void end_statement() override { statement_.reset(); }

  void append_results(Builder& reply) override {
    reply.append("nModified", static_cast<std::int32_t>(modified_));
    if (upserted_.empty()) return;
    reply.open_array("upserted");
    for (const Document& one : upserted_) reply.push(one);
    reply.close();
  }

 private:
  static Status check_fields(View statement) {
    const Fields fields(statement, "update.updates");
    RESTITCH_CHECK(fields.required_object("q"));
    if (!fields.has("u")) return fields.missing("u");
    // Names that no stage has fail the command, not the statement.
    if (const auto stages = fields["u"].as_array())
      RESTITCH_CHECK(query::Pipeline::check_stage_names(*stages));
    for (const bson::Element& element : statement) {
      const bool is_known = std::find(std::begin(kStatementFields), std::end(kStatementFields),
                                      element.name) != std::end(kStatementFields);
      if (!is_known) {
        return mongo_error(40415, "BSON field 'update.updates." + std::string(element.name) +
                                      "' is an unknown field.");
      }
    }
    RESTITCH_CHECK(fields.boolean("multi"));
    RESTITCH_CHECK(fields.boolean("upsert"));
    RESTITCH_CHECK(fields.array("arrayFilters"));
    return {};
  }

  Status compile(View statement, const Collection* collection) {
    const Fields fields(statement, "update.updates");
    UpdateStatement& made = *statement_;
    RESTITCH_TRY(made.is_multi, fields.boolean("multi"));
    RESTITCH_TRY(made.is_upsert, fields.boolean("upsert"));
    if (made.is_multi && operation_.session_request.is_retryable_write()) {
      return mongo_error(code::kInvalidOptions,
                         "Cannot use (or request) retryable writes with multi=true");
    }
    RESTITCH_TRY(const View query, fields.required_object("q"));
    RESTITCH_CHECK(
        made.target.compile(operation_, collection, query, fields["collation"], !made.is_upsert));
    made.target.set_hint(fields["hint"]);
    query::UpdateOptions options;
    options.multi = made.is_multi;
    RESTITCH_TRY(options.array_filters, fields.array("arrayFilters"));
    RESTITCH_TRY(options.constants, fields.object("c"));
    options.keeps_empty_timestamps = keeps_empty_timestamps_;
    RESTITCH_TRY(made.update, query::Update::compile(fields["u"], made.target.context(), options));
    return {};
  }

  RecordWriter writer(const Collection& collection) {
    RecordWriter made(*operation_.services.engine, collection, operation_.unit(),
                      operation_.error_extra);
    made.set_bypass_validation(bypasses_validation_);
    return made;
  }

  Result<Step> update_one(const Collection& collection, std::size_t index) {
    RESTITCH_TRY(const auto target, statement_->target.lock_first(operation_, collection));
    if (!target) {
      if (!statement_->is_upsert) return Step::kFinished;
      return upsert(collection, index);
    }
    RESTITCH_TRY(const query::Updated updated,
                 statement_->update->apply(target->document(), target->details));
    RESTITCH_CHECK(writer(collection).update(target->record, target->document(), updated));
    ++count_;
    if (updated.modified) {
      ++modified_;
      Builder result;
      result.append("n", std::int32_t{1}).append("nModified", std::int32_t{1});
      record_executed(statement_id(index), std::move(result).finish());
    }
    return Step::kFinished;
  }

  Result<Step> update_many(const Collection& collection, std::size_t index) {
    UpdateStatement& statement = *statement_;
    if (!statement.has_targets) {
      RESTITCH_TRY(statement.targets, statement.target.find_all(operation_, collection));
      if (operation_.tier == storage::ReadTier::kCacheOnly &&
          statement.targets.size() > kInlineTargets) {
        statement.targets.clear();
        return Error(ErrorCode::kWouldBlock, "many documents");
      }
      if (statement.targets.empty() && statement.is_upsert) return upsert(collection, index);
      statement.has_targets = true;
    }
    for (; statement.at < statement.targets.size(); ++statement.at) {
      if (is_due()) return Step::kCommit;
      RESTITCH_CHECK(operation_.check_deadline());
      RESTITCH_TRY(const auto target,
                   statement.target.lock(operation_, collection, statement.targets[statement.at]));
      if (!target) continue;
      RESTITCH_TRY(const query::Updated updated,
                   statement.update->apply(target->document(), target->details));
      RESTITCH_CHECK(writer(collection).update(target->record, target->document(), updated));
      ++count_;
      if (updated.modified) ++modified_;
    }
    return Step::kFinished;
  }

  Result<Step> upsert(const Collection& collection, std::size_t index) {
    const TargetQuery& target = statement_->target;
    RESTITCH_TRY(const Document made,
                 statement_->update->upsert_document(target.filter(), target.query()));
    RESTITCH_TRY(const Document document, query::prepare_for_insert(made, insert_time(operation_)));
    RecordWriter inserting = writer(collection);
    if (Status inserted = inserting.insert(document); !inserted) {
      const bool may_retry = inserted.error().code() == ErrorCode::kDuplicateKey &&
                             !statement_->has_retried_upsert && !operation_.in_transaction() &&
                             inserting.conflicting_index() != nullptr &&
                             is_equality_on(*inserting.conflicting_index(), target.filter());
      if (!may_retry) return std::move(inserted).error();
      // Another writer inserted the document meanwhile: it is updated instead.
      statement_->has_retried_upsert = true;
      operation_.error_extra = Document();
      operation_.refresh_snapshot();
      return Step::kConflict;
    }
    ++count_;
    Builder one;
    one.append("index", static_cast<std::int32_t>(index));
    one.append("_id", document["_id"]);
    upserted_.push_back(std::move(one).finish());
    Builder result;
    result.append("n", std::int32_t{1}).append("nModified", std::int32_t{0});
    result.append("upserted", document["_id"]);
    record_executed(statement_id(index), std::move(result).finish());
    return Step::kFinished;
  }

  void replay(std::size_t index, std::int32_t id, View done) {
    count_ += done["n"].as_integer().value_or(0);
    modified_ += done["nModified"].as_integer().value_or(0);
    if (const bson::ValueView upserted = done["upserted"]; !upserted.is_missing()) {
      Builder one;
      one.append("index", static_cast<std::int32_t>(index)).append("_id", upserted);
      upserted_.push_back(std::move(one).finish());
    }
    retried_.push_back(id);
  }

  std::unique_ptr<UpdateStatement> statement_;
  std::int64_t modified_ = 0;
  std::vector<Document> upserted_;
};

}  // namespace

Result<std::unique_ptr<WriteCommand>> make_update(Operation& operation) {
  RESTITCH_TRY(Namespace ns, operation.target_namespace());
  RESTITCH_CHECK(check_writable(operation, ns));
  auto command = std::make_unique<UpdateCommand>(operation, std::move(ns));
  RESTITCH_CHECK(command->prepare());
  return std::unique_ptr<WriteCommand>(std::move(command));
}

}  // namespace restitch::datasource::embedded
