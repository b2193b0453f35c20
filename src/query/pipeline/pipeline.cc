#include "query/pipeline/pipeline.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "query/pipeline/cut_stages.h"
#include "query/pipeline/match_stage.h"
#include "query/pipeline/sort_stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Value;
using bson::ValueView;

// Takes every document through a row of stages.
class DocumentStagesStream final : public DocumentStream {
 public:
  DocumentStagesStream(DocumentStreamPtr input, std::vector<const DocumentStage*> stages,
                       RunPtr run)
      : input_(std::move(input)), stages_(std::move(stages)), run_(std::move(run)) {}

  Result<std::optional<Document>> next() override {
    StreamReader reader(*input_, run_->command);
    while (true) {
      RESTITCH_TRY(auto document, reader.next());
      if (!document) return document;
      for (std::size_t i = 0; document && i < stages_.size(); ++i) {
        RESTITCH_TRY(document, stages_[i]->apply(std::move(*document), *run_));
      }
      if (document) return document;
    }
  }

 private:
  DocumentStreamPtr input_;
  std::vector<const DocumentStage*> stages_;
  RunPtr run_;
};

// The end of a pipeline: keeps the stages alive and checks the size of what comes out.
class OutputStream final : public DocumentStream {
 public:
  OutputStream(DocumentStreamPtr input, Stages stages)
      : stages_(std::move(stages)), input_(std::move(input)) {}

  Result<std::optional<Document>> next() override {
    RESTITCH_TRY(auto document, input_->next());
    if (document && document->bytes().size() > bson::kMaxInternalDocumentBytes) {
      return mongo_error(10334, "BSONObj size: " + std::to_string(document->bytes().size()) +
                                    " is invalid. Size must be between 0 and 16793600(16MB)");
    }
    return document;
  }

 private:
  Stages stages_;
  DocumentStreamPtr input_;
};

using StageMap = std::unordered_map<std::string_view, const StageDefinition*>;

StageMap all_stages() {
  StageMap map;
  for (const StageTable table :
       {match_stages(),       projection_stages(), field_stages(),  root_stages(),
        order_stages(),       cut_stages(),        group_stages(),  bucket_stages(),
        auto_bucket_stages(), unwind_stages(),     lookup_stages(), graph_lookup_stages(),
        facet_stages(),       union_stages(),      output_stages(), redact_stages(),
        source_stages(),      window_stages(),     fill_stages(),   densify_stages()}) {
    for (const StageDefinition& definition : table) map.emplace(definition.name, &definition);
  }
  return map;
}

Result<bson::Element> only_member(ValueView stage) {
  const auto object = stage.as_object();
  if (!object) return mongo_error(14, "Each element of the 'pipeline' array must be an object");
  auto at = object->begin();
  if (at == object->end()) {
    return mongo_error(40323,
                       "A pipeline stage specification object must contain exactly one field.");
  }
  const bson::Element element = *at;
  if (++at != object->end()) {
    return mongo_error(40323,
                       "A pipeline stage specification object must contain exactly one field.");
  }
  return element;
}

Status check_use(const StageDefinition& definition, PipelineUse use) {
  const std::string name(definition.name);
  if (use == PipelineUse::kUpdate && (definition.traits & kInUpdate) == 0) {
    return mongo_error(72, name + " is not allowed to be used within an update");
  }
  if (use == PipelineUse::kChangeStream && definition.name == "$changeStream") {
    return mongo_error(40602, name + " is only valid as the first stage in a pipeline");
  }
  if (use == PipelineUse::kChangeStream && (definition.traits & kInChangeStream) == 0) {
    return mongo_error(20, name + " is not permitted in a $changeStream pipeline");
  }
  return {};
}

Status check_position(const StageDefinition& definition, bool is_first, bool is_last) {
  const std::string name(definition.name);
  if (definition.name == "$geoNear" && !is_first) {
    return mongo_error(40603, "$geoNear was not the first stage in the pipeline");
  }
  if ((definition.traits & kFirstOnly) != 0 && !is_first) {
    return mongo_error(40602, name + " is only valid as the first stage in a pipeline");
  }
  if ((definition.traits & kLastOnly) != 0 && !is_last) {
    return mongo_error(40601, name + " can only be the final stage in the pipeline");
  }
  return {};
}

// Compiles stage after stage; `take` is given the stages of one specification at a time.
template <typename Take>
Status compile_each(bson::View stages, const StageCompiler& compiler, Take&& take) {
  constexpr std::size_t kMostStages = 1000;
  if (stages.count() > kMostStages) {
    return mongo_error(7749501, "Pipeline length must be no longer than " +
                                    std::to_string(kMostStages) + " stages");
  }
  const auto end = stages.end();
  bool is_first = true;
  for (auto at = stages.begin(); at != end;) {
    RESTITCH_TRY(const bson::Element element, only_member(at->value));
    const StageDefinition* definition = find_stage(element.name);
    if (definition == nullptr) {
      return mongo_error(40324,
                         "Unrecognized pipeline stage name: '" + std::string(element.name) + "'");
    }
    const bool is_last = ++at == end;
    RESTITCH_CHECK(check_use(*definition, compiler.options.use));
    RESTITCH_CHECK(check_position(*definition, is_first, is_last));
    Stages some;
    RESTITCH_CHECK(definition->factory(element, compiler, some));
    take(std::move(some));
    is_first = false;
  }
  return {};
}

