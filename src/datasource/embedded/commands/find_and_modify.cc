#include "datasource/embedded/command_table.h"
#include "datasource/embedded/commands/writes.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"
#include "query/projection.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::Value;
using bson::View;

constexpr std::string_view kPrefix = "Plan executor error during findAndModify :: caused by :: ";

class FindAndModifyCommand final : public WriteCommand {
 public:
  using WriteCommand::WriteCommand;

  Status prepare() {
    const Fields fields = operation_.fields();
    RESTITCH_TRY(query_, fields.object("query"));
    RESTITCH_TRY(sort_, fields.object("sort"));
    RESTITCH_TRY(projection_spec_, fields.object("fields"));
    RESTITCH_TRY(is_remove_, fields.boolean("remove"));
    RESTITCH_TRY(returns_new_, fields.boolean("new"));
    RESTITCH_TRY(is_upsert_, fields.boolean("upsert"));
    RESTITCH_TRY(bypasses_validation_, fields.boolean("bypassDocumentValidation"));
    RESTITCH_TRY(array_filters_, fields.array("arrayFilters"));
    const bool has_update = fields.has("update");
    const auto clash = [](const char* text) { return mongo_error(code::kFailedToParse, text); };
    if (is_remove_) {
      if (has_update) return clash("Cannot specify both an update and remove=true");
      if (is_upsert_) return clash("Cannot specify both upsert=true and remove=true ");
      if (returns_new_) {
        return clash(
            "Cannot specify both new=true and remove=true; 'remove' always returns the deleted "
            "document");
      }
      if (fields.has("arrayFilters")) return clash("Cannot specify arrayFilters and remove=true");
    } else if (!has_update) {
      return clash("Either an update or remove=true must be specified");
    }
    operation_.services.updates += 1;
    return {};
  }

  Result<Step> step() override {
    if (const Document* done = executed(statement_id(0))) return replay(*done);
    auto result = run();
    if (result || result.error().code() == ErrorCode::kWouldBlock) return result;
    if (result.error().code() == ErrorCode::kWriteConflict) {
      if (!operation_.in_transaction()) return Step::kConflict;
      return std::move(result).error();
    }
    return result;
  }

  Document reply() override { return std::move(reply_); }

 private:
  // An error of the execution, as opposed to one of parsing.
  static Error execution_error(Error error) {
    if (error.code() == ErrorCode::kWouldBlock || error.code() == ErrorCode::kWriteConflict) {
      return error;
    }
    if (error.mongo_code() == 0) return error;
    return Error(error.code(), error.mongo_code(), std::string(kPrefix) + error.message());
  }

  Result<Step> run() {
    RESTITCH_TRY(const Collection* collection, pin_collection());
    if (!is_compiled_) RESTITCH_CHECK(compile(collection));
    if (collection == nullptr) {
      if (is_upsert_) return Step::kCreateCollection;
      append_nothing();
      return Step::kFinished;
    }
    RESTITCH_CHECK(operation_.check_deadline());
    auto target = target_.lock_first(operation_, *collection);
    if (!target) return execution_error(std::move(target).error());
    if (!*target) {
      if (is_upsert_) return upsert(*collection);
      append_nothing();
      return Step::kFinished;
    }
    auto changed = is_remove_ ? remove(*collection, **target) : update(*collection, **target);
    if (!changed) return execution_error(std::move(changed).error());
    return Step::kFinished;
  }

  Status compile(const Collection* collection) {
    const Fields fields = operation_.fields();
    RESTITCH_CHECK(
        target_.compile(operation_, collection, query_, fields["collation"], !is_upsert_));
    RESTITCH_CHECK(target_.set_sort(sort_));
    target_.set_hint(fields["hint"]);
    if (!is_remove_) {
      query::UpdateOptions options;
      options.array_filters = array_filters_;
      RESTITCH_TRY(options.keeps_empty_timestamps, fields.boolean("bypassEmptyTsReplacement"));
      RESTITCH_TRY(update_, query::Update::compile(fields["update"], target_.context(), options));
    }
    if (!projection_spec_.empty()) {
      RESTITCH_TRY(projection_,
                   query::Projection::compile(projection_spec_, query::ProjectionDialect::kFind,
                                              target_.context(), &target_.filter()));
    }
    is_compiled_ = true;
    return {};
  }

  RecordWriter writer(const Collection& collection) {
    RecordWriter made(*operation_.services.engine, collection, operation_.unit(),
                      operation_.error_extra);
    made.set_bypass_validation(bypasses_validation_);
    return made;
  }

  Result<Document> projected(View document, const query::MatchDetails* details) const {
    if (!projection_) return Document(document);
    return projection_->apply(document, details);
  }

  Status remove(const Collection& collection, const TargetQuery::Target& target) {
    RESTITCH_TRY(const Document value, projected(target.document(), &target.details));
    RESTITCH_CHECK(writer(collection).remove(target.record, target.document()));
    Builder reply;
    reply.open_object("lastErrorObject").append("n", std::int32_t{1}).close();
    reply.append("value", value);
    finish(std::move(reply), "remove");
    return {};
  }

