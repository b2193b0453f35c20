#include "datasource/embedded/request_options.h"

#include "bson/extended_json.h"
#include "datasource/embedded/change_log.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::ValueView;
using bson::View;

constexpr std::int64_t kMaxTimeLimit = 2147483647;

Error invalid(std::string text) { return mongo_error(code::kInvalidOptions, std::move(text)); }

Status read_max_time(Operation& operation) {
  const ValueView value = operation.command["maxTimeMS"];
  if (value.is_nullish()) return {};
  const bool is_aggregate = operation.spec->name == "aggregate";
  if (!value.is_number()) {
    if (is_aggregate)
      return operation.fields().wrong_type("maxTimeMS", "[long, int, decimal, double");
    return mongo_error(code::kBadValue, "maxTimeMS must be a number");
  }
  const auto millis = value.as_integer();
  if (!millis) return mongo_error(code::kBadValue, "maxTimeMS has non-integral value");
  if (is_aggregate && *millis < 0) {
    return mongo_error(51024, "BSON field 'maxTimeMS' value must be >= 0, actual value '" +
                                  std::to_string(*millis) + "'");
  }
  if (*millis < 0 || *millis > kMaxTimeLimit) {
    return mongo_error(code::kBadValue, std::to_string(*millis) +
                                            " value for maxTimeMS is out of range [0, 2147483647]");
  }
  // In a getMore it is the time to wait for data.
  if (*millis == 0 || operation.spec->name == "getMore") return {};
  operation.deadline = std::min(
      operation.deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds(*millis));
  return {};
}

Result<std::optional<bson::Timestamp>> time_field(View concern, std::string_view name) {
  const ValueView value = concern[name];
  if (value.is_missing()) return std::optional<bson::Timestamp>();
  if (value.type() != bson::Type::kTimestamp) {
    return Fields(concern, "readConcern").wrong_type(name, "timestamp");
  }
  const bson::Timestamp time = value.get_timestamp();
  if (time == bson::Timestamp()) {
    return invalid(std::string(name) + " cannot be a null timestamp");
  }
  return std::optional<bson::Timestamp>(time);
}

bool is_level(std::string_view level) {
  return level == "local" || level == "available" || level == "majority" ||
         level == "linearizable" || level == "snapshot";
}

Status check_concern_fields(View concern) {
  for (const bson::Element& element : concern) {
    if (element.name == "level" || element.name == "afterClusterTime" ||
        element.name == "atClusterTime" || element.name == "provenance" ||
        element.name == "allowTransactionTableSnapshot") {
      continue;
    }
    return mongo_error(
        40415, "BSON field 'readConcern." + std::string(element.name) + "' is an unknown field.");
  }
  return {};
}

Status check_concern_in_transaction(const Operation& operation, std::string_view level) {
  if (!operation.session_request.starts_transaction) {
    return invalid("Only the first command in a transaction may specify a readConcern");
  }
  if (!level.empty() && level != "local" && level != "majority" && level != "snapshot") {
    return invalid(
        "The readConcern level must be either 'local' (default), 'majority' or "
        "'snapshot' in order to run in a transaction");
  }
  const std::string_view name = operation.spec->name;
  if ((name == "create" || name == "createIndexes") && !level.empty() && level != "local") {
    return invalid("Command " + std::string(name) +
                   " does not support readConcern other than 'local' in a transaction");
  }
  return {};
}

Status read_read_concern(Operation& operation) {
  RESTITCH_TRY(const View concern, operation.fields().object("readConcern"));
  if (concern.empty()) return {};
  RESTITCH_CHECK(check_concern_fields(concern));
  RESTITCH_TRY(const std::string_view level, Fields(concern, "readConcern").string("level"));
  if (!level.empty() && !is_level(level)) {
    return mongo_error(code::kBadValue,
                       "Enumeration value '" + std::string(level) +
                           "' for field 'readConcern.level' is not a valid value.");
  }
  ReadConcern& read = operation.read_concern;
  read.is_snapshot = level == "snapshot";
  RESTITCH_TRY(read.after, time_field(concern, "afterClusterTime"));
  RESTITCH_TRY(read.at, time_field(concern, "atClusterTime"));
  if (read.after && read.at) {
    return invalid(
        "Specifying a timestamp for both readConcern.atClusterTime and "
        "readConcern.afterClusterTime is not allowed");
  }
  if (read.after && (level == "available" || level == "linearizable")) {
    return invalid(
        "afterClusterTime field can be set only if level is equal to majority, local, "
        "or snapshot");
  }
  if (read.at && !read.is_snapshot) {
    return invalid("atClusterTime field can be set only if level is equal to snapshot");
  }
  if (operation.in_transaction()) return check_concern_in_transaction(operation, level);
  if (read.is_snapshot && !operation.spec->has(kSnapshotRead)) {
    return invalid("Command " + std::string(operation.spec->name) +
                   " does not support { readConcern: { level: \"snapshot\" } }");
  }
  return {};
}