const MatchStage* as_match(const StagePtr& stage) {
  return stage->kind() == StageKind::kMatch ? static_cast<const MatchStage*>(stage.get()) : nullptr;
}

// Moves each $match in front of the stages that it cannot notice.
void raise_filters(Stages& stages) {
  for (std::size_t i = 1; i < stages.size(); ++i) {
    const MatchStage* match = as_match(stages[i]);
    if (match == nullptr || !match->fields()) continue;
    std::size_t to = i;
    while (to > 0 && as_match(stages[to - 1]) == nullptr &&
           stages[to - 1]->lets_filter_pass(*match->fields())) {
      --to;
    }
    std::rotate(stages.begin() + static_cast<std::ptrdiff_t>(to),
                stages.begin() + static_cast<std::ptrdiff_t>(i),
                stages.begin() + static_cast<std::ptrdiff_t>(i + 1));
  }
}

// Tells a $sort how many documents a $skip and $limit behind it let through.
void bound_sorts(Stages& stages) {
  for (std::size_t i = 0; i + 1 < stages.size(); ++i) {
    if (stages[i]->kind() != StageKind::kSort) continue;
    std::int64_t skipped = 0;
    for (std::size_t j = i + 1; j < stages.size(); ++j) {
      if (stages[j]->kind() == StageKind::kSkip) {
        const std::int64_t skip = static_cast<const SkipStage*>(stages[j].get())->skip();
        if (__builtin_add_overflow(skipped, skip, &skipped)) break;
        continue;
      }
      std::int64_t limit;
      if (stages[j]->kind() == StageKind::kLimit &&
          !__builtin_add_overflow(skipped, static_cast<const LimitStage*>(stages[j].get())->limit(),
                                  &limit)) {
        stages[i] = static_cast<const SortStage*>(stages[i].get())->limited(limit);
      }
      break;
    }
  }
}

}  // namespace

Result<DocumentStreamPtr> DocumentStage::open(DocumentStreamPtr input, const RunPtr& run) const {
  return DocumentStreamPtr(std::make_unique<DocumentStagesStream>(
      std::move(input), std::vector<const DocumentStage*>{this}, run));
}

const StageDefinition* find_stage(std::string_view name) {
  static const StageMap map = all_stages();
  const auto found = map.find(name);
  return found == map.end() ? nullptr : found->second;
}

Status append_stage(std::string_view name, ValueView spec, const StageCompiler& compiler,
                    Stages& out) {
  return find_stage(name)->factory(bson::Element{name, spec}, compiler, out);
}

Result<PipelineOptions> sub_pipeline_options(bson::View stages, const StageCompiler& compiler,
                                             std::string_view collection,
                                             const VariableScope& scope,
                                             const SubPipelineRules& rules) {
  constexpr int kMostDepth = 20;
  for (const bson::Element& stage : stages) {
    const auto object = stage.value.as_object();
    if (!object || object->empty()) continue;
    const std::string_view name = object->begin()->name;
    const StageDefinition* definition = find_stage(name);
    if (definition != nullptr && (definition->traits & rules.refused) != 0) {
      return mongo_error(rules.code, std::string(name) + " is not allowed " + rules.where);
    }
  }
  PipelineOptions options;
  options.use = PipelineUse::kSub;
  options.database = compiler.options.database;
  options.collection = collection;
  options.scope = scope;
  options.depth = compiler.options.depth + (rules.is_nesting ? 1 : 0);
  if (options.depth > kMostDepth) {
    return mongo_error(232, "Maximum number of nested sub-pipelines exceeded. Limit is " +
                                std::to_string(kMostDepth));
  }
  return options;
}

Result<Pipeline> compile_sub_pipeline(bson::View stages, const StageCompiler& compiler,
                                      std::string_view collection, const VariableScope& scope,
                                      const SubPipelineRules& rules) {
  RESTITCH_TRY(PipelineOptions options,
               sub_pipeline_options(stages, compiler, collection, scope, rules));
  return Pipeline::compile(stages, compiler.context, std::move(options));
}

Pipeline::Pipeline(Stages stages, const CommandContext& context)
    : stages_(std::move(stages)), context_(&context) {
  raise_filters(stages_);
  bound_sorts(stages_);
}

Status Pipeline::check_stage_names(bson::View stages) {
  for (const bson::Element& element : stages) {
    const auto stage = element.value.as_object();
    if (!stage || stage->empty()) continue;
    const std::string name(stage->begin()->name);
    if (find_stage(name) == nullptr) {
      return mongo_error(40324, "Unrecognized pipeline stage name: '" + name + "'");
    }
  }
  return {};
}

