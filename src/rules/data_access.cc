#include "rules/data_access.h"

#include <algorithm>
#include <utility>

#include "datasource/watch.h"
#include "rules/commands.h"
#include "rules/explain/explain.h"
#include "rules/namespaces.h"
#include "rules/system_operations.h"
#include "rules/user_limits.h"
#include "rules/user_reads.h"
#include "rules/user_request.h"
#include "rules/user_watch.h"
#include "rules/user_writes.h"

namespace restitch::rules {
namespace {

Error no_rule(const std::string& database, const std::string& collection) {
  return Error(ErrorCode::kNoMatchingRule,
               "no rule exists for namespace '" + database + "." + collection + "'");
}

std::string why_no_rules(const std::string& database, datasource::Kind kind) {
  if (is_reserved_database(database)) return "no user reaches the database '" + database + "'";
  if (kind == datasource::Kind::kFederated) return "federated data sources have no rules";
  return "neither the collection nor the data source's default rule has any";
}

Error no_transactions(std::string_view source) {
  return Error(ErrorCode::kUnsupported,
               "data source '" + std::string(source) + "' has no transactions");
}

// Errors as clients know them (spec: rules §2).
Error client_error(Error error, const std::string& source) {
  if (error.code() == ErrorCode::kDuplicateKey) {
    return Error(ErrorCode::kMongo, error.mongo_code(), "Duplicate key error: " + error.message())
        .with_detail(error.detail());
  }
  if (error.code() == ErrorCode::kWouldBlock) return mongo_error(50, "operation exceeded time limit");
  if (error.code() == ErrorCode::kUnsupported) return no_transactions(source);
  if (error.code() == ErrorCode::kSourceUnavailable) {
    return Error(ErrorCode::kSourceUnavailable, "data source '" + source + "' is not available")
        .with_detail(error.message());
  }
  return error;
}

Error no_watch(const std::string& source) {
  return Error(ErrorCode::kInvalidArgument,
               "watch is not possible on the data source '" + source + "'");
}

Task<bson::Value> run_action(UserRequest& request);

// The models one by one, each atomic by itself.
Task<bson::Value> bulk_write_as_user(UserRequest& request) {
  const Operation bulk = request.operation;
  std::optional<Error> first;
  for (const bson::Element& element : bulk.bulk.view()) {
    Result<Operation> model =
        operation_of_model(bulk, element.value.as_object().value_or(bson::View()));
    if (!model) co_return std::move(model).error();
    request.operation = std::move(*model);
    auto done = co_await run_action(request);
    if (done) continue;
    if (bulk.ordered) co_return std::move(done).error();
    if (!first) first = std::move(done).error();
  }
  if (first) co_return std::move(*first);
  co_return bson::Value::null();
}

using Runner = Task<bson::Value> (*)(UserRequest&);

Runner runner_of(Action action) {
  switch (action) {
    case Action::kFind:
    case Action::kFindOne:
      return find_as_user;
    case Action::kCount:
      return count_as_user;
    case Action::kDistinct:
      return distinct_as_user;
    case Action::kAggregate:
      return aggregate_as_user;
    case Action::kInsertOne:
    case Action::kInsertMany:
      return insert_as_user;
    case Action::kUpdateOne:
    case Action::kUpdateMany:
    case Action::kReplaceOne:
      return update_as_user;
    case Action::kDeleteOne:
    case Action::kDeleteMany:
      return delete_as_user;
    case Action::kFindOneAndUpdate:
    case Action::kFindOneAndReplace:
    case Action::kFindOneAndDelete:
      return find_and_modify_as_user;
    case Action::kBulkWrite:
      return bulk_write_as_user;
  }
  return find_as_user;
}

Task<bson::Value> run_action(UserRequest& request) {
  RESTITCH_CO_CHECK(check_operation(request.operation));
  RESTITCH_CO_CHECK(check_user_operation(request.operation, request.settings.allow_regex));
  const Action action = request.operation.action;
  const bool has_query =
      action != Action::kInsertOne && action != Action::kInsertMany && action != Action::kBulkWrite;
  if (has_query) {
    RESTITCH_CO_CHECK(co_await apply_filters(request));
  }
  auto result = co_await runner_of(action)(request);
  co_return result;
}

class DataAccessImpl : public DataAccess {
 public:
  DataAccessImpl(std::shared_ptr<const RuleSet> rules, SourceMap sources,
                 DataAccessSettings settings)
      : rules_(std::move(rules)), sources_(std::move(sources)), settings_(settings) {
    if (settings_.hubs == nullptr) return;
    for (const auto& [name, source] : sources_) hubs_[name] = settings_.hubs->of(source);
  }

