#include "query/pipeline/sub_pipeline.h"

#include "query/expression/numbers.h"
#include "query/pipeline/match_stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

bool is_plain_path(ValueView value) {
  const auto text = value.as_string();
  return text && text->size() > 1 && text->front() == '$' && (*text)[1] != '$';
}

void collect_probes(ValueView expression, const ExpressionCompiler& compiler,
                    std::vector<Probe>& out) {
  const auto object = expression.as_object();
  if (!object || object->empty()) return;
  const bson::Element call = *object->begin();
  const auto operands = call.value.as_array();
  if (!operands) return;
  if (call.name == "$and") {
    for (const bson::Element& operand : *operands) collect_probes(operand.value, compiler, out);
    return;
  }
  if (call.name != "$eq" || operands->count() != 2) return;
  const ValueView first = operands->begin()->value;
  const ValueView second = std::next(operands->begin())->value;
  for (const auto& [field, other] : {std::pair(first, second), std::pair(second, first)}) {
    if (!is_plain_path(field)) continue;
    const auto value = compiler.compile(other);
    std::set<std::string> fields;
    if (value) (*value)->add_dependencies(fields);
    if (!value || !fields.empty()) continue;
    out.push_back({std::string(field.get_string().substr(1)), *value});
    return;
  }
}

std::vector<Probe> find_probes(bson::View stages, const ExpressionCompiler& compiler) {
  std::vector<Probe> probes;
  if (stages.empty()) return probes;
  const auto stage = stages.begin()->value.as_object();
  const ValueView query = stage ? stage->find("$match") : ValueView();
  if (query.type() != Type::kObject) return probes;
  collect_probes(query.get_document().find("$expr"), compiler, probes);
  return probes;
}

}  // namespace

Result<CorrelatedPipeline> CorrelatedPipeline::compile(ValueView stages, ValueView let,
                                                       const StageCompiler& compiler,
                                                       std::string_view collection) {
  CorrelatedPipeline out;
  const VariableScope& outer = compiler.options.scope;
  VariableScope inner = outer.nested();
  out.outer_variables_ = outer.size();
  if (const auto object = let.as_object()) {
    for (const bson::Element& variable : *object) {
      RESTITCH_TRY(ExpressionPtr value, compiler.expression(variable.value));
      out.let_.push_back(std::move(value));
      RESTITCH_CHECK(inner.bind(variable.name));
    }
  }
  const bson::View array = stages.get_document();
  RESTITCH_TRY(PipelineOptions options,
               sub_pipeline_options(array, compiler, collection, inner,
                                    {kNotInSub, 51047, "within a $lookup's sub-pipeline"}));
  RESTITCH_TRY(auto parts, Pipeline::compile_parts(array, compiler.context, std::move(options),
                                                   out.outer_variables_));
  out.whole_ = std::move(parts.whole);
  if (parts.head_stages > 0 || array.empty()) {  // an empty pipeline depends on nothing either
    out.uncorrelated_ = std::move(parts.head);
    out.prefix_filter_ = out.uncorrelated_.take_filter();
    out.rest_ = std::move(parts.rest);
    out.has_prefix_ = true;
  }
  if (!out.has_prefix_)
    out.probes_ = find_probes(array, ExpressionCompiler{compiler.context, inner});
  return out;
}

Result<std::vector<Value>> CorrelatedPipeline::bind(bson::View document, RunContext& run) const {
  std::vector<Value> values;
  values.reserve(let_.size());
  EvalContext context = run.evaluation(document);
  for (const ExpressionPtr& expression : let_) {
    RESTITCH_TRY(Value value, expression->evaluate(context));
    values.push_back(std::move(value));
  }
  std::vector<Value> variables(
      run.variables.begin(), run.variables.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                         outer_variables_, run.variables.size())));
  variables.resize(outer_variables_);
  for (Value& value : values) variables.push_back(std::move(value));
  return variables;
}

Result<DocumentStreamPtr> CorrelatedPipeline::open(const Pipeline& pipeline,
                                                   std::string_view database,
                                                   std::string_view collection,
                                                   const Document& filter, const RunContext& run,
                                                   std::vector<Value> variables) const {
  DocumentStreamPtr input;
  if (!pipeline.starts_with_source()) {
    RESTITCH_TRY(input, run.environment->open(database, collection, filter));
  }
  return pipeline.run(std::move(input), *run.environment, std::move(variables));
}

Result<Document> CorrelatedPipeline::probe_filter(const RunContext& run,
                                                  std::vector<Value>& variables) const {
  bson::Builder builder;
  builder.open_array("$and");
  bool is_empty = true;
  const bson::View nothing;
  EvalContext context{run.command, nothing, variables, std::nullopt};
  for (const Probe& probe : probes_) {
    RESTITCH_TRY(const Value value, probe.value->evaluate(context));
    const ValueView view = value;
    if (view.is_nullish() || view.type() == Type::kArray || view.type() == Type::kRegex) continue;
    builder.push_object().open_object(probe.field).append("$eq", view).close().close();
    is_empty = false;
  }
  return is_empty ? Document() : std::move(builder).finish();
}

Status CorrelatedPipeline::fill(std::string_view database, std::string_view collection,
                                const RunContext& run, const std::vector<Value>& variables,
                                Cache& cache) const {
  RESTITCH_TRY(const DocumentStreamPtr stream,
               open(uncorrelated_, database, collection, prefix_filter_, run, variables));
  StreamReader reader(*stream, run.command);
  std::vector<Document> documents;
  std::int64_t memory = 0;
  while (true) {
    RESTITCH_TRY(auto document, reader.next());
    if (!document) break;
    memory += static_cast<std::int64_t>(document->bytes().size());
    if (memory > run.command.memory_limit) {
      cache.is_too_large = true;
      return {};
    }
    documents.push_back(std::move(*document));
  }
  cache.prefix = std::move(documents);
  return {};
}

Result<DocumentStreamPtr> CorrelatedPipeline::run_over_collection(std::string_view database,
                                                                  std::string_view collection,
                                                                  const RunContext& run,
                                                                  std::vector<Value> variables,
                                                                  Cache& cache) const {
  if (has_prefix_ && !cache.prefix && !cache.is_too_large) {
    RESTITCH_CHECK(fill(database, collection, run, variables, cache));
  }
  if (cache.prefix) {
    return rest_.run(std::make_unique<VectorStream>(*cache.prefix), *run.environment,
                     std::move(variables));
  }
  RESTITCH_TRY(const Document filter, probe_filter(run, variables));
  return open(whole_, database, collection, filter, run, std::move(variables));
}

}  // namespace restitch::query