Result<Pipeline> Pipeline::compile(bson::View stages, const CommandContext& context,
                                   PipelineOptions options) {
  Stages compiled;
  RESTITCH_CHECK(compile_each(stages, StageCompiler{context, options}, [&](Stages&& some) {
    std::move(some.begin(), some.end(), std::back_inserter(compiled));
  }));
  return Pipeline(std::move(compiled), context);
}

Result<Pipeline::Parts> Pipeline::compile_parts(bson::View stages, const CommandContext& context,
                                                PipelineOptions options,
                                                std::size_t first_variable) {
  Stages whole;
  Stages head;
  Stages rest;
  Parts parts;
  const auto uses_variables = [&] {
    return options.scope.take_uses(first_variable, options.scope.size());
  };
  uses_variables();
  bool is_head = true;
  RESTITCH_CHECK(compile_each(stages, StageCompiler{context, options}, [&](const Stages& some) {
    is_head = !uses_variables() && is_head &&
              std::all_of(some.begin(), some.end(),
                          [](const StagePtr& stage) { return stage->is_deterministic(); });
    if (is_head) ++parts.head_stages;
    whole.insert(whole.end(), some.begin(), some.end());
    Stages& part = is_head ? head : rest;
    part.insert(part.end(), some.begin(), some.end());
  }));
  parts.whole = Pipeline(std::move(whole), context);
  parts.head = Pipeline(std::move(head), context);
  parts.rest = Pipeline(std::move(rest), context);
  return parts;
}

Result<DocumentStreamPtr> Pipeline::run(DocumentStreamPtr input, PipelineEnvironment& environment,
                                        std::vector<Value> variables) const {
  const auto context =
      std::make_shared<RunContext>(RunContext{&environment, *context_, std::move(variables)});
  DocumentStreamPtr stream = input ? std::move(input) : empty_stream();
  for (auto at = stages_.begin(); at != stages_.end();) {
    std::vector<const DocumentStage*> row;
    for (; at != stages_.end() && (*at)->as_document_stage() != nullptr; ++at) {
      row.push_back((*at)->as_document_stage());
    }
    if (!row.empty()) {
      stream = std::make_unique<DocumentStagesStream>(std::move(stream), std::move(row), context);
      continue;
    }
    RESTITCH_TRY(stream, (*at)->open(std::move(stream), context));
    ++at;
  }
  return DocumentStreamPtr(std::make_unique<OutputStream>(std::move(stream), stages_));
}

Result<Document> Pipeline::transform(bson::View document) const {
  RunContext context{nullptr, *context_, {}};
  Document out(document);
  for (const StagePtr& stage : stages_) {
    RESTITCH_TRY(auto changed,
                 static_cast<const DocumentStage&>(*stage).apply(std::move(out), context));
    RESTITCH_ASSERT(changed.has_value());
    out = std::move(*changed);
  }
  return out;
}

Result<std::optional<Document>> Pipeline::apply(Document document) const {
  RunContext context{nullptr, *context_, {}};
  std::optional<Document> out(std::move(document));
  for (const StagePtr& stage : stages_) {
    RESTITCH_TRY(out, static_cast<const DocumentStage&>(*stage).apply(std::move(*out), context));
    if (!out) break;
  }
  return out;
}

Document Pipeline::take_filter() {
  Document filter;
  while (!stages_.empty()) {
    const MatchStage* match = as_match(stages_.front());
    if (match == nullptr || !match->is_self_contained()) break;
    filter = both_queries(filter, match->query());
    stages_.erase(stages_.begin());
  }
  return filter;
}

Pipeline::Pushdown Pipeline::take_pushdown() {
  Pushdown out;
  out.filter = take_filter();
  if (!stages_.empty() && stages_.front()->kind() == StageKind::kSort) {
    out.sort = static_cast<const SortStage*>(stages_.front().get())->spec();
    stages_.erase(stages_.begin());
  }
  while (!stages_.empty() && stages_.front()->kind() == StageKind::kSkip) {
    const std::int64_t skip = static_cast<const SkipStage*>(stages_.front().get())->skip();
    std::int64_t total;
    if (__builtin_add_overflow(out.skip.value_or(0), skip, &total)) break;
    out.skip = total;
    stages_.erase(stages_.begin());
  }
  while (!stages_.empty() && stages_.front()->kind() == StageKind::kLimit) {
    const std::int64_t limit = static_cast<const LimitStage*>(stages_.front().get())->limit();
    out.limit = std::min(out.limit.value_or(limit), limit);
    stages_.erase(stages_.begin());
  }
  out.count_only = !stages_.empty() && stages_.front()->ignores_contents();
  return out;
}

bool Pipeline::starts_with_source() const {
  return !stages_.empty() && stages_.front()->is_source();
}

bool Pipeline::writes() const { return !stages_.empty() && stages_.back()->is_writer(); }

bool Pipeline::is_deterministic() const {
  return std::all_of(stages_.begin(), stages_.end(), [](const StagePtr& stage) {
    return stage->is_deterministic() && !stage->is_writer();
  });
}

}  // namespace restitch::query