void note_write_concern_error(Operation& operation, int number, const char* text, View concern) {
  Builder builder;
  builder.append("code", std::int32_t{number});
  builder.append("codeName", error_name(number));
  builder.append("errmsg", text);
  builder.open_object("errInfo").open_object("writeConcern");
  builder.append("w", concern["w"]);
  builder.append("wtimeout",
                 static_cast<std::int32_t>(concern["wtimeout"].as_integer().value_or(0)));
  builder.append("provenance", "clientSupplied");
  builder.close().close();
  operation.write_concern_error = std::move(builder).finish();
}

Status read_write_concern(Operation& operation) {
  RESTITCH_TRY(const View concern, operation.fields().object("writeConcern"));
  if (concern.empty()) return {};
  for (const bson::Element& element : concern) {
    if (element.name == "w" || element.name == "j" || element.name == "wtimeout" ||
        element.name == "fsync" || element.name == "provenance" || element.name == "getLastError") {
      continue;
    }
    return mongo_error(code::kFailedToParse,
                       "unrecognized write concern field: " + std::string(element.name));
  }
  if (operation.in_transaction() && !operation.spec->has(kEndsTransaction)) {
    return invalid("writeConcern is not allowed within a multi-statement transaction");
  }
  const ValueView w = concern["w"];
  const ValueView j = concern["j"];
  if (!j.is_nullish() && !j.as_bool() && !j.is_number()) {
    return mongo_error(code::kFailedToParse, "j must be numeric or a boolean value");
  }
  if (const ValueView timeout = concern["wtimeout"];
      !timeout.is_nullish() && !timeout.is_number()) {
    return mongo_error(code::kFailedToParse, "wtimeout must be a number");
  }
  const bool is_journaled = j.truthy();
  if (concern["fsync"].truthy() && is_journaled) {
    return mongo_error(code::kFailedToParse, "fsync and j options cannot be used together");
  }
  if (w.is_number()) {
    const auto count = w.as_integer();
    constexpr std::int64_t kMaxMembers = 50;
    if (!count || *count < 0 || *count > kMaxMembers) {
      return mongo_error(code::kFailedToParse,
                         "w has to be a non-negative number and not greater than 50");
    }
    operation.durability =
        is_journaled ? storage::Durability::kJournaled : storage::Durability::kBuffered;
    if (*count > 1) {
      note_write_concern_error(operation, code::kUnsatisfiableWriteConcern,
                               "Not enough data-bearing nodes", concern);
    }
    return {};
  }
  if (const auto mode = w.as_string()) {
    if (*mode != "majority") {
      note_write_concern_error(operation, code::kUnknownWriteConcern,
                               ("No write concern mode named '" + std::string(*mode) +
                                "' found in replica set configuration")
                                   .c_str(),
                               concern);
    }
    return {};
  }
  if (w.as_object()) {
    note_write_concern_error(operation, code::kUnsatisfiableWriteConcern,
                             "Not enough data-bearing nodes", concern);
    return {};
  }
  if (!w.is_nullish()) {
    return mongo_error(code::kFailedToParse, "w has to be a number, string, or object; found: " +
                                                 std::string(bson::alias_of(w.type())));
  }
  return {};
}

// Stages that version 1 of the Stable API leaves out; $collStats has its `count` only.
Status check_strict_stages(View stages) {
  static constexpr std::string_view kLeftOut[] = {
      "$currentOp",      "$indexStats", "$listLocalSessions", "$listSessions",
      "$planCacheStats", "$search",     "$listSearchIndexes", "$searchMeta"};
  for (const bson::Element& element : stages) {
    const auto stage = element.value.as_object();
    if (!stage || stage->empty()) continue;
    const bson::Element named = *stage->begin();
    bool is_allowed =
        std::find(std::begin(kLeftOut), std::end(kLeftOut), named.name) == std::end(kLeftOut);
    if (named.name == "$collStats") {
      const auto parts = named.value.as_object();
      is_allowed = parts && parts->count() == 1 && parts->contains("count");
    }
    if (!is_allowed) {
      return mongo_error(323, "stage " + std::string(named.name) +
                                  " is not allowed with 'apiStrict: true' in API Version 1");
    }
  }
  return {};
}

