#include "rules/system_operations.h"

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "rules/batches.h"
#include "rules/commands.h"
#include "rules/inserts.h"
#include "rules/user_limits.h"

namespace restitch::rules {
namespace {

using datasource::CallOptions;
using datasource::DataSource;

// The documents of a command, the first `most` of them.
Task<bson::Document> all_batches(DataSource& source, const Operation& operation,
                                 bson::Builder command, CallOptions call,
                                 std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
  Batches batches(source, operation.database, operation.collection, call);
  RESTITCH_CO_CHECK(co_await batches.open(std::move(command)));
  bson::Builder result;
  bool has_more = true;
  while (has_more) {
    for (const bson::Element& element : batches.current()) {
      result.push(element.value);
      if (--most > 0) continue;
      RESTITCH_CO_CHECK(co_await batches.close());
      co_return std::move(result).finish();
    }
    RESTITCH_CO_TRY(has_more, co_await batches.next());
  }
  co_return std::move(result).finish();
}

Task<bson::Value> find(DataSource& source, const Operation& operation, CallOptions call) {
  const bool wants_one = operation.action == Action::kFindOne;
  FindParts parts;
  parts.filter = operation.filter;
  parts.projection = operation.projection;
  parts.sort = operation.sort;
  parts.skip = operation.skip;
  parts.limit = wants_one ? 1 : operation.limit;
  bson::Builder command = find_command(operation.collection, parts, operation.options);
  RESTITCH_CO_TRY(bson::Document found,
                  co_await all_batches(source, operation, std::move(command), call));
  if (!wants_one) co_return bson::Value::array(std::move(found));
  if (found.empty()) co_return bson::Value::null();
  co_return bson::Value(found.view().begin()->value);
}

Task<bson::Value> aggregate(DataSource& source, const Operation& operation, CallOptions call) {
  for (const bson::Element& element : operation.pipeline.view()) {
    const auto stage = element.value.as_object();
    const bool is_refused =
        stage && (stage->contains("$indexStats") || stage->contains("$currentOp"));
    if (is_refused) {
      co_return Error(
          ErrorCode::kInvalidArgument,
          "pipeline stage '" + std::string(stage->begin()->name) + "' is not available");
    }
  }
  bson::Builder command =
      aggregate_command(operation.collection, operation.pipeline, operation.options);
  RESTITCH_CO_TRY(
      bson::Document found,
      co_await all_batches(source, operation, std::move(command), call, operation.limit));
  co_return bson::Value::array(std::move(found));
}

Task<bson::Value> distinct(DataSource& source, const Operation& operation, CallOptions call) {
  bson::Builder command = distinct_command(operation.collection, operation.distinct_key,
                                           operation.filter, operation.options);
  RESTITCH_CO_TRY(
      const bson::Document reply,
      co_await datasource::run_command(source, operation.database, std::move(command), call));
  co_return bson::Value(reply["values"]);
}

Task<bson::Value> insert(DataSource& source, const Operation& operation, CallOptions call) {
  std::vector<bson::Document> documents;
  documents.reserve(operation.documents.size());
  for (const bson::Document& document : operation.documents) {
    if (document.view().contains("_id")) {
      documents.push_back(document);
      continue;
    }
    bson::Builder with_id;
    with_id.append("_id", bson::ObjectId::generate()).append_all(document);
    documents.push_back(std::move(with_id).finish());
  }
  const Insertion insertion{operation.database, operation.collection, documents, operation.ordered,
                            operation.options};
  RESTITCH_CO_CHECK(co_await insert_all(source, insertion, call));
  bson::Builder result;
  if (operation.action == Action::kInsertOne) {
    result.append("insertedId", documents.front()["_id"]);
  } else {
    result.open_array("insertedIds");
    for (const bson::Document& document : documents) result.push(document["_id"]);
    result.close();
  }
  co_return bson::Value::of(std::move(result).finish());
}

UpdateParts parts_of_update(const Operation& operation) {
  UpdateParts parts;
  parts.filter = operation.filter;
  parts.update = operation.update;
  parts.multi = operation.action == Action::kUpdateMany;
  parts.upsert = operation.upsert;
  parts.array_filters = operation.array_filters;
  parts.options = operation.options;
  return parts;
}

// One replacement for each document that matches, which MongoDB has no command for.
Task<bson::Value> replace_all(DataSource& source, const Operation& operation, CallOptions call) {
  FindParts find;
  const bson::Document only_id = bson::make_document("_id", std::int32_t{1});
  find.filter = operation.filter;
  find.projection = only_id;
  bson::Builder find_ids = find_command(operation.collection, find, operation.options);
  RESTITCH_CO_TRY(const bson::Document found,
                  co_await all_batches(source, operation, std::move(find_ids), call));
  std::int64_t matched = 0;
  std::int64_t modified = 0;
  for (const bson::Element& element : found.view()) {
    bson::Builder filter;
    filter.open_object("_id").append("$eq", element.value.get_document()["_id"]).close();
    const bson::Document by_id = std::move(filter).finish();
    UpdateParts parts = parts_of_update(operation);
    parts.filter = by_id;
    parts.multi = false;
    parts.upsert = false;
    bson::Builder command = update_command(operation.collection, parts);
    RESTITCH_CO_TRY(
        const bson::Document reply,
        co_await datasource::run_command(source, operation.database, std::move(command), call));
    matched += reply["n"].as_integer().value_or(0);
    modified += reply["nModified"].as_integer().value_or(0);
  }
  if (matched > 0 || !operation.upsert) co_return update_result(matched, modified, {});
  UpdateParts parts = parts_of_update(operation);
  parts.multi = false;
  bson::Builder command = update_command(operation.collection, parts);
  RESTITCH_CO_TRY(
      const bson::Document reply,
      co_await datasource::run_command(source, operation.database, std::move(command), call));
  co_return update_result_of(reply);
}

Task<bson::Value> update(DataSource& source, const Operation& operation, CallOptions call) {
  const bool replaces_many = operation.action == Action::kUpdateMany &&
                             operation.update.type() == bson::Type::kObject &&
                             !has_operators(operation.update);
  if (replaces_many && call.transaction == nullptr && source.has_transactions()) {
    const auto body = [&source, &operation, call](datasource::ClientTransaction& transaction) {
      CallOptions inside = call;
      inside.transaction = &transaction;
      return replace_all(source, operation, inside);
    };
    auto result = co_await datasource::with_transaction(source, body, call.deadline);
    // The source may have found only now that it has none.
    if (result || source.has_transactions()) co_return result;
  }
  if (replaces_many) {
    auto result = co_await replace_all(source, operation, call);
    co_return result;
  }
  bson::Builder command = update_command(operation.collection, parts_of_update(operation));
  RESTITCH_CO_TRY(
      const bson::Document reply,
      co_await datasource::run_command(source, operation.database, std::move(command), call));
  co_return update_result_of(reply);
}

Task<bson::Value> remove(DataSource& source, const Operation& operation, CallOptions call) {
  bson::Builder command =
      delete_command(operation.collection, operation.filter,
                     operation.action == Action::kDeleteMany, operation.options);
  RESTITCH_CO_TRY(
      const bson::Document reply,
      co_await datasource::run_command(source, operation.database, std::move(command), call));
  co_return deleted_result(reply["n"].as_integer().value_or(0));
}

Task<bson::Value> find_and_modify(DataSource& source, const Operation& operation,
                                  CallOptions call) {
  FindAndModifyParts parts;
  parts.filter = operation.filter;
  parts.projection = operation.projection;
  parts.sort = operation.sort;
  if (operation.action != Action::kFindOneAndDelete) parts.update = operation.update;
  parts.upsert = operation.upsert;
  parts.return_new = operation.return_new;
  parts.array_filters = operation.array_filters;
  parts.options = operation.options;
  bson::Builder command = find_and_modify_command(operation.collection, parts);
  RESTITCH_CO_TRY(
      const bson::Document reply,
      co_await datasource::run_command(source, operation.database, std::move(command), call));
  const auto document = reply["value"].as_object();
  if (!document) co_return bson::Value::null();
  co_return bson::Value::object(*document);
}

Task<bson::Value> bulk_write(DataSource& source, const Operation& operation, CallOptions call) {
  std::optional<Error> first;
  for (const bson::Element& element : operation.bulk.view()) {
    Result<Operation> model =
        operation_of_model(operation, element.value.as_object().value_or(bson::View()));
    if (!model) co_return std::move(model).error();
    auto done = co_await run_operation_as_system(source, std::move(*model), call);
    if (done) continue;
    if (operation.ordered) co_return std::move(done).error();
    if (!first) first = std::move(done).error();
  }
  if (first) co_return std::move(*first);
  co_return bson::Value::null();
}

}  // namespace

Task<bson::Value> run_operation_as_system(DataSource& source, Operation operation,
                                          CallOptions call) {
  RESTITCH_CO_CHECK(check_operation(operation));
  if (operation.action == Action::kCount) {
    RESTITCH_CO_TRY(
        const std::int64_t counted,
        co_await count_at_source(source, operation, operation.filter, operation.options, call));
    co_return bson::Value::of(counted);
  }
  using Runner = Task<bson::Value> (*)(DataSource&, const Operation&, CallOptions);
  Runner runner = nullptr;
  switch (operation.action) {
    case Action::kFind:
    case Action::kFindOne:
      runner = find;
      break;
    case Action::kAggregate:
      runner = aggregate;
      break;
    case Action::kDistinct:
      runner = distinct;
      break;
    case Action::kInsertOne:
    case Action::kInsertMany:
      runner = insert;
      break;
    case Action::kUpdateOne:
    case Action::kUpdateMany:
    case Action::kReplaceOne:
      runner = update;
      break;
    case Action::kDeleteOne:
    case Action::kDeleteMany:
      runner = remove;
      break;
    case Action::kBulkWrite:
      runner = bulk_write;
      break;
    default:
      runner = find_and_modify;
      break;
  }
  auto result = co_await runner(source, operation, call);
  co_return result;
}

}  // namespace restitch::rules
