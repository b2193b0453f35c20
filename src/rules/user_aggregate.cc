#include <optional>
#include <utility>
#include <vector>

#include "query/pipeline/pipeline.h"
#include "rules/batches.h"
#include "rules/commands.h"
#include "rules/user_limits.h"
#include "rules/user_reads.h"

namespace restitch::rules {
namespace {

constexpr int kMemoryLimitExceeded = 292;

// The pipeline in two: a search stage at its front, which only the source can run, and the rest.
struct SplitPipeline {
  std::string_view search_name;  // empty: no search
  bson::Document search;         // array with that stage
  bson::Document rest;           // array
};

SplitPipeline split(bson::View pipeline) {
  SplitPipeline parts;
  bson::Builder search;
  bson::Builder rest;
  bool is_first = true;
  for (const bson::Element& element : pipeline) {
    const auto stage = element.value.as_object();
    const bool is_search =
        is_first && stage && !stage->empty() && is_search_stage(stage->begin()->name);
    if (is_search) {
      parts.search_name = stage->begin()->name;
      search.push(element.value);
    } else {
      rest.push(element.value);
    }
    is_first = false;
  }
  parts.search = std::move(search).finish();
  parts.rest = std::move(rest).finish();
  return parts;
}

void push_stage(bson::Builder& pipeline, const char* name, bson::View spec) {
  if (!spec.empty()) pipeline.push_object().append(name, spec).close();
}

void push_all(bson::Builder& pipeline, bson::View stages) {
  for (const bson::Element& element : stages) pipeline.push(element.value);
}

// Stages read nothing but their input here.
class NoEnvironment : public query::PipelineEnvironment {
 public:
  Result<query::DocumentStreamPtr> open(std::string_view, std::string_view, bson::View) override {
    return refused();
  }
  Status out(std::string_view, std::string_view, query::DocumentStream&) override {
    return refused();
  }
  Status merge(const query::MergeSpec&, bson::View, bson::View) override { return refused(); }
  Result<std::vector<bson::Document>> statistics(std::string_view, bson::View) override {
    return refused();
  }

 private:
  static Error refused() {
    return Error(ErrorCode::kInvalidArgument, "pipeline stage is not available to users");
  }
};

class VectorStream : public query::DocumentStream {
 public:
  explicit VectorStream(std::vector<bson::Document> documents) : documents_(std::move(documents)) {}

  Result<std::optional<bson::Document>> next() override {
    if (next_ == documents_.size()) return std::optional<bson::Document>();
    return std::optional<bson::Document>(std::move(documents_[next_++]));
  }

 private:
  std::vector<bson::Document> documents_;
  std::size_t next_ = 0;
};

// The top-level fields that a filter or sort reads; nothing if that cannot be told.
bool add_names(bson::View specification, std::vector<std::string>& names) {
  for (const bson::Element& element : specification) {
    if (!element.name.starts_with('$')) {
      names.emplace_back(element.name.substr(0, element.name.find('.')));
      continue;
    }
    const auto list = element.value.as_array();
    if (!list) return false;
    for (const bson::Element& part : *list) {
      const auto object = part.value.as_object();
      if (!object || !add_names(*object, names)) return false;
    }
  }
  return true;
}

Task<bool> reads_only_readable(UserRequest& request, const query::Pipeline::Pushdown& pushdown) {
  if (!request.filter_projection.empty()) co_return false;
  std::vector<std::string> names;
  if (!add_names(pushdown.filter, names) || !add_names(pushdown.sort, names)) co_return false;
  for (const std::string& name : names) {
    bool is_readable = is_always_readable(request.rules, name);
    while (request.rules.has_pending()) {
      RESTITCH_CO_CHECK(co_await request.rules.resolve());
      is_readable = is_always_readable(request.rules, name);
    }
    if (!is_readable || is_reserved_field(name)) co_return false;
  }
  co_return true;
}

// Runs a pipeline at the source as it is.
Task<bson::Document> run_at_source(UserRequest& request, bson::View pipeline, bson::View options) {
  Batches batches(request.source, request.operation.database, request.operation.collection,
                  request.call);
  bson::Builder command = aggregate_command(request.operation.collection, pipeline, options);
  RESTITCH_CO_CHECK(co_await batches.open(std::move(command)));
  bson::Builder result;
  std::int64_t left = request.settings.max_result_documents;
  bool has_more = true;
  while (has_more) {
    for (const bson::Element& element : batches.current()) {
      const bson::View document = element.value.get_document();
      if (has_reserved_field(document)) {
        result.push(without_reserved_fields(document));
      } else {
        result.push(document);
      }
      if (--left > 0) continue;
      RESTITCH_CO_CHECK(co_await batches.close());
      co_return std::move(result).finish();
    }
    RESTITCH_CO_TRY(has_more, co_await batches.next());
  }
  co_return std::move(result).finish();
}

// Visible documents, gathered for a pipeline that runs here.
class Gatherer {
 public:
  Gatherer(const Presenter& presenter, query::Pipeline::Pushdown pushdown,
           std::int64_t memory_limit)
      : presenter_(presenter), pushdown_(std::move(pushdown)), memory_limit_(memory_limit) {}