  Status update(const Collection& collection, const TargetQuery::Target& target) {
    RESTITCH_TRY(const query::Updated updated, update_->apply(target.document(), target.details));
    const View shown = returns_new_ ? updated.document.view() : target.document();
    RESTITCH_TRY(const Document value, projected(shown, &target.details));
    RESTITCH_CHECK(writer(collection).update(target.record, target.document(), updated));
    Builder reply;
    reply.open_object("lastErrorObject");
    reply.append("n", std::int32_t{1}).append("updatedExisting", true);
    reply.close();
    reply.append("value", value);
    finish(std::move(reply), updated.modified ? "update" : "");
    return {};
  }

  Result<Step> upsert(const Collection& collection) {
    RESTITCH_TRY(const Document made, update_->upsert_document(target_.filter(), target_.query()));
    RESTITCH_TRY(const Document document, query::prepare_for_insert(made, insert_time(operation_)));
    Document shown;
    if (returns_new_) {
      RESTITCH_TRY(shown, projected(document, nullptr));
    }
    RecordWriter inserting = writer(collection);
    if (Status inserted = inserting.insert(document); !inserted) {
      const bool may_retry = inserted.error().code() == ErrorCode::kDuplicateKey &&
                             !has_retried_upsert_ && !operation_.in_transaction() &&
                             inserting.conflicting_index() != nullptr &&
                             is_equality_on(*inserting.conflicting_index(), target_.filter());
      if (!may_retry) return execution_error(std::move(inserted).error());
      has_retried_upsert_ = true;
      operation_.error_extra = Document();
      operation_.refresh_snapshot();
      return Step::kConflict;
    }
    Builder reply;
    reply.open_object("lastErrorObject");
    reply.append("n", std::int32_t{1}).append("updatedExisting", false);
    reply.append("upserted", document["_id"]);
    reply.close();
    if (returns_new_) {
      reply.append("value", shown);
    } else {
      reply.append("value", bson::Null{});
    }
    finish(std::move(reply), "upsert");
    return Step::kFinished;
  }

  void append_nothing() {
    Builder reply;
    reply.open_object("lastErrorObject").append("n", std::int32_t{0});
    if (!is_remove_) reply.append("updatedExisting", false);
    reply.close();
    reply.append("value", bson::Null{});
    reply_ = std::move(reply).finish();
  }

  // `kind` names what was written; empty for nothing.
  void finish(Builder reply, std::string_view kind) {
    reply_ = std::move(reply).finish();
    if (kind.empty()) return;
    Builder result;
    result.append("kind", kind).append("new", returns_new_).append("reply", reply_);
    record_executed(statement_id(0), std::move(result).finish());
  }

  Result<Step> replay(View done) {
    const std::string_view kind = done["kind"].as_string().value_or("");
    if (kind == "remove" && !is_remove_) {
      return mongo_error(40606,
                         "findAndModify retry request is not compatible with the write in "
                         "the oplog of type delete");
    }
    if (kind == "upsert" && !is_upsert_) {
      return mongo_error(40608,
                         "findAndModify retry request is not compatible with the write in "
                         "the oplog of type insert");
    }
    if (kind.empty() || (is_remove_ && kind != "remove")) {
      return mongo_error(40609,
                         "findAndModify retry request is not compatible with the write in "
                         "the oplog");
    }
    if (kind == "update" && returns_new_ != done["new"].truthy()) {
      return mongo_error(returns_new_ ? 40611 : 40612,
                         "findAndModify retry request asks for the other image of the document");
    }
    Builder reply;
    reply.append_all(done["reply"].get_document());
    reply.append("retriedStmtId", statement_id(0));
    reply_ = std::move(reply).finish();
    return Step::kFinished;
  }

  View query_, sort_, projection_spec_, array_filters_;
  bool is_remove_ = false, returns_new_ = false, is_upsert_ = false;
  bool bypasses_validation_ = false, is_compiled_ = false, has_retried_upsert_ = false;
  TargetQuery target_;
  std::optional<query::Update> update_;
  std::optional<query::Projection> projection_;
  Document reply_;
};

}  // namespace

Result<std::unique_ptr<WriteCommand>> make_find_and_modify(Operation& operation) {
  RESTITCH_TRY(Namespace ns, operation.target_namespace());
  RESTITCH_CHECK(check_writable(operation, ns));
  auto command = std::make_unique<FindAndModifyCommand>(operation, std::move(ns));
  RESTITCH_CHECK(command->prepare());
  return std::unique_ptr<WriteCommand>(std::move(command));
}

std::span<const CommandSpec> write_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "insert",
       .flags = kInTransaction | kRetryableWrite,
       .write = make_insert,
       .fields = "documents ordered bypassDocumentValidation bypassEmptyTsReplacement"},
      {.name = "update",
       .flags = kInTransaction | kRetryableWrite,
       .write = make_update,
       .fields = "updates ordered bypassDocumentValidation bypassEmptyTsReplacement let"},
      {.name = "delete",
       .flags = kInTransaction | kRetryableWrite,
       .write = make_delete,
       .fields = "deletes ordered bypassDocumentValidation let"},
      {.name = "findAndModify",
       .alias = "findandmodify",
       .flags = kInTransaction | kRetryableWrite,
       .write = make_find_and_modify,
       .fields = "query sort update remove new upsert fields arrayFilters collation hint let "
                 "bypassDocumentValidation bypassEmptyTsReplacement"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
