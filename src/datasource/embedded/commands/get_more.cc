#include "datasource/embedded/catalog.h"
#include "datasource/embedded/commands/reads.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

// Whether this command may use the cursor: namespace, session and transaction must be those it was
// opened in.
Status check_owner(const Operation& operation, const ClientCursor& cursor, std::string_view ns) {
  if (cursor.ns != ns) {
    return mongo_error(code::kUnauthorized, "Requested getMore on namespace '" + std::string(ns) +
                                                "', but cursor belongs to a different namespace " +
                                                cursor.ns);
  }
  const SessionRequest& session = operation.session_request;
  const std::string id = std::to_string(cursor.id);
  if (cursor.session.empty() && !session.id.empty()) {
    return mongo_error(50736, "Cannot run getMore on cursor " + id +
                                  ", which was not created in a session, in session");
  }
  if (!cursor.session.empty() && session.id.empty()) {
    return mongo_error(50737, "Cannot run getMore on cursor " + id +
                                  ", which was created in session, without an lsid");
  }
  if (cursor.session != session.id) {
    return mongo_error(
        50738, "Cannot run getMore on cursor " + id + ", which was created in another session");
  }
  const auto number = session.in_transaction() ? session.txn_number : std::nullopt;
  if (!cursor.txn_number && number) {
    return mongo_error(50739, "Cannot run getMore on cursor " + id +
                                  ", which was not created in a transaction, in a transaction");
  }
  if (cursor.txn_number && !number) {
    return mongo_error(50740, "Cannot run getMore on cursor " + id +
                                  ", which was created in a transaction, without a txnNumber");
  }
  if (cursor.txn_number != number) {
    return mongo_error(
        50741, "Cannot run getMore on cursor " + id + ", which was created in another transaction");
  }
  return {};
}

// Gives a cursor back to the table, or removes it, at the end of a batch.
class CursorHold {
 public:
  CursorHold(CursorTable& table, std::shared_ptr<ClientCursor> cursor)
      : table_(table), cursor_(std::move(cursor)) {}
  CursorHold(const CursorHold&) = delete;
  CursorHold& operator=(const CursorHold&) = delete;
  ~CursorHold() {
    cursor_->stream->detach();
    if (is_over_) {
      table_.remove(cursor_->id);
    } else {
      table_.give_back(cursor_);
    }
  }

  void end() { is_over_ = true; }

 private:
  CursorTable& table_;
  std::shared_ptr<ClientCursor> cursor_;
  bool is_over_ = false;
};

bool is_dropped(const Operation& operation, const ClientCursor& cursor) {
  if (cursor.collection == 0) return false;
  const CollectionPtr collection = operation.services.catalog->state()->find(cursor.ns);
  return !collection || collection->ident != cursor.collection;
}

}  // namespace

Result<Document> run_get_more(Operation& operation) {
  const Fields fields = operation.fields();
  if (operation.target().type() != bson::Type::kInt64) {
    return fields.wrong_type("getMore", "long");
  }
  const std::int64_t id = operation.target().get_int64();
  RESTITCH_TRY(const std::string_view collection, fields.required_string("collection"));
  RESTITCH_TRY(const auto batch_size, fields.non_negative("batchSize"));
  ++operation.services.get_mores;
  RESTITCH_TRY(auto cursor, operation.services.cursors.take(id));
  CursorHold hold(operation.services.cursors, cursor);
  const std::string ns = operation.database + "." + std::string(collection);
  RESTITCH_CHECK(check_owner(operation, *cursor, ns));
  if (const auto failure = operation.services.fail_points.meet_get_more()) {
    if (failure->closes_connection && operation.caller) operation.caller->has_to_close = true;
    if (failure->error_code) {
      hold.end();
      return mongo_error(*failure->error_code,
                         "Hit failGetMoreAfterCursorCheckout, throwing exception");
    }
  }
  if (fields.has("maxTimeMS")) {
    return mongo_error(code::kBadValue,
                       "cannot set maxTimeMS on getMore command for a non-awaitData cursor");
  }
  if (is_dropped(operation, *cursor)) {
    hold.end();
    return mongo_error(code::kQueryPlanKilled, "collection dropped between getMore calls");
  }
  attach_stream(operation, *cursor->stream);
  cursor->stream->set_deadline(operation.deadline);
  BatchOptions options;
  if (batch_size && *batch_size > 0) options.batch_size = batch_size;
  Builder reply;
  reply.open_object("cursor");
  reply.open_array("nextBatch");
  auto is_exhausted = read_batch(reply, *cursor, options);
  if (!is_exhausted) {
    hold.end();
    return with_prefix(std::move(is_exhausted).error(), kGetMorePrefix);
  }
  if (*is_exhausted) hold.end();
  reply.close();
  reply.append("id", *is_exhausted ? std::int64_t{0} : id);
  reply.append("ns", cursor->ns);
  reply.close();
  return std::move(reply).finish();
}

Result<Document> run_kill_cursors(Operation& operation) {
  // Cursors of commands without a collection are named like "$cmd.listCollections": any name does.
  if (!operation.target().as_string()) RESTITCH_CHECK(operation.collection_name());
  RESTITCH_TRY(const View ids, operation.fields().required_array("cursors"));
  std::vector<std::int64_t> killed, missing;
  for (const bson::Element& element : ids) {
    if (element.value.type() != bson::Type::kInt64) {
      return operation.fields().wrong_type("cursors", "long");
    }
    const std::int64_t id = element.value.get_int64();
    (operation.services.cursors.kill(id) ? killed : missing).push_back(id);
  }
  Builder reply;
  const auto list = [&](const char* field, const std::vector<std::int64_t>& values) {
    reply.open_array(field);
    for (const std::int64_t value : values) reply.push(value);
    reply.close();
  };
  list("cursorsKilled", killed);
  list("cursorsNotFound", missing);
  list("cursorsAlive", {});
  list("cursorsUnknown", {});
  return std::move(reply).finish();
}

}  // namespace restitch::datasource::embedded
