#include "rules/user_request.h"

#include <chrono>
#include <utility>
#include <vector>

#include "rules/batches.h"
#include "rules/commands.h"
#include "rules/projection_merge.h"

namespace restitch::rules {
namespace {

bson::Date current_date() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return bson::Date{std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()};
}

bool is_positional(bson::View projection) {
  for (const bson::Element& element : projection) {
    if (element.name.ends_with(".$")) return true;
  }
  return false;
}

// Decides, and again with the results of the functions that the decision asked for.
template <typename Decision>
Task<Decision> decided(UserRequest& request, Decision (*decide)(BoundRules&)) {
  Decision decision = decide(request.rules);
  while (request.rules.has_pending()) {
    RESTITCH_CO_CHECK(co_await request.rules.resolve());
    decision = decide(request.rules);
  }
  co_return decision;
}

// The `and` members of a conjunction, or the query itself.
void push_terms(bson::Builder& builder, bson::View query) {
  if (!query.empty()) builder.push(query);
}

}  // namespace

UserRequest::UserRequest(const NamespaceRules& applying, datasource::DataSource& data_source,
                         const DataAccessSettings& all_settings,
                         const EvaluationContext& evaluation, Operation what,
                         datasource::CallOptions how)
    : applying_rules(applying),
      source(data_source),
      settings(all_settings),
      context(evaluation),
      operation(std::move(what)),
      call(how),
      rules(*applying.rules, evaluation) {
  command.now = current_date();
  command.deadline = call.deadline;
  command.budget = &work;
  if (applying.validators) validators.emplace(*applying.validators, evaluation, rules.functions());
}

bson::Document conjunction(bson::View a, bson::View b) {
  if (a.empty()) return bson::Document(b);
  if (b.empty()) return bson::Document(a);
  bson::Builder builder;
  builder.open_array("$and");
  push_terms(builder, a);
  push_terms(builder, b);
  builder.close();
  return std::move(builder).finish();
}

Task<void> apply_filters(UserRequest& request) {
  std::vector<bson::Document> queries;
  std::vector<bson::Document> projections;
  for (const FilterProgram& filter : request.rules.rules().filters()) {
    Truth applies = request.rules.evaluate(filter.apply_when, {});
    while (applies == Truth::kPending) {
      RESTITCH_CO_CHECK(co_await request.rules.resolve());
      applies = request.rules.evaluate(filter.apply_when, {});
    }
    if (applies == Truth::kFailed) {
      co_return Error(ErrorCode::kFunctionExecution,
                      "failed to evaluate the filter '" + filter.name + "'");
    }
    if (applies != Truth::kTrue) continue;
    queries.push_back(filter.query->expand(request.context));
    projections.push_back(filter.projection->expand(request.context));
  }
  RESTITCH_CO_TRY(request.filter_projection, merge_filter_projections(projections));
  request.has_filters = !queries.empty();
  if (queries.empty()) {
    request.query = request.operation.filter;
    co_return Status();
  }
  bson::Builder builder;
  builder.open_array("$and");
  push_terms(builder, request.operation.filter);
  bool has_any = !request.operation.filter.empty();
  for (const bson::Document& query : queries) {
    push_terms(builder, query);
    has_any |= !query.empty();
  }
  builder.close();
  request.query = has_any ? std::move(builder).finish() : bson::Document();
  co_return Status();
}

Task<Visibility> find_visibility(UserRequest& request, bool for_search) {
  return decided(request, for_search ? &search_visibility_of : &visibility_of);
}

Task<Visibility> find_rough_visibility(UserRequest& request) {
  return decided(request, &rough_visibility_of);
}

Task<WriteReach> find_write_reach(UserRequest& request) {
  return decided(request, &write_reach_of);
}

Result<Presenter> Presenter::create(UserRequest& request) {
  Presenter presenter;
  if (!request.filter_projection.empty()) {
    RESTITCH_TRY(presenter.filter_,
                 query::Projection::compile(request.filter_projection,
                                            query::ProjectionDialect::kFind, request.command));
  }
  const bson::Document& own = request.operation.projection;
  if (own.empty()) return presenter;
  if (is_positional(own)) {
    RESTITCH_TRY(query::Filter filter,
                 query::Filter::compile(request.operation.filter, request.command));
    presenter.positional_ = std::make_shared<const query::Filter>(std::move(filter));
  }
  RESTITCH_TRY(presenter.own_,
               query::Projection::compile(own, query::ProjectionDialect::kFind, request.command,
                                          presenter.positional_.get()));
  return presenter;
}

Result<bson::Document> Presenter::show(bson::View document) const {
  if (!filter_) {
    if (!own_) return bson::Document(document);
    return own_->apply(document);
  }
  RESTITCH_TRY(bson::Document left, filter_->apply(document));
  if (!own_) return left;
  return own_->apply(left);
}

Task<std::optional<bson::Document>> visible_part(UserRequest& request, bson::View document,
                                                 bool for_search) {
  request.rules.next_document();
  Sight sight = look_at(request.rules, document, for_search);
  while (request.rules.has_pending()) {
    RESTITCH_CO_CHECK(co_await request.rules.resolve());
    sight = look_at(request.rules, document, for_search);
  }
  if (sight.kind == Sight::Kind::kHidden) co_return std::optional<bson::Document>();
  if (sight.kind == Sight::Kind::kWhole) {
    co_return std::optional<bson::Document>(bson::Document(document));
  }
  co_return std::optional<bson::Document>(std::move(sight.part));
}

Task<std::int64_t> scan_visible(UserRequest& request, Scan scan, const Sink& sink) {
  Batches batches(request.source, request.operation.database, request.operation.collection,
                  request.call);
  FindParts parts;
  parts.filter = scan.query;
  parts.sort = scan.sort;
  parts.limit = scan.limit;
  parts.batch_size = scan.batch_size;
  bson::Builder command =
      find_command(request.operation.collection, parts, request.operation.options);
  RESTITCH_CO_CHECK(co_await batches.open(std::move(command)));
  std::int64_t hidden = 0;
  bool has_more = true;
  while (has_more) {
    for (const bson::Element& element : batches.current()) {
      const bson::View document = element.value.get_document();
      request.rules.next_document();
      Sight sight = look_at(request.rules, document, scan.for_search);
      while (request.rules.has_pending()) {
        RESTITCH_CO_CHECK(co_await request.rules.resolve());
        sight = look_at(request.rules, document, scan.for_search);
      }
      if (sight.kind == Sight::Kind::kHidden) {
        ++hidden;
        continue;
      }
      const bool is_whole = sight.kind == Sight::Kind::kWhole;
      Result<bool> goes_on = sink(is_whole ? document : sight.part.view());
      if (!goes_on || !*goes_on) {
        RESTITCH_CO_CHECK(co_await batches.close());
        if (!goes_on) co_return std::move(goes_on).error();
        co_return hidden;
      }
    }
    RESTITCH_CO_TRY(has_more, co_await batches.next());
  }
  co_return hidden;
}

}  // namespace restitch::rules
