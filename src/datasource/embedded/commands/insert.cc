#include "datasource/embedded/commands/writes.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::size_t kInlineDocuments = 64;
constexpr std::size_t kInlineBytes = 256U << 10U;

class InsertCommand final : public BatchWriteCommand {
 public:
  using BatchWriteCommand::BatchWriteCommand;

  Status prepare() {
    RESTITCH_CHECK(read_options("documents"));
    operation_.services.inserts += statements_.size();
    return {};
  }

  bool is_large() const override {
    return statements_.size() > kInlineDocuments ||
           operation_.command.bytes().size() > kInlineBytes;
  }

 protected:
  Result<Step> run_statement(std::size_t index) override {
    const std::int32_t statement = statement_id(index);
    if (executed(statement) != nullptr) {
      ++count_;
      retried_.push_back(statement);
      return Step::kFinished;
    }
    RESTITCH_TRY(const Collection* collection, pin_collection());
    if (collection == nullptr) return Step::kCreateCollection;
    const bson::Timestamp now =
        keeps_empty_timestamps_ ? bson::Timestamp() : insert_time(operation_);
    RESTITCH_TRY(const Document document, query::prepare_for_insert(statements_[index], now));
    RecordWriter writer(*operation_.services.engine, *collection, operation_.unit(),
                        operation_.error_extra);
    writer.set_bypass_validation(bypasses_validation_);
    RESTITCH_CHECK(writer.insert(document));
    ++count_;
    record_executed(statement, bson::make_document("n", std::int32_t{1}));
    return Step::kFinished;
  }

  void append_results(Builder&) override {}
};

}  // namespace

bson::Timestamp insert_time(const Operation& operation) {
  const auto seconds = static_cast<std::uint32_t>(wall_clock().millis / 1000);
  const bson::Timestamp last = operation.services.engine->last_committed();
  if (last.seconds >= seconds) return {last.seconds, last.increment + 1};
  return {seconds, 1};
}

Result<std::unique_ptr<WriteCommand>> make_insert(Operation& operation) {
  RESTITCH_TRY(Namespace ns, operation.target_namespace());
  RESTITCH_CHECK(check_writable(operation, ns));
  auto command = std::make_unique<InsertCommand>(operation, std::move(ns));
  RESTITCH_CHECK(command->prepare());
  return std::unique_ptr<WriteCommand>(std::move(command));
}

Status check_writable(const Operation& operation, const Namespace& ns) {
  if (operation.in_transaction() && is_internal_database(ns.database)) {
    return mongo_error(code::kNotInTransaction,
                       "Cannot perform data definition or write operations on database '" +
                           ns.database + "' in a multi-document transaction.");
  }
  if (is_reserved_collection(ns.collection) && !operation.may_write_system_collections) {
    return mongo_error(code::kInvalidNamespace, "cannot write to '" + ns.full() + "'");
  }
  return {};
}

}  // namespace restitch::datasource::embedded