Status check_strict_api(const Operation& operation) {
  if (!is_in_stable_api(operation.spec->name)) {
    return mongo_error(323, "Provided apiStrict:true, but the command " +
                                std::string(operation.spec->name) + " is not in API Version 1.");
  }
  if (operation.spec->name == "find") {
    for (const std::string_view name : {"awaitData", "max", "min", "noCursorTimeout", "oplogReplay",
                                        "returnKey", "showRecordId", "tailable"}) {
      if (!operation.command.view().contains(name)) continue;
      return mongo_error(323, "BSON field 'FindCommandRequest." + std::string(name) +
                                  "' is not allowed with apiStrict:true.");
    }
  }
  const auto stages = operation.command["pipeline"].as_array();
  return stages ? check_strict_stages(*stages) : Status();
}

Status read_api_version(const Operation& operation) {
  const Fields fields = operation.fields();
  RESTITCH_TRY(const bool is_strict, fields.boolean("apiStrict"));
  RESTITCH_CHECK(fields.boolean("apiDeprecationErrors"));
  if (!fields.has("apiVersion")) {
    if (fields.has("apiStrict") || fields.has("apiDeprecationErrors")) {
      return mongo_error(322,
                         "Provided apiStrict and/or apiDeprecationErrors without passing "
                         "apiVersion");
    }
    const bool is_further =
        operation.spec->name == "getMore" ||
        (operation.in_transaction() && !operation.session_request.starts_transaction);
    if (operation.services.parameters.requires_api_version && operation.caller && !is_further) {
      return mongo_error(498870,
                         "The apiVersion parameter is required, please configure your "
                         "MongoClient's API version");
    }
    return {};
  }
  RESTITCH_TRY(const std::string_view version, fields.required_string("apiVersion"));
  if (version != "1") return mongo_error(322, "API version must be \"1\"");
  return is_strict ? check_strict_api(operation) : Status();
}

Status check_session_use(const Operation& operation) {
  const SessionRequest& session = operation.session_request;
  const CommandSpec& spec = *operation.spec;
  if (spec.has(kNoSession)) {
    if (session.in_transaction()) {
      return mongo_error(code::kNotInTransaction, "This command is not supported in transactions");
    }
    if (session.txn_number) {
      return mongo_error(50889, "It is illegal to provide a txnNumber for this command");
    }
    return {};
  }
  if (session.is_retryable_write() && !spec.has(kRetryableWrite)) {
    return mongo_error(50768,
                       "txnNumber may only be provided for multi-document transactions and "
                       "retryable write commands. autocommit:false was not provided, and " +
                           std::string(spec.name) + " is not a retryable write command.");
  }
  if (!session.in_transaction()) return {};
  const bool may_start = !spec.has(kEndsTransaction) && spec.name != "killCursors";
  if (!spec.has(kInTransaction) || (session.starts_transaction && !may_start)) {
    return mongo_error(code::kNotInTransaction, "Cannot run '" + std::string(spec.name) +
                                                    "' in a multi-document transaction.");
  }
  return {};
}

// 263 for reads and writes of internal databases, and of their system collections, in a
// transaction.
Status check_namespace_in_transaction(const Operation& operation) {
  if (!operation.in_transaction() || operation.spec->has(kEndsTransaction)) return {};
  const std::string_view name = operation.spec->name;
  const bool is_catalog = name == "create" || name == "createIndexes";
  if (is_catalog && is_internal_database(operation.database)) {
    return mongo_error(code::kNotInTransaction,
                       "Cannot perform data definition or write operations on database '" +
                           operation.database + "' in a multi-document transaction.");
  }
  if (name != "find" && name != "aggregate" && name != "distinct") return {};
  if (operation.database == "config" || operation.database == "local") {
    return mongo_error(
        code::kNotInTransaction,
        "Cannot run command against the '" + operation.database + "' database in a transaction.");
  }
  return {};
}

std::string number_text(std::int64_t number) { return std::to_string(number); }

std::string session_text(const SessionRequest& request) {
  return bson::to_shell(request.lsid.view());
}

void start_transaction(Operation& operation, Session& session, std::int64_t number) {
  session.abort();
  session.executed.clear();
  session.txn_number = number;
  session.state = TransactionState::kInProgress;
  session.started = std::chrono::steady_clock::now();
  session.started_at = wall_clock();
  ++operation.services.transactions.started;
  session.unit = std::make_unique<WriteUnit>(
      operation.services.engine->begin(storage::Transaction::Mode::kSnapshot));
  session.unit->set_origin({operation.session_request.lsid, number});
}

