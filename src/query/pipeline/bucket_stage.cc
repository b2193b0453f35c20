#include <algorithm>

#include "bson/extended_json.h"
#include "query/expression/nodes.h"
#include "query/expression/numbers.h"
#include "query/pipeline/group_stage.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

// The lower boundary of the bucket a value falls into. Operand: groupBy.
class BucketNode final : public CompositeNode {
 public:
  BucketNode(std::vector<Value> boundaries, std::optional<Value> otherwise, ExpressionPtr group_by)
      : CompositeNode({std::move(group_by)}),
        boundaries_(std::move(boundaries)),
        otherwise_(std::move(otherwise)) {}

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView value, operand(0).peek(context, storage));
    const Comparator& comparator = context.command.comparator;
    const auto above =
        std::upper_bound(boundaries_.begin(), boundaries_.end(), value,
                         [&](ValueView a, const Value& b) { return comparator.compare(a, b) < 0; });
    if (above != boundaries_.begin() && above != boundaries_.end()) return *std::prev(above);
    if (otherwise_) return *otherwise_;
    return mongo_error(40066,
                       "$switch could not find a matching branch for an input, and no default "
                       "was specified.");
  }

 private:
  std::vector<Value> boundaries_;
  std::optional<Value> otherwise_;
};

struct BucketSpec {
  ExpressionPtr group_by;
  std::vector<Value> boundaries;
  std::optional<Value> otherwise;
  std::vector<GroupField> fields;
};

Status check_group_by(ValueView spec) {
  const auto text = spec.as_string();
  const auto object = spec.as_object();
  const bool is_path = text && text->substr(0, 1) == "$";
  const bool is_call = object && !object->empty() && object->begin()->name.substr(0, 1) == "$";
  if (is_path || is_call) return {};
  return mongo_error(40202,
                     "The $bucket 'groupBy' field must be defined as a $-prefixed path or an "
                     "expression, but found: " +
                         bson::to_shell(spec) + ".");
}

Status read_boundaries(ValueView spec, const StageCompiler& compiler, std::vector<Value>& out) {
  const auto array = spec.as_array();
  if (!array) {
    return mongo_error(40200, "The $bucket 'boundaries' field must be an array, but found type: " +
                                  type_name(spec) + ".");
  }
  for (const bson::Element& element : *array) {
    RESTITCH_TRY(const ExpressionPtr boundary, compiler.expression(element.value));
    const auto constant = boundary->constant();
    if (!constant) {
      return mongo_error(40191,
                         "The $bucket 'boundaries' field must be an array of constant values, but "
                         "found value: " +
                             bson::to_shell(element.value) + ".");
    }
    out.emplace_back(*constant);
  }
  if (out.size() < 2) {
    return mongo_error(40192,
                       "The $bucket 'boundaries' field must have at least 2 values, but found " +
                           std::to_string(out.size()) + " value(s).");
  }
  for (std::size_t i = 1; i < out.size(); ++i) {
    const ValueView lower = out[i - 1];
    const ValueView upper = out[i];
    if (bson::canonical_class(lower.type()) != bson::canonical_class(upper.type())) {
      return mongo_error(40193,
                         "All values in the the 'boundaries' option to $bucket must have the same "
                         "type. Found conflicting types " +
                             type_name(lower) + " and " + type_name(upper) + ".");
    }
    if (compiler.context.comparator.compare(lower, upper) >= 0) {
      return mongo_error(40194, "The 'boundaries' option to $bucket must be sorted, but elements " +
                                    std::to_string(i - 1) + " and " + std::to_string(i) +
                                    " are not in sorted order (" + bson::to_shell(lower) +
                                    " is not less than " + bson::to_shell(upper) + ").");
    }
  }
  return {};
}

Status read_option(const bson::Element& option, const StageCompiler& compiler, BucketSpec& spec) {
  if (option.name == "groupBy") {
    RESTITCH_CHECK(check_group_by(option.value));
    RESTITCH_TRY(spec.group_by, compiler.expression(option.value));
    return {};
  }
  if (option.name == "boundaries") return read_boundaries(option.value, compiler, spec.boundaries);
  if (option.name == "default") {
    RESTITCH_TRY(const ExpressionPtr otherwise, compiler.expression(option.value));
    if (!otherwise->constant()) {
      return mongo_error(40195,
                         "The $bucket 'default' field must be a constant value, but found: " +
                             bson::to_shell(option.value) + ".");
    }
    spec.otherwise = Value(*otherwise->constant());
    return {};
  }
  if (option.name == "output") {
    const auto output = option.value.as_object();
    if (!output) {
      return mongo_error(40196, "The $bucket 'output' field must be an object, but found type: " +
                                    type_name(option.value) + ".");
    }
    for (const bson::Element& field : *output) {
      RESTITCH_TRY(GroupField compiled, compile_group_field(field, compiler));
      spec.fields.push_back(std::move(compiled));
    }
    return {};
  }
  return mongo_error(40197, "Unrecognized option to $bucket: " + std::string(option.name) + ".");
}

Status make_bucket(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto object = element.value.as_object();
  if (!object) {
    return mongo_error(40201, "Argument to $bucket stage must be an object, but found type: " +
                                  type_name(element.value) + ".");
  }
  BucketSpec spec;
  for (const bson::Element& option : *object) RESTITCH_CHECK(read_option(option, compiler, spec));
  if (!spec.group_by || spec.boundaries.empty()) {
    return mongo_error(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified.");
  }
  const Comparator& comparator = compiler.context.comparator;
  if (spec.otherwise && comparator.compare(*spec.otherwise, spec.boundaries.front()) >= 0 &&
      comparator.compare(*spec.otherwise, spec.boundaries.back()) < 0) {
    return mongo_error(40199,
                       "The $bucket 'default' field must be less than the lowest boundary or "
                       "greater than or equal to the highest boundary.");
  }
  if (!object->contains("output")) {
    const bson::Document count =
        bson::make_document("count", bson::make_document("$sum", std::int32_t{1}));
    RESTITCH_TRY(GroupField field, compile_group_field(*count.view().begin(), compiler));
    spec.fields.push_back(std::move(field));
  }
  RESTITCH_TRY(ExpressionPtr id,
               make_folded<BucketNode>(compiler.context, std::move(spec.boundaries),
                                       std::move(spec.otherwise), std::move(spec.group_by)));
  out.push_back(std::make_shared<GroupStage>(std::move(id), std::move(spec.fields)));
  return append_stage("$sort", Value::of(bson::make_document("_id", std::int32_t{1})), compiler,
                      out);
}

constexpr StageDefinition kStages[] = {{"$bucket", make_bucket}};

}  // namespace

StageTable bucket_stages() { return kStages; }

}  // namespace restitch::query
