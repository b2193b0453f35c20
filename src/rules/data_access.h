#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "datasource/change_hub.h"
#include "datasource/client.h"
#include "datasource/data_source.h"
#include "rules/context.h"
#include "rules/explain/explanation.h"
#include "rules/operation.h"
#include "rules/rule_set.h"

namespace restitch::rules {

class UserWatch;

// Data sources of an app by name.
using SourceMap = std::map<std::string, std::shared_ptr<datasource::DataSource>, std::less<>>;

struct DataAccessSettings {
  schema::ValidationSettings validation;
  bool allow_regex = true;  // $regex in user queries (spec: rules §6.1)
  std::int64_t max_result_documents = 50000;
  datasource::ChangeHubs* hubs = nullptr;  // of the server; null: nothing can be watched
};

// A multi-statement transaction that a function opened; statements of both contexts may run in it.
using TransactionHandle = std::shared_ptr<datasource::ClientTransaction>;

// The one gate to application data: every operation of a client, a function or an endpoint passes
// here (spec: rules §1, 6). Thread-safe; one per deployed app.
class DataAccess {
 public:
  static std::shared_ptr<DataAccess> create(std::shared_ptr<const RuleSet> rules, SourceMap sources,
                                            DataAccessSettings settings);
  virtual ~DataAccess() = default;

  // As an end user: filters, roles, limited execution, schema. The value is the client's result: an
  // array for find, a document or null for findOne, {insertedId}, {matchedCount, modifiedCount[,
  // upsertedId]}, …
  virtual Task<bson::Value> run_as_user(Operation operation, const EvaluationContext& context,
                                        datasource::Deadline deadline,
                                        TransactionHandle transaction = nullptr) = 0;
  // As the system user: nothing of the above, every operator and option.
  virtual Task<bson::Value> run_as_system(Operation operation, datasource::Deadline deadline,
                                          TransactionHandle transaction = nullptr) = 0;

  // What the rules make of an operation of an end user, and why, without carrying it out: nothing
  // is written.
  virtual Task<Explanation> explain_as_user(Operation operation, const EvaluationContext& context,
                                            ExplainOptions options,
                                            datasource::Deadline deadline) = 0;

  // A change stream as an end user may see it. `context` must outlive it, and so must this object.
  virtual Task<std::unique_ptr<UserWatch>> watch_as_user(WatchRequest request,
                                                         const EvaluationContext& context) = 0;

  virtual Result<TransactionHandle> begin_transaction(std::string_view source) = 0;
  virtual bool has_source(std::string_view name) const = 0;
  virtual const RuleSet& rules() const = 0;
};

}  // namespace restitch::rules