  Result<bool> take(bson::View visible) {
    if (seen_++ < pushdown_.skip.value_or(0)) return true;
    if (pushdown_.limit && static_cast<std::int64_t>(documents.size()) >= *pushdown_.limit) {
      return false;
    }
    if (pushdown_.count_only) {
      documents.emplace_back();
      return true;
    }
    RESTITCH_TRY(bson::Document shown, presenter_.show(visible));
    bytes_ += static_cast<std::int64_t>(shown.bytes().size());
    if (bytes_ > memory_limit_) {
      return mongo_error(kMemoryLimitExceeded,
                         "Exceeded memory limit for an aggregation over documents with rules");
    }
    documents.push_back(std::move(shown));
    return true;
  }

  std::vector<bson::Document> documents;

 private:
  const Presenter& presenter_;
  query::Pipeline::Pushdown pushdown_;
  std::int64_t memory_limit_;
  std::int64_t bytes_ = 0;
  std::int64_t seen_ = 0;
};

Result<bson::Document> run_here(const query::Pipeline& pipeline,
                                std::vector<bson::Document> documents, std::int64_t most) {
  NoEnvironment environment;
  RESTITCH_TRY(query::DocumentStreamPtr output,
               pipeline.run(std::make_unique<VectorStream>(std::move(documents)), environment));
  bson::Builder result;
  for (std::int64_t taken = 0; taken < most; ++taken) {
    RESTITCH_TRY(std::optional<bson::Document> document, output->next());
    if (!document) break;
    result.push(*document);
  }
  return std::move(result).finish();
}

// Finds the documents by a search at the source, the visible ones of which go into the rest of the
// pipeline.
Task<void> gather_searched(UserRequest& request, bson::View search, Gatherer& gatherer) {
  bson::Builder pipeline;
  push_all(pipeline, search);
  push_stage(pipeline, "$match", request.query);
  RESTITCH_CO_TRY(const bson::Document found,
                  co_await run_at_source(request, std::move(pipeline).finish(), bson::View()));
  for (const bson::Element& element : found.view()) {
    const bson::View document = element.value.get_document();
    request.rules.next_document();
    Sight sight = look_at(request.rules, document, true);
    while (request.rules.has_pending()) {
      RESTITCH_CO_CHECK(co_await request.rules.resolve());
      sight = look_at(request.rules, document, true);
    }
    if (sight.kind == Sight::Kind::kHidden) continue;
    const bool is_whole = sight.kind == Sight::Kind::kWhole;
    RESTITCH_CO_CHECK(gatherer.take(is_whole ? document : sight.part.view()));
  }
  co_return Status();
}

Task<bson::Document> aggregate_here(UserRequest& request, const Visibility& visibility,
                                    SplitPipeline parts) {
  query::PipelineOptions options;
  options.database = request.operation.database;
  options.collection = request.operation.collection;
  RESTITCH_CO_TRY(query::Pipeline pipeline,
                  query::Pipeline::compile(parts.rest, request.command, std::move(options)));
  if (pipeline.starts_with_source() || pipeline.writes()) {
    co_return Error(ErrorCode::kInvalidArgument, "pipeline stage is not available to users");
  }
  request.operation.projection = bson::Document();
  RESTITCH_CO_TRY(const Presenter presenter, Presenter::create(request));
  query::Pipeline::Pushdown pushdown;
  const bool has_search = !parts.search_name.empty();
  if (!has_search) {
    query::Pipeline shortened = pipeline;
    query::Pipeline::Pushdown possible = shortened.take_pushdown();
    RESTITCH_CO_TRY(const bool is_sound, co_await reads_only_readable(request, possible));
    if (is_sound) {
      pushdown = std::move(possible);
      pipeline = std::move(shortened);
    }
  }
  Gatherer gatherer(presenter, pushdown, request.command.memory_limit);
  if (has_search) {
    RESTITCH_CO_CHECK(co_await gather_searched(request, parts.search, gatherer));
  } else {
    const bson::Document visible = conjunction(request.query, visibility.readable.to_query());
    const bson::Document query = conjunction(visible, pushdown.filter);
    const Sink sink = [&gatherer](bson::View document) { return gatherer.take(document); };
    Scan scan;
    scan.query = query;
    scan.sort = pushdown.sort;
    RESTITCH_CO_CHECK(co_await scan_visible(request, scan, sink));
  }
  co_return run_here(pipeline, std::move(gatherer.documents),
                     request.settings.max_result_documents);
}

// Whether every document that the source would read may be read in full.
bool leaves_to_source(const Visibility& visibility) {
  return visibility.readable.exact && visibility.is_whole;
}

// What is told about all documents is for users who may read all of them.
Status check_search(const UserRequest& request, const Visibility& visibility,
                    const SplitPipeline& parts) {
  if (parts.search_name != "$searchMeta") return {};
  const bool decides_at_source = visibility.readable.kind == Pushed::Kind::kQuery;
  if (leaves_to_source(visibility) && !decides_at_source && !request.has_filters) return {};
  return Error(ErrorCode::kInvalidArgument,
               "pipeline stage '$searchMeta' is not available to users");
}

// The user's pipeline behind what rules and filters demand.
bson::Document direct_pipeline(const UserRequest& request, const Visibility& visibility,
                               const SplitPipeline& parts) {
  bson::Builder pipeline;
  push_all(pipeline, parts.search);
  push_stage(pipeline, "$match", request.query);
  push_stage(pipeline, "$match", visibility.readable.to_query());
  push_stage(pipeline, "$project", request.filter_projection);
  push_all(pipeline, parts.rest);
  return std::move(pipeline).finish();
}

}  // namespace

Task<AggregatePlan> plan_aggregate(UserRequest& request) {
  const SplitPipeline parts = split(request.operation.pipeline);
  AggregatePlan plan;
  plan.for_search = !parts.search_name.empty();
  RESTITCH_CO_TRY(plan.visibility, co_await find_visibility(request, plan.for_search));
  if (plan.visibility.readable.kind == Pushed::Kind::kNone) co_return plan;
  RESTITCH_CO_CHECK(check_search(request, plan.visibility, parts));
  plan.is_direct = leaves_to_source(plan.visibility);
  if (plan.is_direct) plan.pipeline = direct_pipeline(request, plan.visibility, parts);
  co_return plan;
}

Task<bson::Value> aggregate_as_user(UserRequest& request) {
  SplitPipeline parts = split(request.operation.pipeline);
  const bool has_search = !parts.search_name.empty();
  RESTITCH_CO_TRY(const Visibility visibility, co_await find_visibility(request, has_search));
  if (visibility.readable.kind == Pushed::Kind::kNone) {
    RESTITCH_CO_TRY(bson::Document nothing,
                    co_await aggregate_here(request, visibility, std::move(parts)));
    co_return bson::Value::array(std::move(nothing));
  }
  RESTITCH_CO_CHECK(check_search(request, visibility, parts));
  const bool decides_at_source = visibility.readable.kind == Pushed::Kind::kQuery;
  if (!leaves_to_source(visibility)) {
    RESTITCH_CO_TRY(bson::Document result,
                    co_await aggregate_here(request, visibility, std::move(parts)));
    co_return bson::Value::array(std::move(result));
  }
  const bson::View options = decides_at_source ? binary_collation().view() : bson::View();
  const bson::Document built = direct_pipeline(request, visibility, parts);
  RESTITCH_CO_TRY(bson::Document result, co_await run_at_source(request, built, options));
  co_return bson::Value::array(std::move(result));
}

}  // namespace restitch::rules
