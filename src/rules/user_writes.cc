#include "rules/user_writes.h"

#include <utility>
#include <vector>

#include "query/update/update.h"
#include "rules/commands.h"
#include "rules/inserts.h"
#include "rules/update_plan.h"
#include "rules/write_checks.h"

namespace restitch::rules {
namespace {

bool is_pipeline(bson::ValueView update) { return update.type() == bson::Type::kArray; }

// An update without operators replaces the document; MongoDB itself does so for one document only.
bool is_replacement(bson::ValueView update) {
  return !is_pipeline(update) && !has_operators(update);
}

// Whether the source can be left to update whatever matches: no document has to be looked at.
bool needs_no_decision(const UserRequest& request, const WriteReach& reach) {
  const Operation& operation = request.operation;
  if (!reach.applying.exact || !reach.may_update) return false;
  if (request.applying_rules.schema || request.validators) return false;
  if (operation.upsert && (!reach.may_insert || request.has_filters)) return false;
  if (is_multi(operation.action) && is_replacement(operation.update)) return false;
  return !mentions_reserved_field(operation.update) &&
         !mentions_reserved_field(bson::ValueView(
             bson::Type::kObject, operation.filter.view().data(), operation.filter.view().size()));
}

bool needs_no_decision_to_delete(const UserRequest& request, const WriteReach& reach) {
  return reach.applying.exact && reach.may_delete && !request.validators;
}

// Where the source decides alone which documents a role's comparison takes in, it must not use a
// collation.
const bson::Document& options_for(const WriteReach& reach) {
  static const bson::Document none;
  return reach.applying.kind == Pushed::Kind::kQuery ? binary_collation() : none;
}

Task<bson::Document> run(UserRequest& request, bson::Builder command) {
  return datasource::run_command(request.source, request.operation.database, std::move(command),
                                 request.call);
}

Task<bson::Value> update_directly(UserRequest& request, const WriteReach& reach) {
  const Operation& operation = request.operation;
  const bson::Document query = conjunction(request.query, reach.applying.to_query());
  UpdateParts parts;
  parts.filter = query;
  parts.update = operation.update;
  parts.multi = is_multi(operation.action);
  parts.upsert = operation.upsert;
  parts.array_filters = operation.array_filters;
  parts.options = options_for(reach);
  bson::Builder command = update_command(operation.collection, parts);
  RESTITCH_CO_TRY(const bson::Document reply, co_await run(request, std::move(command)));
  co_return update_result_of(reply);
}

Task<bson::Value> update_by_decision(UserRequest& request) {
  RESTITCH_CO_TRY(const UpdateProgram program, UpdateProgram::compile(request));
  const bool multi = is_multi(request.operation.action);
  RESTITCH_CO_TRY(const WriteOutcome outcome, co_await write_matching(request, &program, multi));
  bson::ValueView upserted_id;
  if (outcome.is_upsert) upserted_id = (*outcome.after)["_id"];
  co_return update_result(outcome.matched, outcome.modified, upserted_id);
}

Task<bson::Value> delete_by_decision(UserRequest& request) {
  const bool multi = is_multi(request.operation.action);
  RESTITCH_CO_TRY(const WriteOutcome outcome, co_await write_matching(request, nullptr, multi));
  co_return deleted_result(outcome.modified);
}

// The stored document as a client's result: what may be seen of it, or null.
Task<bson::Value> presented(UserRequest& request, std::optional<bson::View> document) {
  if (!document) co_return bson::Value::null();
  RESTITCH_CO_TRY(const std::optional<bson::Document> visible,
                  co_await visible_part(request, *document));
  if (!visible) co_return bson::Value::null();
  RESTITCH_CO_TRY(const Presenter presenter, Presenter::create(request));
  RESTITCH_CO_TRY(bson::Document shown, presenter.show(*visible));
  co_return bson::Value::of(std::move(shown));
}

std::optional<bson::View> view_of(const std::optional<bson::Document>& document) {
  if (!document) return std::nullopt;
  return document->view();
}

Task<bson::Value> modify_by_decision(UserRequest& request) {
  WriteOutcome outcome;
  if (request.operation.action == Action::kFindOneAndDelete) {
    RESTITCH_CO_TRY(outcome, co_await write_matching(request, nullptr, false));
  } else {
    RESTITCH_CO_TRY(const UpdateProgram program, UpdateProgram::compile(request));
    RESTITCH_CO_TRY(outcome, co_await write_matching(request, &program, false));
  }
  const bool wants_after =
      request.operation.return_new && request.operation.action != Action::kFindOneAndDelete;
  auto result = co_await presented(request, view_of(wants_after ? outcome.after : outcome.before));
  co_return result;
}

Task<bson::Value> modify_directly(UserRequest& request, const WriteReach& reach) {
  const Operation& operation = request.operation;
  const bson::Document query = conjunction(request.query, reach.applying.to_query());
  FindAndModifyParts parts;
  parts.filter = query;
  parts.sort = operation.sort;
  if (operation.action != Action::kFindOneAndDelete) parts.update = operation.update;
  parts.upsert = operation.upsert;
  parts.return_new = operation.return_new;
  parts.array_filters = operation.array_filters;
  parts.options = options_for(reach);
  bson::Builder command = find_and_modify_command(operation.collection, parts);
  RESTITCH_CO_TRY(const bson::Document reply, co_await run(request, std::move(command)));
  auto result = co_await presented(request, reply["value"].as_object());
  co_return result;
}

// The documents of a request with their _ids.
Task<std::vector<bson::Document>> documents_to_insert(UserRequest& request) {
  std::vector<bson::Document> documents;
  for (const bson::Document& given : request.operation.documents) {
    RESTITCH_CO_TRY(bson::Document document, query::prepare_for_insert(given, bson::Timestamp{}));
    RESTITCH_CO_CHECK(check_reserved_fields(bson::View(), document));
    RESTITCH_CO_TRY(const bool is_allowed, co_await is_insert_allowed(request, document));
    if (!is_allowed) co_return write_denied(WriteKind::kInsert);
    documents.push_back(std::move(document));
  }
  for (const bson::Document& document : documents) {
    request.rules.next_document();
    RESTITCH_CO_CHECK(co_await check_schema(request, WriteKind::kInsert, document, std::nullopt));
  }
  co_return documents;
}

}  // namespace

bool leaves_write_to_source(const UserRequest& request, const WriteReach& reach) {
  switch (request.operation.action) {
    case Action::kDeleteOne:
    case Action::kDeleteMany:
    case Action::kFindOneAndDelete:
      return needs_no_decision_to_delete(request, reach);
    default:
      return needs_no_decision(request, reach);
  }
}

Task<bson::Value> insert_as_user(UserRequest& request) {
  RESTITCH_CO_TRY(const std::vector<bson::Document> documents,
                  co_await documents_to_insert(request));
  const Operation& operation = request.operation;
  const Insertion insertion{operation.database, operation.collection, documents, operation.ordered,
                            bson::View()};
  RESTITCH_CO_CHECK(co_await insert_all(request.source, insertion, request.call));
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

Task<bson::Value> update_as_user(UserRequest& request) {
  RESTITCH_CO_TRY(const WriteReach reach, co_await find_write_reach(request));
  if (needs_no_decision(request, reach)) {
    auto result = co_await update_directly(request, reach);
    co_return result;
  }
  auto result = co_await run_atomically(request, update_by_decision);
  co_return result;
}

Task<bson::Value> delete_as_user(UserRequest& request) {
  const Operation& operation = request.operation;
  RESTITCH_CO_TRY(const WriteReach reach, co_await find_write_reach(request));
  if (!needs_no_decision_to_delete(request, reach)) {
    auto result = co_await run_atomically(request, delete_by_decision);
    co_return result;
  }
  const bson::Document query = conjunction(request.query, reach.applying.to_query());
  bson::Builder command =
      delete_command(operation.collection, query, is_multi(operation.action), options_for(reach));
  RESTITCH_CO_TRY(const bson::Document reply, co_await run(request, std::move(command)));
  co_return deleted_result(reply["n"].as_integer().value_or(0));
}

Task<bson::Value> find_and_modify_as_user(UserRequest& request) {
  // A projection that is wrong must be found before anything is written.
  RESTITCH_CO_CHECK(Presenter::create(request));
  RESTITCH_CO_TRY(const WriteReach reach, co_await find_write_reach(request));
  if (leaves_write_to_source(request, reach)) {
    auto result = co_await modify_directly(request, reach);
    co_return result;
  }
  auto result = co_await run_atomically(request, modify_by_decision);
  co_return result;
}

}  // namespace restitch::rules
