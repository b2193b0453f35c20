#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bson/document.h"
#include "datasource/client.h"
#include "query/context.h"
#include "query/filter/filter.h"
#include "query/projection.h"
#include "rules/bound_rules.h"
#include "rules/data_access.h"
#include "rules/operation.h"
#include "rules/read_access.h"
#include "rules/rule_set.h"
#include "rules/schema_rules.h"
#include "rules/visibility.h"

namespace restitch::rules {

// Steps of expressions that one operation, or one event of a stream, may make a connection's thread
// do: some tenths of a second. Filters with more are for the data source.
inline constexpr std::int64_t kMostSteps = 1'000'000;

// One operation of an end user in execution. Lives in the frame of run_as_user(); everything below
// refers to it.
struct UserRequest {
  UserRequest(const NamespaceRules& applying, datasource::DataSource& data_source,
              const DataAccessSettings& all_settings, const EvaluationContext& evaluation,
              Operation what, datasource::CallOptions how);

  const NamespaceRules& applying_rules;
  datasource::DataSource& source;
  const DataAccessSettings& settings;
  const EvaluationContext& context;
  Operation operation;
  datasource::CallOptions call;
  // What is left to do here, on the thread of the connections: steps of expressions.
  query::WorkBudget work{kMostSteps};
  query::CommandContext command;
  BoundRules rules;
  std::optional<BoundSchemaRules> validators;

  // Set by apply_filters().
  bson::Document query;              // the request's own and those of the filters that apply
  bson::Document filter_projection;  // what the filters leave of a document; {} = everything
  bool has_filters = false;
};

// Evaluates the filters and merges them into the request (spec: rules §4). kFunctionExecution when
// one cannot be evaluated, kInvalidArgument when their projections conflict.
Task<void> apply_filters(UserRequest& request);

// {$and: [a, b]}, or the one that is not empty.
bson::Document conjunction(bson::View a, bson::View b);

Task<Visibility> find_visibility(UserRequest& request, bool for_search = false);
Task<Visibility> find_rough_visibility(UserRequest& request);
Task<WriteReach> find_write_reach(UserRequest& request);

// Gives a user a view of a stored document: read decision, redaction, the filters' projection, then
// the request's own.
class Presenter {
 public:
  static Result<Presenter> create(UserRequest& request);

  // What may be shown of a document that the read decision let through; `part` is empty when that
  // is all of it.
  Result<bson::Document> show(bson::View document) const;
  // Whether show() gives the document unchanged.
  bool shows_all() const { return !filter_ && !own_; }

 private:
  std::shared_ptr<const query::Filter> positional_;  // of the own projection
  std::optional<query::Projection> filter_, own_;
};

// Reads stored documents and hands on what the user may see of them.
struct Scan {
  bson::View query;  // conjunction of everything
  bson::View sort;
  std::int64_t limit = 0;  // for the source; 0 = none
  std::int32_t batch_size = 0;
  bool for_search = false;
};
// Called with the visible part of a document; false ends the scan.
using Sink = std::function<Result<bool>(bson::View visible)>;
// Gives the number of documents that were read but hidden.
Task<std::int64_t> scan_visible(UserRequest& request, Scan scan, const Sink& sink);

// What the user may see of one document, functions called as needed; empty if it is hidden.
Task<std::optional<bson::Document>> visible_part(UserRequest& request, bson::View document,
                                                 bool for_search = false);

}  // namespace restitch::rules
