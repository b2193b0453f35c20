#include "rules/commands.h"

#include <initializer_list>
#include <limits>
#include <utility>

namespace restitch::rules {
namespace {

void append_options(bson::Builder& builder, bson::View options,
                    std::initializer_list<const char*> names) {
  if (options.empty()) return;
  for (const char* name : names) {
    const bson::ValueView value = options.find(name);
    if (!value.is_nullish()) builder.append(name, value);
  }
}

void append_if_any(bson::Builder& builder, const char* name, bson::View object) {
  if (!object.empty()) builder.append(name, object);
}

void append_array_if_any(bson::Builder& builder, const char* name, bson::View array) {
  if (!array.empty()) builder.append_array(name, array);
}

// Results count in int32; nothing a command changes comes near the limit.
std::int32_t narrow(std::int64_t count) {
  return static_cast<std::int32_t>(
      std::min<std::int64_t>(count, std::numeric_limits<std::int32_t>::max()));
}

std::optional<bson::View> member_object(bson::View object, const char* name) {
  return object.find(name).as_object();
}

}  // namespace

bson::Builder find_command(const std::string& collection, const FindParts& parts,
                           bson::View options) {
  bson::Builder builder;
  builder.append("find", collection).append("filter", parts.filter);
  append_if_any(builder, "projection", parts.projection);
  append_if_any(builder, "sort", parts.sort);
  if (parts.skip > 0) builder.append("skip", parts.skip);
  if (parts.limit > 0) builder.append("limit", parts.limit);
  if (parts.batch_size > 0) builder.append("batchSize", parts.batch_size);
  append_options(builder, options,
                 {"hint", "collation", "allowDiskUse", "comment", "maxTimeMS", "let", "min", "max",
                  "readConcern", "$readPreference"});
  return builder;
}

bson::Builder aggregate_command(const std::string& collection, bson::View pipeline,
                                bson::View options) {
  bson::Builder builder;
  if (collection.empty()) {
    builder.append("aggregate", std::int32_t{1});
  } else {
    builder.append("aggregate", collection);
  }
  builder.append_array("pipeline", pipeline).open_object("cursor").close();
  append_options(builder, options,
                 {"hint", "collation", "allowDiskUse", "comment", "maxTimeMS", "let",
                  "bypassDocumentValidation", "readConcern", "writeConcern", "$readPreference"});
  return builder;
}

bson::Builder count_command(const std::string& collection, bson::View filter, std::int64_t skip,
                            std::int64_t limit, bson::View options) {
  bson::Builder builder;
  builder.append("count", collection).append("query", filter);
  if (skip > 0) builder.append("skip", skip);
  if (limit > 0) builder.append("limit", limit);
  append_options(builder, options,
                 {"hint", "collation", "comment", "maxTimeMS", "readConcern", "$readPreference"});
  return builder;
}

bson::Document counting_pipeline(bson::View filter, std::int64_t skip, std::int64_t limit) {
  bson::Builder builder;
  builder.push_object().append("$match", filter).close();
  if (skip > 0) builder.push_object().append("$skip", skip).close();
  if (limit > 0) builder.push_object().append("$limit", limit).close();
  builder.push_object().append("$count", "n").close();
  return std::move(builder).finish();
}

Task<std::int64_t> count_at_source(datasource::DataSource& source, const Operation& operation,
                                   bson::View filter, bson::View options,
                                   datasource::CallOptions call) {
  if (call.transaction == nullptr) {
    bson::Builder command =
        count_command(operation.collection, filter, operation.skip, operation.limit, options);
    RESTITCH_CO_TRY(
        const bson::Document reply,
        co_await datasource::run_command(source, operation.database, std::move(command), call));
    co_return reply["n"].as_integer().value_or(0);
  }
  const bson::Document pipeline = counting_pipeline(filter, operation.skip, operation.limit);
  bson::Builder command = aggregate_command(operation.collection, pipeline, options);
  RESTITCH_CO_TRY(
      const bson::Document reply,
      co_await datasource::run_command(source, operation.database, std::move(command), call));
  const auto cursor = reply["cursor"].as_object();
  const auto batch = cursor ? cursor->find("firstBatch").as_array() : std::nullopt;
  if (!batch || batch->empty()) co_return std::int64_t{0};
  const auto group = batch->begin()->value.as_object();
  co_return group ? group->find("n").as_integer().value_or(0) : std::int64_t{0};
}

bson::Builder distinct_command(const std::string& collection, const std::string& key,
                               bson::View filter, bson::View options) {
  bson::Builder builder;
  builder.append("distinct", collection).append("key", key).append("query", filter);
  append_options(builder, options,
                 {"hint", "collation", "comment", "maxTimeMS", "readConcern", "$readPreference"});
  return builder;
}

bson::Builder update_command(const std::string& collection, const UpdateParts& parts) {
  bson::Builder builder;
  builder.append("update", collection).open_array("updates").push_object();
  builder.append("q", parts.filter).append("u", parts.update);
  if (parts.multi) builder.append("multi", true);
  if (parts.upsert) builder.append("upsert", true);
  append_array_if_any(builder, "arrayFilters", parts.array_filters);
  append_options(builder, parts.options, {"hint", "collation"});
  builder.close().close();
  append_options(builder, parts.options,
                 {"let", "comment", "maxTimeMS", "bypassDocumentValidation", "writeConcern"});
  return builder;
}

bson::Builder delete_command(const std::string& collection, bson::View filter, bool multi,
                             bson::View options) {
  bson::Builder builder;
  builder.append("delete", collection).open_array("deletes").push_object();
  builder.append("q", filter).append("limit", std::int32_t{multi ? 0 : 1});
  append_options(builder, options, {"hint", "collation"});
  builder.close().close();
  append_options(builder, options, {"let", "comment", "maxTimeMS", "writeConcern"});
  return builder;
}

bson::Builder find_and_modify_command(const std::string& collection,
                                      const FindAndModifyParts& parts) {
  bson::Builder builder;
  builder.append("findAndModify", collection).append("query", parts.filter);
  append_if_any(builder, "sort", parts.sort);
  if (parts.update.is_missing()) {
    builder.append("remove", true);
  } else {
    builder.append("update", parts.update);
    if (parts.return_new) builder.append("new", true);
    if (parts.upsert) builder.append("upsert", true);
    append_array_if_any(builder, "arrayFilters", parts.array_filters);
  }
  append_if_any(builder, "fields", parts.projection);
  append_options(builder, parts.options,
                 {"hint", "collation", "let", "comment", "maxTimeMS", "bypassDocumentValidation",
                  "writeConcern"});
  return builder;
}

const bson::Document& binary_collation() {
  static const bson::Document options = [] {
    bson::Builder builder;
    builder.open_object("collation").append("locale", "simple").close();
    return std::move(builder).finish();
  }();
  return options;
}

bson::Value update_result(std::int64_t matched, std::int64_t modified,
                          bson::ValueView upserted_id) {
  bson::Builder builder;
  builder.append("matchedCount", narrow(matched)).append("modifiedCount", narrow(modified));
  builder.append("upsertedId", upserted_id);
  return bson::Value::of(std::move(builder).finish());
}

bson::Value update_result_of(bson::View reply) {
  std::int64_t matched = reply["n"].as_integer().value_or(0);
  const std::int64_t modified = reply["nModified"].as_integer().value_or(0);
  const auto upserted = reply["upserted"].as_array();
  if (!upserted || upserted->empty()) return update_result(matched, modified, {});
  const auto first = upserted->begin()->value.as_object();
  return update_result(matched - 1, modified, first ? first->find("_id") : bson::ValueView());
}

bson::Value deleted_result(std::int64_t count) {
  bson::Builder builder;
  builder.append("deletedCount", narrow(count));
  return bson::Value::of(std::move(builder).finish());
}

bool has_operators(bson::ValueView update) {
  const auto object = update.as_object();
  if (!object) return false;
  for (const bson::Element& element : *object) {
    if (element.name.starts_with('$')) return true;
  }
  return false;
}

Status check_operation(const Operation& operation) {
  const bool replaces =
      operation.action == Action::kFindOneAndReplace || operation.action == Action::kReplaceOne;
  if (replaces && has_operators(operation.update)) {
    return Error(ErrorCode::kInvalidArgument,
                 "the replace operation document must not contain atomic operators");
  }
  if (operation.action == Action::kInsertMany && operation.documents.empty()) {
    return Error(ErrorCode::kInvalidArgument, "must provide at least one element to insert");
  }
  return {};
}

Result<Operation> operation_of_model(const Operation& bulk, bson::View model) {
  const Error unknown(ErrorCode::kInvalidArgument, "unknown bulk write operation");
  if (model.empty()) return unknown;
  const bson::Element element = *model.begin();
  const auto action = action_from_name(element.name);
  const auto body = element.value.as_object();
  if (!action || !body) return unknown;
  Operation operation;
  operation.action = *action;
  operation.source = bulk.source;
  operation.database = bulk.database;
  operation.collection = bulk.collection;
  operation.options = bulk.options;
  operation.filter = bson::Document(member_object(*body, "filter").value_or(bson::View()));
  operation.upsert = body->find("upsert").truthy();
  if (const auto filters = body->find("arrayFilters").as_array()) {
    operation.array_filters = bson::Document(*filters);
  }
  switch (*action) {
    case Action::kInsertOne: {
      const auto document = member_object(*body, "document");
      operation.documents.emplace_back(document ? *document : *body);
      return operation;
    }
    case Action::kUpdateOne:
    case Action::kUpdateMany:
      operation.update = bson::Value(body->find("update"));
      return operation;
    case Action::kReplaceOne:
      operation.update = bson::Value(body->find("replacement"));
      return operation;
    case Action::kDeleteOne:
    case Action::kDeleteMany:
      return operation;
    default:
      return unknown;
  }
}

}  // namespace restitch::rules