  Task<bson::Value> run_as_user(Operation operation, const EvaluationContext& context,
                                datasource::Deadline deadline,
                                TransactionHandle transaction) override {
    RESTITCH_CO_TRY(const std::shared_ptr<datasource::DataSource> source,
                    source_of(operation.source));
    const NamespaceRules* applying =
        rules_->find(operation.source, operation.database, operation.collection);
    if (applying == nullptr) co_return no_rule(operation.database, operation.collection);
    fill_missing_update(operation);
    const std::string name = operation.source;
    UserRequest request(*applying, *source, settings_, context, std::move(operation),
                        {transaction.get(), deadline, false});
    auto result = co_await run_action(request);
    if (!result) co_return client_error(std::move(result).error(), name);
    co_return result;
  }

  Task<bson::Value> run_as_system(Operation operation, datasource::Deadline deadline,
                                  TransactionHandle transaction) override {
    RESTITCH_CO_TRY(const std::shared_ptr<datasource::DataSource> source,
                    source_of(operation.source));
    if (is_internal_database(operation.database)) co_return no_rule(operation.database, operation.collection);
    if (is_write(operation.action) && source->kind() == datasource::Kind::kFederated) {
      co_return Error(ErrorCode::kInvalidArgument, std::string(name_of(operation.action)) +
                                                       " is not possible on the federated data source '" +
                                                       operation.source + "'");
    }
    fill_missing_update(operation);
    if (operation.action == Action::kFind || operation.action == Action::kAggregate) {
      const std::int64_t most = settings_.max_result_documents;
      operation.limit = operation.limit > 0 ? std::min(operation.limit, most) : most;
    }
    const std::string name = operation.source;
    const datasource::CallOptions call{transaction.get(), deadline, false};
    auto result = co_await run_operation_as_system(*source, std::move(operation), call);
    if (!result) co_return client_error(std::move(result).error(), name);
    co_return result;
  }

  Task<Explanation> explain_as_user(Operation operation, const EvaluationContext& context,
                                    ExplainOptions options,
                                    datasource::Deadline deadline) override {
    RESTITCH_CO_TRY(const std::shared_ptr<datasource::DataSource> source,
                    source_of(operation.source));
    const NamespaceRules* applying =
        rules_->find(operation.source, operation.database, operation.collection);
    if (applying == nullptr) {
      Explanation explanation = explanation_of(operation, context.user);
      explanation.origin_note = why_no_rules(operation.database, source->kind());
      explanation.refusal = no_rule(operation.database, operation.collection);
      co_return explanation;
    }
    fill_missing_update(operation);
    const std::string name = operation.source;
    UserRequest request(*applying, *source, settings_, context, std::move(operation),
                        {nullptr, deadline, false});
    auto explanation = co_await explain(request, options);
    if (!explanation) co_return client_error(std::move(explanation).error(), name);
    co_return explanation;
  }

  Task<std::unique_ptr<UserWatch>> watch_as_user(WatchRequest request,
                                                 const EvaluationContext& context) override {
    RESTITCH_CO_TRY(const std::shared_ptr<datasource::DataSource> source,
                    source_of(request.source));
    const NamespaceRules* applying =
        rules_->find(request.source, request.database, request.collection);
    if (applying == nullptr) co_return no_rule(request.database, request.collection);
    const auto hub = hubs_.find(request.source);
    if (source->kind() != datasource::Kind::kCluster || hub == hubs_.end())
      co_return no_watch(request.source);
    const std::string name = request.source;
    auto watch = co_await rules::watch_as_user(std::move(request), *applying, settings_, *source,
                                               hub->second, context);
    if (!watch && datasource::lacks_change_streams(watch.error()))
      co_return no_watch(name).with_detail(watch.error().message());
    if (!watch) co_return client_error(std::move(watch).error(), name);
    co_return watch;
  }

  Result<TransactionHandle> begin_transaction(std::string_view source) override {
    RESTITCH_TRY(const std::shared_ptr<datasource::DataSource> found, source_of(source));
    if (!found->has_transactions()) return no_transactions(source);
    return std::make_shared<datasource::ClientTransaction>(*found);
  }

  bool has_source(std::string_view name) const override { return sources_.contains(name); }
  const RuleSet& rules() const override { return *rules_; }

 private:
  Result<std::shared_ptr<datasource::DataSource>> source_of(std::string_view name) const {
    const auto it = sources_.find(name);
    if (it == sources_.end()) {
      return Error(ErrorCode::kServiceNotFound, "service not found: '" + std::string(name) + "'");
    }
    return it->second;
  }

  // A client library sends findOneAndReplace without a replacement and means an empty one.
  static void fill_missing_update(Operation& operation) {
    if (operation.action == Action::kFindOneAndReplace && operation.update.view().is_nullish()) {
      operation.update = bson::Value::of(bson::Document());
    }
  }

  std::shared_ptr<const RuleSet> rules_;
  SourceMap sources_;
  DataAccessSettings settings_;
  std::map<std::string, std::shared_ptr<datasource::ChangeHub>, std::less<>> hubs_;  // by source
};

}  // namespace

std::shared_ptr<DataAccess> DataAccess::create(std::shared_ptr<const RuleSet> rules,
                                               SourceMap sources, DataAccessSettings settings) {
  return std::make_shared<DataAccessImpl>(std::move(rules), std::move(sources), settings);
}

}  // namespace restitch::rules
