#include "rules/explain/explain.h"

#include <algorithm>
#include <utility>

#include "bson/compare.h"
#include "datasource/client.h"
#include "query/update/update.h"
#include "rules/commands.h"
#include "rules/explain/coverage.h"
#include "rules/explain/document_reasons.h"
#include "rules/explain/field_reasons.h"
#include "rules/update_plan.h"
#include "rules/user_limits.h"
#include "rules/user_reads.h"
#include "rules/user_writes.h"
#include "rules/write_checks.h"

namespace restitch::rules {
namespace {

bool is_insert(Action action) {
  return action == Action::kInsertOne || action == Action::kInsertMany;
}

bool is_deletion(Action action) {
  return action == Action::kDeleteOne || action == Action::kDeleteMany ||
         action == Action::kFindOneAndDelete;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool contains(const std::vector<bson::Value>& values, bson::ValueView wanted) {
  return std::any_of(values.begin(), values.end(), [wanted](const bson::Value& one) {
    return bson::equal(one.view(), wanted);
  });
}

// The $match at the front of a pipeline: the documents that it is about.
bson::Document leading_match(bson::View pipeline) {
  if (pipeline.empty()) return {};
  const auto stage = pipeline.begin()->value.as_object();
  if (!stage) return {};
  return bson::Document(stage->find("$match").as_object().value_or(bson::View()));
}

Explanation heading_of(const UserRequest& request) {
  Explanation heading = explanation_of(request.operation, request.context.user);
  heading.origin = request.applying_rules.is_default ? Explanation::Origin::kDefault
                                                     : Explanation::Origin::kCollection;
  heading.file = request.applying_rules.file;
  return heading;
}

// What nobody may ask for, whatever the rules say.
Status check_stated(const UserRequest& request) {
  RESTITCH_CHECK(check_operation(request.operation));
  return check_user_operation(request.operation, request.settings.allow_regex);
}

class Explainer {
 public:
  Explainer(UserRequest& request, const ExplainOptions& options)
      : request_(request), options_(options), mask_(options.secrets), reasons_(request, mask_) {}

  Task<Explanation> run();

 private:
  using Stored = std::vector<bson::Document>;

  Task<void> explain_filters();
  Task<void> explain_reads();
  Task<void> explain_inserts();
  Task<void> explain_writes();
  Task<void> explain_read(bson::View document, bool for_search, const Presenter& presenter);
  Task<bool> explain_write(const UpdateProgram* program, bson::View document);
  Task<void> explain_insert(bson::Document document, bool has_id);

  bool is_left_to_source(const Visibility& visibility) const;
  bson::Document query_of_read(const Visibility& visibility) const;
  // The first documents that the user's own query matches. An error that the query brings about is
  // the refusal.
  Task<Stored> candidates(bson::View filter);
  // The _ids of those that the filters leave.
  Task<std::vector<bson::Value>> within_filters(const Stored& documents);
  DocumentReason filtered(bson::View document) const;

  void refuse(Error error) {
    if (!out_.refusal) out_.refusal = std::move(error);
  }
  void count() {
    if (options_.coverage != nullptr) options_.coverage->add(reasons_.trace());
  }

  UserRequest& request_;
  const ExplainOptions& options_;
  const SecretMask mask_;
  DocumentReasons reasons_;
  Explanation out_;
  std::optional<Error> schema_refusal_;  // stands back behind one for lack of permission
};

Task<Explanation> Explainer::run() {
  const Operation& operation = request_.operation;
  out_ = heading_of(request_);
  const Status good = check_stated(request_);
  if (!good) {
    refuse(good.error());
    co_return std::move(out_);
  }
  if (is_insert(operation.action)) {
    RESTITCH_CO_CHECK(co_await explain_inserts());
  } else {
    RESTITCH_CO_CHECK(co_await explain_filters());
    if (out_.refusal) co_return std::move(out_);
    if (is_write(operation.action)) {
      RESTITCH_CO_CHECK(co_await explain_writes());
    } else {
      RESTITCH_CO_CHECK(co_await explain_reads());
    }
  }
  if (schema_refusal_) refuse(std::move(*schema_refusal_));
  co_return std::move(out_);
}

Task<void> Explainer::explain_filters() {
  reasons_.trace().clear();
  reasons_.trace().set_keeps_on_retry(true);
  const Status applied = co_await apply_filters(request_);
  reasons_.trace().set_keeps_on_retry(false);
  count();
  for (const TracedAnswer& answer : reasons_.trace().answers()) {
    FilterReason reason;
    reason.name = answer.permission->owner;
    reason.truth = answer.truth;
    reason.reason = answer.reason;
    for (const FilterProgram& filter : request_.rules.rules().filters()) {
      if (&filter.apply_when != answer.permission->permission) continue;
      if (answer.truth != Truth::kTrue) continue;
      reason.query = mask_.apply(filter.query->expand(request_.context).view());
      reason.projection = mask_.apply(filter.projection->expand(request_.context).view());
    }
    out_.filters.push_back(std::move(reason));
  }
  if (!applied) {
    const bool is_clients = applied.error().code() == ErrorCode::kFunctionExecution ||
                            applied.error().code() == ErrorCode::kInvalidArgument;
    if (!is_clients) co_return applied.error();
    refuse(applied.error());
  }
  co_return Status();
}

bool Explainer::is_left_to_source(const Visibility& visibility) const {
  const Action action = request_.operation.action;
  if (action == Action::kCount) return visibility.readable.exact;
  if (action == Action::kDistinct) return leaves_distinct_to_source(request_, visibility);
  return leaves_find_to_source(request_, visibility);
}

bson::Document Explainer::query_of_read(const Visibility& visibility) const {
  const Action action = request_.operation.action;
  if (action != Action::kFind && action != Action::kFindOne) {
    return conjunction(request_.query, visibility.readable.to_query());
  }
  return out_.is_at_source ? request_.query : readable_query(request_, visibility);
}

Task<void> Explainer::explain_reads() {
  Operation& operation = request_.operation;
  bool for_search = false;
  Visibility visibility;
  bson::Document own = operation.filter;
  if (operation.action == Action::kAggregate) {
    Result<AggregatePlan> planned = co_await plan_aggregate(request_);
    if (!planned) {
      if (planned.error().code() != ErrorCode::kInvalidArgument) {
        co_return std::move(planned).error();
      }
      refuse(std::move(planned).error());
      co_return Status();
    }
    AggregatePlan& plan = *planned;
    for_search = plan.for_search;
    out_.is_at_source = plan.is_direct;
    if (plan.is_direct) out_.pipeline = mask_.apply(plan.pipeline.view());
    visibility = std::move(plan.visibility);
    own = leading_match(operation.pipeline);
  } else {
    const bool is_find =
        operation.action == Action::kFind || operation.action == Action::kFindOne;
    Task<Visibility> finding =
        is_find ? find_visibility_of_find(request_) : find_visibility(request_);
    RESTITCH_CO_TRY(visibility, co_await std::move(finding));
    out_.is_at_source = is_left_to_source(visibility);
  }
  const bool asks = visibility.readable.kind != Pushed::Kind::kNone;
  if (asks && !out_.pipeline) {
    out_.query = mask_.apply(query_of_read(visibility).view());
  }
  RESTITCH_CO_TRY(const Stored documents, co_await candidates(own));
  if (out_.refusal) co_return Status();
  RESTITCH_CO_TRY(const std::vector<bson::Value> left, co_await within_filters(documents));
  // The request's own projection withholds nothing.
  operation.projection = bson::Document();
  Result<Presenter> presenter = Presenter::create(request_);
  if (!presenter) {
    refuse(presenter.error());
    co_return Status();
  }
  for (const bson::Document& document : documents) {
    if (contains(left, document["_id"])) {
      RESTITCH_CO_CHECK(co_await explain_read(document, for_search, *presenter));
    } else {
      out_.documents.push_back(filtered(document));
    }
  }
  co_return Status();
}

Task<void> Explainer::explain_read(bson::View document, bool for_search,
                                   const Presenter& presenter) {
  reasons_.trace().clear();
  RESTITCH_CO_TRY(const std::optional<bson::Document> visible,
                  co_await visible_part(request_, document, for_search));
  count();
  DocumentReason reason = reasons_.begin(document["_id"]);
  if (!visible) {
    reason.verdict = Verdict::kHidden;
    reason.because = reasons_.of_hiding();
    out_.documents.push_back(std::move(reason));
    co_return Status();
  }
  reason.fields = withheld_fields(reasons_.trace(), document, *visible);
  reason.because = reasons_.of_reading();
  RESTITCH_CO_TRY(const bson::Document shown, presenter.show(*visible));
  for (std::string& path : missing_paths(*visible, shown)) {
    reason.fields.push_back(
        {std::move(path), "", "", "the projection of the filters withholds it"});
  }
  reason.verdict = reason.fields.empty() ? Verdict::kReadable : Verdict::kPartlyReadable;
  out_.documents.push_back(std::move(reason));
  co_return Status();
}

Task<void> Explainer::explain_inserts() {
  for (const bson::Document& given : request_.operation.documents) {
    if (static_cast<std::int64_t>(out_.documents.size()) == options_.first) {
      out_.has_more = true;
      co_return Status();
    }
    Result<bson::Document> document = query::prepare_for_insert(given, bson::Timestamp{});
    if (!document) {
      refuse(document.error());
      co_return Status();
    }
    RESTITCH_CO_CHECK(co_await explain_insert(std::move(*document), given.view().contains("_id")));
  }
  co_return Status();
}

Task<void> Explainer::explain_insert(bson::Document document, bool has_id) {
  reasons_.trace().clear();
  RESTITCH_CO_TRY(const bool is_allowed, co_await is_insert_allowed(request_, document));
  count();
  DocumentReason reason = reasons_.begin(has_id ? document["_id"] : bson::ValueView());
  reason.is_new = true;
  const Status reserved = check_reserved_fields(bson::View(), document);
  if (!reserved) {
    reason.verdict = Verdict::kRefused;
    reason.because = reserved.error().message();
    refuse(reserved.error());
  } else if (is_allowed) {
    reason.verdict = Verdict::kAllowed;
    reason.because = reasons_.of_writing();
  } else {
    reason.verdict = Verdict::kRefused;
    reasons_.add_refused_insert(reason, document);
    refuse(write_denied(WriteKind::kInsert));
  }
  RESTITCH_CO_TRY(std::vector<schema::Violation> violations,
                  co_await schema_violations(request_, document, std::nullopt));
  if (!violations.empty() && !schema_refusal_) {
    schema_refusal_ =
        Error(ErrorCode::kSchemaValidation, write_denied(WriteKind::kInsert).message());
  }
  reasons_.add_violations(reason, std::move(violations), document, std::nullopt);
  out_.documents.push_back(std::move(reason));
  co_return Status();
}

Task<void> Explainer::explain_writes() {
  const Operation& operation = request_.operation;
  RESTITCH_CO_TRY(const WriteReach reach, co_await find_write_reach(request_));
  out_.is_at_source = leaves_write_to_source(request_, reach);
  if (reach.applying.kind != Pushed::Kind::kNone) {
    out_.query = mask_.apply(conjunction(request_.query, reach.applying.to_query()).view());
  }
  std::optional<UpdateProgram> program;
  if (!is_deletion(operation.action)) {
    Result<UpdateProgram> compiled = UpdateProgram::compile(request_);
    if (!compiled) {
      refuse(compiled.error());
      co_return Status();
    }
    program.emplace(std::move(*compiled));
  }
  const UpdateProgram* update = program ? &*program : nullptr;
  RESTITCH_CO_TRY(const Stored documents, co_await candidates(operation.filter));
  if (out_.refusal) co_return Status();
  RESTITCH_CO_TRY(const std::vector<bson::Value> left, co_await within_filters(documents));
  bool has_matched = false;
  for (const bson::Document& document : documents) {
    if (!contains(left, document["_id"])) {
      out_.documents.push_back(filtered(document));
      continue;
    }
    RESTITCH_CO_TRY(const bool matches, co_await explain_write(update, document));
    has_matched |= matches;
    if (matches && !is_multi(operation.action)) {
      out_.has_more = false;
      co_return Status();
    }
  }
  if (has_matched || out_.has_more || !operation.upsert || !program) co_return Status();
  Result<bson::Document> made = program->new_document(request_);
  if (!made) {
    refuse(made.error());
    co_return Status();
  }
  RESTITCH_CO_CHECK(co_await explain_insert(std::move(*made), false));
  co_return Status();
}

// Whether the operation meets the document at all.
Task<bool> Explainer::explain_write(const UpdateProgram* program, bson::View document) {
  request_.rules.next_document();
  reasons_.trace().clear();
  WriteStep step = decide_write(request_, program, document);
  while (request_.rules.has_pending()) {
    RESTITCH_CO_CHECK(co_await request_.rules.resolve());
    step = decide_write(request_, program, document);
  }
  count();
  DocumentReason reason = reasons_.begin(document["_id"]);
  if (step.kind == WriteStep::Kind::kSkip && reasons_.role() == nullptr) {
    reason.because = reasons_.of_hiding();
  } else if (step.kind == WriteStep::Kind::kSkip) {
    reasons_.add_refused_write(reason, document, program);
    reason.because += "; as nothing of the document is readable, it is passed over";
  } else if (step.kind == WriteStep::Kind::kKeep) {
    reason.verdict = Verdict::kUnchanged;
    reason.because = "the update leaves it as it is";
  } else if (step.kind == WriteStep::Kind::kRefuse) {
    reason.verdict = Verdict::kRefused;
    reasons_.add_refused_write(reason, document, program);
    refuse(std::move(*step.error));
  } else {
    reason.verdict = Verdict::kAllowed;
    reason.because = reasons_.of_writing();
    std::vector<schema::Violation> violations;
    if (program == nullptr) {
      RESTITCH_CO_TRY(violations, co_await deletion_violations(request_, document));
    } else {
      RESTITCH_CO_TRY(violations, co_await schema_violations(request_, step.after, document));
    }
    const WriteKind kind = program == nullptr ? WriteKind::kDelete : WriteKind::kUpdate;
    if (!violations.empty() && !schema_refusal_) {
      schema_refusal_ = Error(ErrorCode::kSchemaValidation, write_denied(kind).message());
    }
    const bson::View after = program == nullptr ? document : step.after.view();
    reasons_.add_violations(reason, std::move(violations), after, document);
  }
  out_.documents.push_back(std::move(reason));
  co_return step.kind != WriteStep::Kind::kSkip;
}

Task<Explainer::Stored> Explainer::candidates(bson::View filter) {
  const datasource::Collection collection(request_.source, request_.operation.database,
                                          request_.operation.collection);
  datasource::FindOptions find;
  find.limit = options_.first + 1;
  find.sort = request_.operation.sort;
  Result<Stored> found = co_await collection.find(filter, find, request_.call);
  if (!found && found.error().code() == ErrorCode::kMongo) {
    refuse(found.error());
    co_return Stored();
  }
  if (!found) co_return std::move(found).error();
  Stored documents = std::move(*found);
  out_.has_more = static_cast<std::int64_t>(documents.size()) > options_.first;
  if (out_.has_more) documents.pop_back();
  co_return documents;
}

Task<std::vector<bson::Value>> Explainer::within_filters(const Stored& documents) {
  std::vector<bson::Value> ids;
  for (const bson::Document& document : documents) ids.emplace_back(document["_id"]);
  if (!request_.has_filters || ids.empty()) co_return ids;
  bson::Builder among;
  among.open_object("_id").open_array("$in");
  for (const bson::Value& id : ids) among.push(id.view());
  among.close().close();
  const bson::Document these = std::move(among).finish();
  const bson::Document query = conjunction(these, request_.query);
  const datasource::Collection collection(request_.source, request_.operation.database,
                                          request_.operation.collection);
  datasource::FindOptions find;
  find.projection = bson::make_document("_id", std::int32_t{1});
  RESTITCH_CO_TRY(const Stored left, co_await collection.find(query, find, request_.call));
  ids.clear();
  for (const bson::Document& document : left) ids.emplace_back(document["_id"]);
  co_return ids;
}

DocumentReason Explainer::filtered(bson::View document) const {
  DocumentReason reason;
  reason.id = mask_.apply(document["_id"]);
  std::vector<std::string> names;
  for (const FilterReason& filter : out_.filters) {
    if (filter.truth != Truth::kTrue) continue;
    for (const FilterProgram& program : request_.rules.rules().filters()) {
      if (program.name != filter.name) continue;
      const bson::Document query = program.query->expand(request_.context);
      const auto compiled = query::Filter::compile(query, request_.command);
      if (!compiled) continue;
      const auto matches = compiled->matches(document);
      if (matches && !*matches) names.push_back("\"" + filter.name + "\"");
    }
  }
  reason.because = names.empty()
                       ? "the filters withhold it"
                       : "the query of the filter " + joined(names) + " does not match it";
  return reason;
}

Task<Explanation> explain_one(UserRequest& request, const ExplainOptions& options) {
  Explainer explainer(request, options);
  auto explanation = co_await explainer.run();
  co_return explanation;
}

Task<Explanation> explain_bulk(UserRequest& request, const ExplainOptions& options) {
  Explanation out = heading_of(request);
  const Status good = check_stated(request);
  if (!good) {
    out.refusal = good.error();
    co_return out;
  }
  const Operation bulk = request.operation;
  for (const bson::Element& element : bulk.bulk.view()) {
    if (bulk.ordered && out.refusal) {
      ++out.not_reached;
      continue;
    }
    if (static_cast<std::int64_t>(out.operations.size()) == options.first) {
      out.has_more = true;
      co_return out;
    }
    Result<Operation> model =
        operation_of_model(bulk, element.value.as_object().value_or(bson::View()));
    if (!model) {
      out.refusal = model.error();  // ends an unordered one too
      co_return out;
    }
    request.operation = std::move(*model);
    RESTITCH_CO_TRY(Explanation one, co_await explain_one(request, options));
    if (!out.refusal) out.refusal = one.refusal;
    out.operations.push_back(std::move(one));
  }
  co_return out;
}

}  // namespace

Task<Explanation> explain(UserRequest& request, const ExplainOptions& options) {
  if (request.operation.action == Action::kBulkWrite) return explain_bulk(request, options);
  return explain_one(request, options);
}

}  // namespace restitch::rules
