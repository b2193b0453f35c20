#include "bson/extended_json.h"
#include "datasource/embedded/commands/writes.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::View;

constexpr std::size_t kInlineStatements = 64;
constexpr std::size_t kInlineTargets = 128;

struct DeleteStatement {
  TargetQuery target;
  bool has_targets = false;
  std::vector<storage::RecordId> targets;
  std::size_t at = 0;
};

class DeleteCommand final : public BatchWriteCommand {
 public:
  using BatchWriteCommand::BatchWriteCommand;

  Status prepare() {
    RESTITCH_CHECK(read_options("deletes"));
    for (const View statement : statements_) RESTITCH_CHECK(check_fields(statement));
    operation_.services.deletes += statements_.size();
    return {};
  }

  bool is_large() const override { return statements_.size() > kInlineStatements; }

 protected:
  Result<Step> run_statement(std::size_t index) override {
    const std::int32_t id = statement_id(index);
    if (executed(id) != nullptr) {
      ++count_;
      retried_.push_back(id);
      return Step::kFinished;
    }
    const View fields = statements_[index];
    const bool is_single = fields["limit"].as_integer() == 1;
    if (!is_single && operation_.session_request.is_retryable_write()) {
      return mongo_error(code::kInvalidOptions,
                         "Cannot use (or request) retryable writes with limit=0");
    }
    RESTITCH_TRY(const Collection* collection, pin_collection());
    if (!statement_) {
      statement_ = std::make_unique<DeleteStatement>();
      RESTITCH_CHECK(statement_->target.compile(operation_, collection, fields["q"].get_document(),
                                                fields["collation"], true));
      statement_->target.set_hint(fields["hint"]);
    }
    if (collection == nullptr) return Step::kFinished;
    if (!is_single) return delete_many(*collection);
    RESTITCH_TRY(const auto target, statement_->target.lock_first(operation_, *collection));
    if (!target) return Step::kFinished;
    RESTITCH_CHECK(writer(*collection).remove(target->record, target->document()));
    ++count_;
    bson::Builder result;
    result.append("n", std::int32_t{1}).append("kind", "delete");
    record_executed(id, std::move(result).finish());
    return Step::kFinished;
  }

  void end_statement() override { statement_.reset(); }
  void append_results(Builder&) override {}

 private:
  static Status check_fields(View statement) {
    const Fields fields(statement, "delete.deletes");
    RESTITCH_CHECK(fields.required_object("q"));
    if (!fields.has("limit")) return fields.missing("limit");
    const bson::ValueView limit = fields["limit"];
    if (!limit.is_number()) return fields.wrong_type("limit", "[long, int, decimal, double");
    if (limit.as_integer() != 0 && limit.as_integer() != 1) {
      return mongo_error(
          code::kFailedToParse,
          "The limit field in delete objects must be 0 or 1. Got " + bson::to_shell(limit));
    }
    for (const bson::Element& element : statement) {
      if (element.name != "q" && element.name != "limit" && element.name != "collation" &&
          element.name != "hint" && element.name != "sampleId") {
        return mongo_error(40415, "BSON field 'delete.deletes." + std::string(element.name) +
                                      "' is an unknown field.");
      }
    }
    return {};
  }

  RecordWriter writer(const Collection& collection) {
    return RecordWriter(*operation_.services.engine, collection, operation_.unit(),
                        operation_.error_extra);
  }

  Result<Step> delete_many(const Collection& collection) {
    DeleteStatement& statement = *statement_;
    if (!statement.has_targets) {
      RESTITCH_TRY(statement.targets, statement.target.find_all(operation_, collection));
      if (operation_.tier == storage::ReadTier::kCacheOnly &&
          statement.targets.size() > kInlineTargets) {
        statement.targets.clear();
        return Error(ErrorCode::kWouldBlock, "many documents");
      }
      statement.has_targets = true;
    }
    RecordWriter removing = writer(collection);
    for (; statement.at < statement.targets.size(); ++statement.at) {
      if (is_due()) return Step::kCommit;
      RESTITCH_CHECK(operation_.check_deadline());
      RESTITCH_TRY(const auto target,
                   statement.target.lock(operation_, collection, statement.targets[statement.at]));
      if (!target) continue;
      RESTITCH_CHECK(removing.remove(target->record, target->document()));
      ++count_;
    }
    return Step::kFinished;
  }

  std::unique_ptr<DeleteStatement> statement_;
};

}  // namespace

Result<std::unique_ptr<WriteCommand>> make_delete(Operation& operation) {
  RESTITCH_TRY(Namespace ns, operation.target_namespace());
  RESTITCH_CHECK(check_writable(operation, ns));
  auto command = std::make_unique<DeleteCommand>(operation, std::move(ns));
  RESTITCH_CHECK(command->prepare());
  return std::unique_ptr<WriteCommand>(std::move(command));
}

}  // namespace restitch::datasource::embedded
