#include "datasource/embedded/operation.h"

#include "datasource/embedded/change_log.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"
#include "query/expression/command_let.h"
#include "query/interruption.h"

namespace restitch::datasource::embedded {

Fields Operation::fields() const { return {command, spec->request_name()}; }

Result<std::string> Operation::collection_name() const {
  const auto name = target().as_string();
  if (!name) {
    return mongo_error(code::kInvalidNamespace, "collection name has invalid type " +
                                                    std::string(bson::alias_of(target().type())));
  }
  RESTITCH_CHECK(check_namespace(database, *name));
  return std::string(*name);
}

Result<Namespace> Operation::target_namespace() const {
  RESTITCH_TRY(std::string name, collection_name());
  return Namespace{database, std::move(name)};
}

storage::SnapshotPtr Operation::snapshot() {
  if (!snapshot_) snapshot_ = services.engine->snapshot();
  return snapshot_;
}

const storage::Reader& Operation::reader() {
  if (in_transaction() && session && session->unit) return session->unit->transaction();
  snapshot();
  return *snapshot_;
}

CatalogView Operation::catalog_view() {
  if (is_pinned_) return {*services.catalog, nullptr, snapshot_->cluster_time()};
  if (!in_transaction()) return CatalogView(*services.catalog);
  return {*services.catalog, session ? session->unit.get() : nullptr, reader().cluster_time()};
}

std::unique_ptr<WriteUnit> Operation::take_own_unit() {
  if (own_unit_ && session_row_due_ && session) {
    own_unit_->transaction().put_session_row(session->id, session_row(*session.get()));
    session_row_due_ = false;
  }
  return std::move(own_unit_);
}

WriteUnit& Operation::unit() {
  if (in_transaction() && session && session->unit) return *session->unit;
  if (!own_unit_) {
    own_unit_ =
        std::make_unique<WriteUnit>(services.engine->begin(storage::Transaction::Mode::kLatest));
  }
  return *own_unit_;
}

Status Operation::check_interrupt() const {
  if (const int code = entry.interrupt().load(std::memory_order_relaxed); code != 0) {
    return mongo_error(code, query::kInterruptedText);
  }
  return {};
}

Status Operation::check_deadline() const {
  RESTITCH_CHECK(check_interrupt());
  if (deadline != kNoDeadline && std::chrono::steady_clock::now() > deadline) {
    return mongo_error(code::kMaxTimeExpired, "operation exceeded time limit");
  }
  return {};
}

Result<query::Comparator> comparator_of(bson::ValueView collation, const Collection* collection) {
  if (!collation.is_missing()) {
    const auto spec = collation.as_object();
    if (!spec) {
      return mongo_error(code::kTypeMismatch, "BSON field 'collation' is the wrong type '" +
                                                  std::string(bson::alias_of(collation.type())) +
                                                  "', expected type 'object'");
    }
    if (!spec->empty()) {
      RESTITCH_TRY(auto parsed, query::Collation::parse(*spec));
      return query::Comparator(std::move(parsed));
    }
  }
  return query::Comparator(collection != nullptr ? collection->collation : nullptr);
}

Status Operation::fill_context(query::CommandContext& context, const Collection* collection) {
  RESTITCH_TRY(context.comparator, comparator_of(command["collation"], collection));
  context.now = wall_clock();
  context.cluster_time = services.engine->last_committed();
  context.deadline = deadline;
  context.budget = &budget;
  if (const auto let = command["let"].as_object()) {
    RESTITCH_TRY(context.let, query::evaluate_let(*let, context));
  }
  return {};
}

}  // namespace restitch::datasource::embedded
