#include "functions/data_operations.h"

#include <algorithm>
#include <chrono>

#include "datasource/client.h"
#include "functions/frames.h"

namespace restitch::functions {

namespace {

constexpr std::size_t kMostPushedUsers = 1000;

std::string text(bson::ValueView value) { return std::string(value.as_string().value_or("")); }

Error wrong_argument(std::string_view name, std::string_view expected) {
  return Error(ErrorCode::kInvalidArgument,
               "'" + std::string(name) + "' must be " + std::string(expected));
}

Status read_object(bson::View args, std::string_view name, bson::Document& target) {
  const bson::ValueView value = args[name];
  if (value.is_nullish()) return {};
  const auto object = value.as_object();
  if (!object) return wrong_argument(name, "an object");
  target = bson::Document(*object);
  return {};
}

Status read_array(bson::View args, std::string_view name, bson::Document& target) {
  const bson::ValueView value = args[name];
  if (value.is_nullish()) return {};
  const auto array = value.as_array();
  if (!array) return wrong_argument(name, "an array");
  target = bson::Document(*array);
  return {};
}

Status read_count(bson::View args, std::string_view name, std::int64_t& target) {
  const bson::ValueView value = args[name];
  if (value.is_nullish()) return {};
  const auto number = value.as_integer();
  if (!number || *number < 0) return wrong_argument(name, "a number that is not negative");
  target = *number;
  return {};
}

Status read_documents(bson::View args, rules::Operation& operation) {
  if (operation.action == rules::Action::kInsertOne) {
    const auto document = args["document"].as_object();
    if (!document) return wrong_argument("document", "an object");
    operation.documents.emplace_back(*document);
  } else if (operation.action == rules::Action::kInsertMany) {
    const auto documents = args["documents"].as_array();
    if (!documents) return wrong_argument("documents", "an array of objects");
    for (const bson::Element& element : *documents) {
      const auto document = element.value.as_object();
      if (!document) return wrong_argument("documents", "an array of objects");
      operation.documents.emplace_back(*document);
    }
  }
  return {};
}

// Commits; asks again while the outcome is not known.
Task<void> commit(rules::TransactionHandle transaction, datasource::Deadline deadline) {
  const auto until =
      std::min(deadline, std::chrono::steady_clock::now() + datasource::kTransactionRetryTime);
  for (int attempt = 1;; ++attempt) {
    auto committed = co_await transaction->commit(deadline);
    const bool is_unknown = !committed && transaction->is_commit_unknown();
    if (!is_unknown || std::chrono::steady_clock::now() >= until) co_return committed;
    RESTITCH_CO_CHECK(co_await datasource::detail::wait_before_retry(attempt));
  }
}

}  // namespace

Result<rules::Operation> parse_operation(bson::View frame) {
  const std::string name = text(frame["action"]);
  const auto action = rules::action_from_name(name);
  if (!action) {
    return Error(ErrorCode::kServiceCommandNotFound, "unknown action '" + name + "'");
  }
  const bson::View args = frame["args"].as_object().value_or(bson::View());
  rules::Operation operation;
  operation.action = *action;
  operation.source = text(frame["service"]);
  operation.database = text(frame["database"]);
  operation.collection = text(frame["collection"]);
  RESTITCH_CHECK(read_object(args, "filter", operation.filter));
  RESTITCH_CHECK(read_object(args, "projection", operation.projection));
  RESTITCH_CHECK(read_object(args, "sort", operation.sort));
  RESTITCH_CHECK(read_object(args, "options", operation.options));
  RESTITCH_CHECK(read_array(args, "arrayFilters", operation.array_filters));
  RESTITCH_CHECK(read_array(args, "pipeline", operation.pipeline));
  RESTITCH_CHECK(read_array(args, "bulk", operation.bulk));
  RESTITCH_CHECK(read_count(args, "skip", operation.skip));
  RESTITCH_CHECK(read_count(args, "limit", operation.limit));
  RESTITCH_CHECK(read_documents(args, operation));
  operation.update = bson::Value(args["update"]);
  operation.upsert = args["upsert"].truthy();
  operation.return_new = args["returnNew"].truthy();
  const bson::ValueView ordered = args["ordered"];
  operation.ordered = ordered.is_nullish() || ordered.truthy();
  operation.distinct_key = text(args["key"]);
  return operation;
}

DataOperations::DataOperations(const FunctionAppInfo& app, std::shared_ptr<rules::DataAccess> data,
                               UserLookup users, NameLister names,
                               PushLookup push_registrations, rules::FunctionCaller* caller)
    : app_(app),
      data_(std::move(data)),
      users_(std::move(users)),
      names_(std::move(names)),
      push_registrations_(std::move(push_registrations)),
      caller_(caller),
      service_rules_(app.third_party) {}

asio::awaitable<std::vector<std::string>> DataOperations::serve(CallPointer call,
                                                                bson::Document frame) const {
  ErrorLabels labels;
  const Result<bson::Value> result = co_await answer(call, frame, labels);
  co_return operation_result_frames(frame["id"].as_integer().value_or(0),
                                    frame["op"].as_integer().value_or(0), result, labels);
}

Task<bson::Value> DataOperations::answer(const CallPointer& call, bson::View frame,
                                         ErrorLabels& labels) const {
  const std::string_view kind = frame["t"].as_string().value_or("");
  if (kind == "getUser") {
    RESTITCH_CO_TRY(const std::shared_ptr<const rules::User> found,
                    co_await user(call, text(frame["userId"])));
    co_return bson::Value::of(user_document(*found));
  }
  if (kind == "session") co_return co_await change_session(call, frame, labels);
  co_return co_await operate(call, frame, labels);
}

Task<bson::Value> DataOperations::operate(const CallPointer& call, bson::View frame,
                                          ErrorLabels& labels) const {
  const std::string action = text(frame["action"]);
  if (action == "getDBNames" || action == "getCollectionNames") {
    co_return co_await list_names(frame);
  }
  if (action == "authorizeService") co_return co_await authorize_service(call, frame);
  const std::string source = text(frame["service"]);
  if (!data_->has_source(source)) {
    co_return Error(ErrorCode::kServiceNotFound, "service not found: '" + source + "'");
  }
  RESTITCH_CO_TRY(rules::Operation operation, parse_operation(frame));
  const auto session = frame["session"].as_integer();
  if (!session) co_return co_await run(call, frame, std::move(operation), nullptr);

  rules::TransactionHandle transaction;
  {
    const std::lock_guard lock(call->sessions_mutex);
    const auto found = call->sessions.find(*session);
    if (found == call->sessions.end() || found->second.is_busy || found->second.source != source) {
      co_return Error(ErrorCode::kInvalidArgument,
                      "the session has no transaction for this operation");
    }
    found->second.is_busy = true;
    transaction = found->second.handle;
  }
  auto result = co_await run(call, frame, std::move(operation), transaction);
  labels.is_transient = !result && transaction->is_transient();
  {
    const std::lock_guard lock(call->sessions_mutex);
    if (const auto found = call->sessions.find(*session); found != call->sessions.end()) {
      found->second.is_busy = false;
    }
  }
  co_return result;
}

Task<bson::Value> DataOperations::run(const CallPointer& call, bson::View frame,
                                      rules::Operation operation,
                                      rules::TransactionHandle transaction) const {
  if (frame["asSystem"].truthy()) {
    co_return co_await data_->run_as_system(std::move(operation), call->deadline,
                                            std::move(transaction));
  }
  RESTITCH_CO_TRY(const std::shared_ptr<const rules::User> other, co_await other_user(call, frame));
  const rules::EvaluationContext context =
      evaluation_context(call, other == nullptr ? call->user : *other);
  co_return co_await data_->run_as_user(std::move(operation), context, call->deadline,
                                        std::move(transaction));
}

Task<std::shared_ptr<const rules::User>> DataOperations::other_user(const CallPointer& call,
                                                                    bson::View frame) const {
  std::string id = text(frame["userId"]);
  if (id.empty()) co_return std::shared_ptr<const rules::User>();
  co_return co_await user(call, std::move(id));
}

rules::EvaluationContext DataOperations::evaluation_context(const CallPointer& call,
                                                            const rules::User& user) const {
  return {user,    call->request,   app_.values, app_.environment_tag, app_.environment_values,
          caller_, call->request_id};
}

// Whether the running function may do an action of a third-party service; the system may.
Task<bson::Value> DataOperations::authorize_service(const CallPointer& call,
                                                    bson::View frame) const {
  const std::string service = text(frame["service"]);
  const bson::View arguments = frame["args"].as_object().value_or(bson::View());
  const bson::View wanted = arguments["options"].as_object().value_or(bson::View());
  const bson::Document args(wanted["args"].as_object().value_or(bson::View()));
  if (!frame["asSystem"].truthy()) {
    RESTITCH_CO_TRY(const std::shared_ptr<const rules::User> other,
                    co_await other_user(call, frame));
    const rules::EvaluationContext context =
        evaluation_context(call, other == nullptr ? call->user : *other);
    RESTITCH_CO_CHECK(
        co_await service_rules_.authorize(service, text(wanted["action"]), args, context));
  }
  co_return co_await find_devices(service, args);
}

Task<bson::Value> DataOperations::find_devices(std::string service, bson::View args) const {
  const ThirdPartyService* known = find_service(app_.third_party, service);
  const bool pushes = known != nullptr && known->type == kPushServiceType;
  const bson::ValueView stated = args["userIds"];
  if (!pushes || stated.is_nullish()) co_return bson::Value::null();
  const Error wrong(ErrorCode::kInvalidArgument, "expected 'userIds' to be an array of at most " +
                                                     std::to_string(kMostPushedUsers) + " texts");
  const auto list = stated.as_array();
  if (!list || list->count() > kMostPushedUsers) co_return wrong;
  std::vector<std::string> user_ids;
  for (const bson::Element& element : *list) {
    const auto id = element.value.as_string();
    if (!id) co_return wrong;
    user_ids.emplace_back(*id);
  }
  if (!push_registrations_) co_return bson::Value::array(bson::View());
  co_return co_await push_registrations_(service, std::move(user_ids));
}

Task<bson::Value> DataOperations::list_names(bson::View frame) const {
  const std::string action = text(frame["action"]);
  if (!frame["asSystem"].truthy()) {
    co_return Error(ErrorCode::kInvalidArgument, action + " is available to system functions only");
  }
  if (!names_) {
    co_return Error(ErrorCode::kServiceCommandNotFound, "unknown action '" + action + "'");
  }
  const std::string database = action == "getDBNames" ? std::string() : text(frame["database"]);
  co_return co_await names_(text(frame["service"]), database);
}

Task<bson::Value> DataOperations::change_session(const CallPointer& call, bson::View frame,
                                                 ErrorLabels& labels) const {
  const std::int64_t session = frame["session"].as_integer().value_or(0);
  const std::string action = text(frame["action"]);
  if (action == "start") {
    co_return co_await begin_transaction(call, session, text(frame["service"]));
  }
  if (action == "commit" || action == "abort") {
    co_return co_await end_transaction(call, session, action == "commit", labels);
  }
  co_return Error(ErrorCode::kInvalidArgument, "unknown session action '" + action + "'");
}

Task<bson::Value> DataOperations::begin_transaction(const CallPointer& call, std::int64_t session,
                                                    std::string source) const {
  RESTITCH_CO_TRY(rules::TransactionHandle handle, data_->begin_transaction(source));
  const std::lock_guard lock(call->sessions_mutex);
  if (call->has_ended) co_return Error(ErrorCode::kClosing, "the function call has ended");
  const bool is_new =
      call->sessions.try_emplace(session, FunctionTransaction{std::move(handle), source}).second;
  if (!is_new) co_return Error(ErrorCode::kInvalidArgument, "transaction already in progress");
  co_return bson::Value::null();
}

Task<bson::Value> DataOperations::end_transaction(const CallPointer& call, std::int64_t session,
                                                  bool commits, ErrorLabels& labels) const {
  rules::TransactionHandle handle;
  {
    const std::lock_guard lock(call->sessions_mutex);
    const auto found = call->sessions.find(session);
    if (found == call->sessions.end() || found->second.is_busy) {
      co_return Error(ErrorCode::kInvalidArgument, "no transaction started");
    }
    handle = std::move(found->second.handle);
    call->sessions.erase(found);
  }
  auto ended = commits ? commit(handle, call->deadline) : handle->abort(call->deadline);
  const Status status = co_await std::move(ended);
  labels.is_transient = !status && handle->is_transient();
  labels.is_commit_unknown = !status && handle->is_commit_unknown();
  if (!status) co_return status.error();
  co_return bson::Value::null();
}

asio::awaitable<void> DataOperations::end_call(CallPointer call) const {
  std::map<std::int64_t, FunctionTransaction> open;
  {
    const std::lock_guard lock(call->sessions_mutex);
    call->has_ended = true;
    open.swap(call->sessions);
  }
  for (auto& [session, transaction] : open) {
    const Status aborted = co_await transaction.handle->abort();
    static_cast<void>(aborted);
  }
}

Task<std::shared_ptr<const rules::User>> DataOperations::user(const CallPointer& call,
                                                              std::string id) const {
  {
    const std::lock_guard lock(call->sessions_mutex);
    if (const auto found = call->users.find(id); found != call->users.end())
      co_return found->second;
  }
  RESTITCH_CO_TRY(rules::User found, co_await users_(id));
  auto shared = std::make_shared<const rules::User>(std::move(found));
  const std::lock_guard lock(call->sessions_mutex);
  co_return call->users.try_emplace(std::move(id), std::move(shared)).first->second;
}

}  // namespace restitch::functions
