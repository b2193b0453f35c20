#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "query/expression/operator.h"
#include "query/interruption.h"
#include "query/pipeline/pipeline.h"

namespace restitch::query {

// What the stages of one run share.
struct RunContext {
  PipelineEnvironment* environment;  // null in Pipeline::transform
  const CommandContext& command;
  std::vector<bson::Value> variables;  // by slot; those of the scope come first

  EvalContext evaluation(bson::View document) {
    return EvalContext{command, document, variables, std::nullopt};
  }
};
using RunPtr = std::shared_ptr<RunContext>;

enum class StageKind : std::uint8_t { kOther, kMatch, kSort, kSkip, kLimit, kCount };

class DocumentStage;

// A compiled stage. Immutable, thread-safe.
class Stage {
 public:
  virtual ~Stage() = default;

  virtual Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const = 0;
  virtual StageKind kind() const { return StageKind::kOther; }
  // Whether a $match that reads only these top-level fields may run in front of this stage
  // unnoticed.
  virtual bool lets_filter_pass(const std::set<std::string>&) const { return false; }
  // True when the contents of the input documents do not matter, only their number.
  virtual bool ignores_contents() const { return false; }
  virtual bool is_source() const { return false; }
  virtual bool is_writer() const { return false; }
  virtual bool is_deterministic() const { return true; }
  // This, if it is a DocumentStage.
  virtual const DocumentStage* as_document_stage() const { return nullptr; }
};
using StagePtr = std::shared_ptr<const Stage>;

// A stage that turns one document into one or none.
class DocumentStage : public Stage {
 public:
  virtual Result<std::optional<bson::Document>> apply(bson::Document document,
                                                      RunContext& run) const = 0;
  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const final;
  const DocumentStage* as_document_stage() const final { return this; }
};

struct StageCompiler {
  const CommandContext& context;
  const PipelineOptions& options;

  Result<ExpressionPtr> expression(bson::ValueView spec) const {
    return Expression::compile(spec, context, options.scope);
  }
  ExpressionCompiler expressions() const { return {context, options.scope}; }
};

using Stages = std::vector<StagePtr>;
// Appends the stages that one specification stands for; the element's name is the stage's.
using StageFactory = Status (*)(const bson::Element& element, const StageCompiler& compiler,
                                Stages& out);

enum StageTrait : std::uint32_t {
  kFirstOnly = 1U << 0U,
  kLastOnly = 1U << 1U,
  kInUpdate = 1U << 2U,
  kInChangeStream = 1U << 3U,
  kNotInFacet = 1U << 4U,
  kNotInSub = 1U << 5U,  // nor within $lookup and $unionWith
};
struct StageDefinition {
  std::string_view name;
  StageFactory factory;
  std::uint32_t traits = 0;
};
// Null when there is no such stage.
const StageDefinition* find_stage(std::string_view name);

// The stage families, one a file.
using StageTable = std::span<const StageDefinition>;
StageTable match_stages();
StageTable projection_stages();
StageTable field_stages();
StageTable root_stages();
StageTable order_stages();
StageTable cut_stages();
StageTable group_stages();
StageTable bucket_stages();
StageTable auto_bucket_stages();
StageTable unwind_stages();
StageTable lookup_stages();
StageTable graph_lookup_stages();
StageTable facet_stages();
StageTable union_stages();
StageTable output_stages();
StageTable redact_stages();
StageTable source_stages();
StageTable window_stages();
StageTable fill_stages();
StageTable densify_stages();

// Documents in memory.
class VectorStream final : public DocumentStream {
 public:
  explicit VectorStream(std::vector<bson::Document> documents) : documents_(std::move(documents)) {}
  Result<std::optional<bson::Document>> next() override {
    if (at_ == documents_.size()) return std::optional<bson::Document>();
    return std::optional(std::move(documents_[at_++]));
  }

 private:
  std::vector<bson::Document> documents_;
  std::size_t at_ = 0;
};

inline DocumentStreamPtr empty_stream() {
  return std::make_unique<VectorStream>(std::vector<bson::Document>());
}

// Reads a stream to its end, giving up at the command's deadline (50).
class StreamReader {
 public:
  StreamReader(DocumentStream& stream, const CommandContext& context)
      : stream_(stream), context_(context) {}
  Result<std::optional<bson::Document>> next() {
    RESTITCH_CHECK(check_interruption(context_));
    return stream_.next();
  }
  Result<std::optional<bson::View>> next_view() {
    RESTITCH_CHECK(check_interruption(context_));
    return stream_.next_view();
  }

 private:
  DocumentStream& stream_;
  const CommandContext& context_;
};

// Appends the stages of an internally built specification.
Status append_stage(std::string_view name, bson::ValueView spec, const StageCompiler& compiler,
                    Stages& out);

// Stages with one of `refused` traits end in error `code`, "<stage> is not allowed <where>".
// Nesting ones may stand inside each other 20 deep (232).
struct SubPipelineRules {
  std::uint32_t refused;
  int code;
  const char* where;
  bool is_nesting = true;
};
// Checks the array of a sub-pipeline and tells how to compile it.
Result<PipelineOptions> sub_pipeline_options(bson::View stages, const StageCompiler& compiler,
                                             std::string_view collection,
                                             const VariableScope& scope,
                                             const SubPipelineRules& rules);
Result<Pipeline> compile_sub_pipeline(bson::View stages, const StageCompiler& compiler,
                                      std::string_view collection, const VariableScope& scope,
                                      const SubPipelineRules& rules);

}  // namespace restitch::query
