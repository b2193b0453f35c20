#include "query/pipeline/match_stage.h"

#include <algorithm>

namespace restitch::query {
namespace {

using bson::Document;

// False when the fields cannot be told.
bool collect_fields(const FilterNode& node, std::set<std::string>& fields) {
  switch (node.op) {
    case FilterOp::kJsonSchema:
    case FilterOp::kSampleRate:
      return false;
    case FilterOp::kExpr:
      node.expression->add_dependencies(fields);
      return !fields.contains("");
    case FilterOp::kAnd:
    case FilterOp::kOr:
    case FilterOp::kNor:
    case FilterOp::kNot:
      for (const auto& child : node.children) {
        if (!collect_fields(*child, fields)) return false;
      }
      return true;
    case FilterOp::kAlwaysTrue:
    case FilterOp::kAlwaysFalse:
      return true;
    default:
      if (node.components.empty()) return false;
      fields.insert(node.components.front());
      return true;
  }
}

bool has_sample_rate(const FilterNode& node) {
  if (node.op == FilterOp::kSampleRate) return true;
  return std::any_of(node.children.begin(), node.children.end(),
                     [](const auto& child) { return has_sample_rate(*child); });
}

Status make_match(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto query = element.value.as_object();
  if (!query) return mongo_error(15959, "the match filter must be an expression in an object");
  RESTITCH_TRY(auto stage, MatchStage::compile(*query, compiler));
  out.push_back(std::move(stage));
  return {};
}

constexpr StageDefinition kStages[] = {{"$match", make_match, kInChangeStream}};

}  // namespace

Result<std::shared_ptr<const MatchStage>> MatchStage::compile(bson::View query,
                                                              const StageCompiler& compiler) {
  auto stage = std::make_shared<MatchStage>();
  stage->query_ = Document(query);
  FilterOptions options;
  options.scope = &compiler.options.scope;
  options.allow_near = false;
  RESTITCH_TRY(stage->filter_, Filter::compile(stage->query_, compiler.context, options));
  if (compiler.options.scope.size() > 0) {
    stage->is_self_contained_ = Filter::compile(stage->query_, compiler.context).has_value();
  }
  stage->samples_ = has_sample_rate(stage->filter_.root());
  stage->fields_ = fields_read(stage->filter_);
  return std::shared_ptr<const MatchStage>(std::move(stage));
}

Result<std::optional<Document>> MatchStage::apply(Document document, RunContext& run) const {
  RESTITCH_TRY(const bool matches, filter_.matches(document, run.variables));
  if (!matches) return std::optional<Document>();
  return std::optional(std::move(document));
}

std::optional<std::set<std::string>> fields_read(const Filter& filter) {
  std::set<std::string> fields;
  if (!collect_fields(filter.root(), fields)) return std::nullopt;
  return fields;
}

Document both_queries(const Document& a, const Document& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  bson::Builder builder;
  builder.open_array("$and").push(a).push(b).close();
  return std::move(builder).finish();
}

StageTable match_stages() { return kStages; }

}  // namespace restitch::query