Status enter_transaction(Operation& operation, Session& session, std::int64_t number) {
  const SessionRequest& request = operation.session_request;
  if (number < session.txn_number) {
    return mongo_error(
        code::kTransactionTooOld,
        "Cannot start transaction with { txnNumber: " + number_text(number) + " } on session " +
            session_text(request) + " because a newer transaction with txnNumber " +
            number_text(session.txn_number) + " has already started on this session.");
  }
  if (request.starts_transaction) {
    if (number == session.txn_number) {
      return mongo_error(code::kConflictingOperation,
                         "Only servers in a sharded cluster can start a new transaction at the "
                         "active transaction number");
    }
    operation.services.cursors.kill_of_transaction(session.id, session.txn_number);
    start_transaction(operation, session, number);
    return {};
  }
  if (number != session.txn_number || session.state == TransactionState::kNone ||
      session.state == TransactionState::kRetryableWrites) {
    return mongo_error(code::kNoSuchTransaction,
                       "Given transaction number " + number_text(number) +
                           " does not match any in-progress transactions. The active transaction "
                           "number is " +
                           number_text(session.txn_number));
  }
  if (session.state == TransactionState::kInProgress &&
      std::chrono::steady_clock::now() - session.started >
          std::chrono::seconds(operation.services.parameters.transaction_lifetime_seconds.load())) {
    operation.services.cursors.kill_of_transaction(session.id, session.txn_number);
    session.abort();
    ++operation.services.transactions.aborted;
  }
  if (session.state == TransactionState::kAborted) {
    return mongo_error(code::kNoSuchTransaction, "Transaction with { txnNumber: " +
                                                     number_text(number) + " } has been aborted.");
  }
  if (session.state == TransactionState::kCommitted &&
      operation.spec->name != "commitTransaction") {
    return mongo_error(
        code::kTransactionCommitted,
        "Transaction with { txnNumber: " + number_text(number) + " } has been committed.");
  }
  return {};
}

Status enter_retryable_write(Operation& operation, Session& session, std::int64_t number) {
  const bool is_of_transaction = session.state != TransactionState::kRetryableWrites &&
                                 session.state != TransactionState::kNone;
  if (number < session.txn_number) {
    return mongo_error(
        code::kTransactionTooOld,
        "Retryable write with txnNumber " + number_text(number) + " is prohibited on session " +
            session_text(operation.session_request) + " because a newer " +
            (is_of_transaction ? "transaction" : "retryable write") + " with txnNumber " +
            number_text(session.txn_number) + " has already started on this session.");
  }
  if (number == session.txn_number) {
    if (!is_of_transaction) return {};
    return mongo_error(217,
                       "Cannot retry a retryable write that has been converted into a "
                       "transaction");
  }
  session.abort();
  session.executed.clear();
  session.txn_number = number;
  session.state = TransactionState::kRetryableWrites;
  return {};
}

}  // namespace

Status read_generic_options(Operation& operation) {
  const CommandSpec& spec = *operation.spec;
  if (operation.database != "$external" || !spec.has(kOnExternal)) {
    RESTITCH_CHECK(check_database_name(operation.database));
  }
  if (spec.has(kAdminOnly) && operation.database != "admin") {
    return mongo_error(code::kUnauthorized,
                       std::string(spec.name) + " may only be run against the admin database.");
  }
  RESTITCH_TRY(operation.session_request,
               SessionRequest::parse(operation.command, session_owner_of(operation)));
  RESTITCH_CHECK(read_api_version(operation));
  RESTITCH_CHECK(check_session_use(operation));
  RESTITCH_CHECK(check_namespace_in_transaction(operation));
  RESTITCH_CHECK(read_write_concern(operation));
  return read_read_concern(operation);
}

Status read_execution_options(Operation& operation) {
  RESTITCH_CHECK(check_known_fields(*operation.spec, operation.command));
  return read_max_time(operation);
}

Status enter_session(Operation& operation) {
  Session& session = *operation.session.get();
  if (!session.is_loaded) {
    RESTITCH_TRY(const auto row, operation.services.engine->snapshot()->session_row(session.id));
    if (row) read_session_row(session, *row);
    session.is_loaded = true;
  }
  const std::int64_t number = *operation.session_request.txn_number;
  return operation.in_transaction() ? enter_transaction(operation, session, number)
                                    : enter_retryable_write(operation, session, number);
}

}  // namespace restitch::datasource::embedded
