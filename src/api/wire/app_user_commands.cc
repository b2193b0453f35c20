#include "api/wire/app_user_commands.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace restitch::api::wire {
namespace {

using rules::Action;
using rules::Operation;

constexpr int kFailedToParse = 9;
constexpr int kUnauthorized = 13;
constexpr int kTypeMismatch = 14;
constexpr int kDocumentValidationFailure = 121;
constexpr std::int64_t kMostStatements = 100'000;

using Names = std::span<const std::string_view>;

// What drivers add to every command by themselves and what changes nothing here.
constexpr std::array<std::string_view, 10> kEverywhere{
    "$db",        "$readPreference", "$clusterTime",         "lsid",   "txnNumber", "maxTimeMS",
    "apiVersion", "apiStrict",       "apiDeprecationErrors", "$client"};
constexpr std::array<std::string_view, 6> kFind{"filter", "projection", "sort",
                                                "limit",  "batchSize",  "singleBatch"};
constexpr std::array<std::string_view, 2> kAggregate{"pipeline", "cursor"};
constexpr std::array<std::string_view, 1> kCount{"query"};
constexpr std::array<std::string_view, 2> kDistinct{"key", "query"};
constexpr std::array<std::string_view, 2> kInsert{"documents", "ordered"};
constexpr std::array<std::string_view, 2> kUpdate{"updates", "ordered"};
constexpr std::array<std::string_view, 2> kDelete{"deletes", "ordered"};
constexpr std::array<std::string_view, 5> kUpdateStatement{"q", "u", "multi", "upsert",
                                                           "arrayFilters"};
constexpr std::array<std::string_view, 2> kDeleteStatement{"q", "limit"};

bool is_one_of(std::string_view name, Names names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Drivers' defaults say what happens anyway.
bool is_harmless(const bson::Element& option) {
  if (is_one_of(option.name, kEverywhere)) return true;
  if (option.name == "writeConcern") return option.value.type() == bson::Type::kObject;
  if (option.name != "readConcern") return false;
  const auto concern = option.value.as_object();
  return concern && (concern->empty() || (*concern)["level"].as_string() == "local");
}

Status check_options(bson::View command, Names allowed) {
  bool is_first = true;
  const std::string name(command.begin()->name);
  for (const bson::Element& option : command) {
    const bool is_name = std::exchange(is_first, false);
    if (is_name || is_one_of(option.name, allowed) || is_harmless(option)) continue;
    return mongo_error(kFailedToParse, "option '" + std::string(option.name) + "' of '" + name +
                                           "' is not available to app users");
  }
  return {};
}

Error wrong_type(std::string_view name, const char* expected) {
  return mongo_error(kTypeMismatch,
                     "field '" + std::string(name) + "' must be " + std::string(expected));
}

Result<bson::Document> object(bson::View from, const char* name) {
  const bson::ValueView value = from[name];
  if (value.is_nullish()) return bson::Document();
  const auto found = value.as_object();
  if (!found) return wrong_type(name, "an object");
  return bson::Document(*found);
}

Result<bson::Document> array(bson::View from, const char* name) {
  const bson::ValueView value = from[name];
  if (value.is_nullish()) return bson::Document();
  const auto found = value.as_array();
  if (!found) return wrong_type(name, "an array");
  return bson::Document(*found);
}

Result<bool> boolean(bson::View from, const char* name, bool missing) {
  const bson::ValueView value = from[name];
  if (value.is_nullish()) return missing;
  if (value.type() != bson::Type::kBool && !value.is_number()) return wrong_type(name, "a boolean");
  return value.truthy();
}

Result<std::optional<std::int64_t>> integer(bson::View from, const char* name) {
  const bson::ValueView value = from[name];
  if (value.is_nullish()) return std::optional<std::int64_t>();
  const auto found = value.as_integer();
  if (!found || *found < 0) return wrong_type(name, "a whole number >= 0");
  return std::optional<std::int64_t>(*found);
}

Result<Operation> operation_on(Action action, std::string_view source, std::string_view database,
                               bson::View command) {
  const auto collection = command.begin()->value.as_string();
  if (!collection || collection->empty()) {
    return mongo_error(kUnauthorized, "not authorized on " + std::string(database) +
                                          ": only collections are open to app users");
  }
  Operation operation;
  operation.action = action;
  operation.source = std::string(source);
  operation.database = std::string(database);
  operation.collection = std::string(*collection);
  return operation;
}

Status read_find(bson::View command, AppUserRead& read) {
  RESTITCH_CHECK(check_options(command, kFind));
  RESTITCH_TRY(read.operation.filter, object(command, "filter"));
  RESTITCH_TRY(read.operation.projection, object(command, "projection"));
  RESTITCH_TRY(read.operation.sort, object(command, "sort"));
  RESTITCH_TRY(const std::optional<std::int64_t> limit, integer(command, "limit"));
  RESTITCH_TRY(read.batch_size, integer(command, "batchSize"));
  RESTITCH_TRY(read.is_single_batch, boolean(command, "singleBatch", false));
  read.operation.limit = limit.value_or(0);
  return {};
}

Status read_aggregate(bson::View command, AppUserRead& read) {
  RESTITCH_CHECK(check_options(command, kAggregate));
  RESTITCH_TRY(read.operation.pipeline, array(command, "pipeline"));
  RESTITCH_TRY(const bson::Document cursor, object(command, "cursor"));
  if (!command.contains("cursor")) {
    return mongo_error(
        kFailedToParse,
        "The 'cursor' option is required, except for aggregate with the explain argument");
  }
  RESTITCH_TRY(read.batch_size, integer(cursor, "batchSize"));
  return {};
}

Status read_distinct(bson::View command, AppUserRead& read) {
  RESTITCH_CHECK(check_options(command, kDistinct));
  const auto key = command["key"].as_string();
  if (!key) return wrong_type("key", "a string");
  read.operation.distinct_key = std::string(*key);
  RESTITCH_TRY(read.operation.filter, object(command, "query"));
  return {};
}

Status add_insert(Operation base, bson::View command, AppUserWrites& writes) {
  RESTITCH_CHECK(check_options(command, kInsert));
  RESTITCH_TRY(const bson::Document documents, array(command, "documents"));
  for (const bson::Element& element : documents.view()) {
    const auto document = element.value.as_object();
    if (!document) return wrong_type("documents", "an array of objects");
    base.documents.emplace_back(*document);
  }
  base.ordered = writes.is_ordered;
  writes.statements.push_back(std::move(base));
  return {};
}

Status add_update(Operation base, bson::View statement, AppUserWrites& writes) {
  RESTITCH_TRY(base.filter, object(statement, "q"));
  RESTITCH_TRY(const bool is_multi, boolean(statement, "multi", false));
  RESTITCH_TRY(base.upsert, boolean(statement, "upsert", false));
  RESTITCH_TRY(base.array_filters, array(statement, "arrayFilters"));
  const bson::ValueView update = statement["u"];
  if (update.type() != bson::Type::kObject && update.type() != bson::Type::kArray) {
    return wrong_type("u", "an object or a pipeline");
  }
  base.action = is_multi ? Action::kUpdateMany : Action::kUpdateOne;
  base.update = bson::Value(update);
  writes.statements.push_back(std::move(base));
  return {};
}

Status add_delete(Operation base, bson::View statement, AppUserWrites& writes) {
  RESTITCH_TRY(base.filter, object(statement, "q"));
  RESTITCH_TRY(const std::optional<std::int64_t> limit, integer(statement, "limit"));
  base.action = limit.value_or(0) == 1 ? Action::kDeleteOne : Action::kDeleteMany;
  writes.statements.push_back(std::move(base));
  return {};
}

// The options of a statement: none of its members is the name of a command.
Status check_statement(bson::View statement, Names allowed) {
  for (const bson::Element& option : statement) {
    if (is_one_of(option.name, allowed)) continue;
    return mongo_error(kFailedToParse, "option '" + std::string(option.name) +
                                           "' of a write is not available to app users");
  }
  return {};
}

}  // namespace

AppUserCommand kind_of_command(std::string_view name) {
  static constexpr std::array<std::string_view, 4> reads{"find", "aggregate", "count", "distinct"};
  static constexpr std::array<std::string_view, 3> writes{"insert", "update", "delete"};
  static constexpr std::array<std::string_view, 11> others{
      "ping",           "buildInfo",     "buildinfo",       "getMore",          "killCursors",
      "endSessions",    "listDatabases", "listCollections", "connectionStatus", "logout",
      "refreshSessions"};
  if (is_one_of(name, reads)) return AppUserCommand::kRead;
  if (is_one_of(name, writes)) return AppUserCommand::kWrite;
  return is_one_of(name, others) ? AppUserCommand::kOther : AppUserCommand::kDenied;
}

Result<AppUserRead> parse_read(std::string_view source, std::string_view database,
                               bson::View command) {
  const std::string_view name = command.begin()->name;
  AppUserRead read;
  if (name == "find") {
    RESTITCH_TRY(read.operation, operation_on(Action::kFind, source, database, command));
    RESTITCH_CHECK(read_find(command, read));
  } else if (name == "aggregate") {
    RESTITCH_TRY(read.operation, operation_on(Action::kAggregate, source, database, command));
    RESTITCH_CHECK(read_aggregate(command, read));
  } else if (name == "count") {
    RESTITCH_TRY(read.operation, operation_on(Action::kCount, source, database, command));
    RESTITCH_CHECK(check_options(command, kCount));
    RESTITCH_TRY(read.operation.filter, object(command, "query"));
  } else {
    RESTITCH_TRY(read.operation, operation_on(Action::kDistinct, source, database, command));
    RESTITCH_CHECK(read_distinct(command, read));
  }
  return read;
}

Result<AppUserWrites> parse_writes(std::string_view source, std::string_view database,
                                   bson::View command) {
  const std::string_view name = command.begin()->name;
  AppUserWrites writes;
  RESTITCH_TRY(writes.is_ordered, boolean(command, "ordered", true));
  RESTITCH_TRY(const Operation base, operation_on(Action::kInsertMany, source, database, command));
  const bool is_insert = name == "insert";
  const bool is_update = name == "update";
  const char* list_name = is_insert ? "documents" : is_update ? "updates" : "deletes";
  RESTITCH_TRY(const bson::Document list, array(command, list_name));
  const std::int64_t count = static_cast<std::int64_t>(list.view().count());
  if (count < 1 || count > kMostStatements) {
    return mongo_error(16, "Write batch sizes must be between 1 and 100000. Got " +
                               std::to_string(count) + " operations.");
  }
  if (is_insert) {
    RESTITCH_CHECK(add_insert(base, command, writes));
    return writes;
  }
  RESTITCH_CHECK(check_options(command, is_update ? Names(kUpdate) : Names(kDelete)));
  for (const bson::Element& element : list.view()) {
    const auto statement = element.value.as_object();
    if (!statement) return wrong_type(list_name, "an array of objects");
    RESTITCH_CHECK(
        check_statement(*statement, is_update ? Names(kUpdateStatement) : Names(kDeleteStatement)));
    RESTITCH_CHECK(is_update ? add_update(base, *statement, writes)
                             : add_delete(base, *statement, writes));
  }
  return writes;
}

Error wire_error(const Error& error) {
  if (error.mongo_code() != 0) return error;
  switch (error.code()) {
    case ErrorCode::kNoMatchingRule:
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kServiceNotFound:
      return mongo_error(kUnauthorized, error.message());
    case ErrorCode::kSchemaValidation:
      return mongo_error(kDocumentValidationFailure, error.message());
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kMissingParameter:
    case ErrorCode::kBadRequest:
      return mongo_error(kFailedToParse, error.message());
    default:
      return error;
  }
}

}  // namespace restitch::api::wire
