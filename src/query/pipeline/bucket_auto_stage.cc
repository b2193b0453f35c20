#include <algorithm>
#include <cmath>

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/pipeline/granularity.h"
#include "query/pipeline/group_field.h"
#include "query/pipeline/spec_stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

struct BucketAutoSpec {
  ExpressionPtr group_by;
  std::int32_t buckets = 0;
  std::vector<GroupField> fields;
  std::shared_ptr<const Granularity> granularity;
};

struct Entry {
  Value key;
  Document document;
};

class BucketAutoStream final : public FilledStream {
 public:
  BucketAutoStream(DocumentStreamPtr input, const BucketAutoSpec& spec, RunPtr run)
      : FilledStream(std::move(input), std::move(run)), spec_(spec) {}

 private:
  Result<std::optional<Document>> take() override {
    if (at_ == entries_.size()) return std::optional<Document>();
    RESTITCH_TRY(Document bucket, next_bucket());
    return std::optional(std::move(bucket));
  }

  Status fill(StreamReader& input) override {
    while (true) {
      RESTITCH_TRY(auto document, input.next());
      if (!document) break;
      EvalContext context = run().evaluation(*document);
      RESTITCH_TRY(Value key, spec_.group_by->evaluate(context));
      if (key.is_missing()) key = Value::null();
      if (spec_.granularity) RESTITCH_CHECK(check_number(key));
      if (!hold(static_cast<std::int64_t>(sizeof(Entry) + key.view().raw().size() +
                                          document->bytes().size()))) {
        return mongo_error(
            292, "Exceeded memory limit for $bucketAuto. Pass allowDiskUse:true to opt in.");
      }
      entries_.push_back({std::move(key), std::move(*document)});
    }
    const Comparator& comparator = command().comparator;
    std::stable_sort(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) {
      return comparator.compare(a.key, b.key) < 0;
    });
    const double share = static_cast<double>(entries_.size()) / spec_.buckets;
    share_ = std::max<std::size_t>(1, static_cast<std::size_t>(std::round(share)));
    return {};
  }

  static Status check_number(ValueView key) {
    if (!key.is_number()) {
      return mongo_error(
          40258,
          "$bucketAuto can specify a 'granularity' with numeric boundaries only, but "
          "found a value with type: " +
              type_name(key));
    }
    const double number = *key.as_double();
    if (std::isnan(number)) {
      return mongo_error(
          40259,
          "$bucketAuto can specify a 'granularity' with numeric boundaries only, but "
          "found a NaN");
    }
    if (number < 0) {
      return mongo_error(
          40260,
          "$bucketAuto can specify a 'granularity' with non-negative numbers only, but "
          "found a negative number");
    }
    return {};
  }

  // The entries of the next bucket end where this one's key changes.
  Result<Document> next_bucket() {
    const Comparator& comparator = command().comparator;
    const std::size_t start = at_;
    const bool is_last = ++bucket_ == spec_.buckets;
    std::size_t end = is_last ? entries_.size() : std::min(start + share_, entries_.size());
    while (end < entries_.size() && comparator.equal(entries_[end].key, entries_[end - 1].key))
      ++end;
    Value low = entries_[start].key;
    Value high = end < entries_.size() ? entries_[end].key : entries_.back().key;
    if (spec_.granularity) {
      const Granularity& series = *spec_.granularity;
      low = boundary_ ? *boundary_
                      : Value::of(series.round_down(*entries_[start].key.view().as_double()));
      high = Value::of(series.round_up(*entries_[end - 1].key.view().as_double()));
      while (end < entries_.size() && comparator.compare(entries_[end].key, high) < 0) ++end;
      boundary_ = high;
    }
    at_ = end;
    return summarize(low, high, start, end);
  }

  Result<Document> summarize(const Value& low, const Value& high, std::size_t start,
                             std::size_t end) {
    const bson::View nothing;
    EvalContext group = run().evaluation(nothing);
    RESTITCH_TRY(GroupState state, GroupState::start(spec_.fields, group));
    for (std::size_t i = start; i < end; ++i) {
      EvalContext context = run().evaluation(entries_[i].document);
      RESTITCH_CHECK(state.feed(spec_.fields, context));
    }
    bson::Builder builder;
    builder.open_object("_id").append("min", low).append("max", high).close();
    state.append_results(spec_.fields, builder);
    return std::move(builder).finish();
  }

  const BucketAutoSpec& spec_;
  std::vector<Entry> entries_;
  std::size_t share_ = 1;
  std::size_t at_ = 0;
  std::int32_t bucket_ = 0;
  std::optional<Value> boundary_;  // rounded upper end of the bucket before
};

using BucketAutoStage = SpecStage<BucketAutoSpec, BucketAutoStream>;

Status read_option(const bson::Element& option, const StageCompiler& compiler,
                   BucketAutoSpec& spec) {
  const ValueView value = option.value;
  if (option.name == "groupBy") {
    const auto text = value.as_string();
    const auto object = value.as_object();
    const bool is_path = text && text->substr(0, 1) == "$";
    const bool is_call = object && !object->empty() && object->begin()->name.substr(0, 1) == "$";
    if (!is_path && !is_call) {
      return mongo_error(
          40239,
          "The $bucketAuto 'groupBy' field must be defined as a $-prefixed path or an "
          "expression object, but found: " +
              bson::to_shell(value));
    }
    RESTITCH_TRY(spec.group_by, compiler.expression(value));
    return {};
  }
  if (option.name == "buckets") {
    if (!value.is_number()) {
      return mongo_error(
          40241, "The $bucketAuto 'buckets' field must be a numeric value, but found type: " +
                     type_name(value));
    }
    const auto buckets = as_int32(value);
    if (!buckets) {
      return mongo_error(
          40242,
          "The $bucketAuto 'buckets' field must be representable as a 32-bit integer, "
          "but found " +
              bson::to_shell(value));
    }
    if (*buckets <= 0) {
      return mongo_error(40243,
                         "The $bucketAuto 'buckets' field must be greater than 0, but found: " +
                             std::to_string(*buckets));
    }
    spec.buckets = *buckets;
    return {};
  }
  if (option.name == "output") {
    const auto output = value.as_object();
    if (!output) {
      return mongo_error(
          40244,
          "The $bucketAuto 'output' field must be an object, but found type: " + type_name(value));
    }
    for (const bson::Element& field : *output) {
      RESTITCH_TRY(GroupField compiled, compile_group_field(field, compiler));
      spec.fields.push_back(std::move(compiled));
    }
    return {};
  }
  if (option.name == "granularity") {
    const auto name = value.as_string();
    if (!name) {
      return mongo_error(40261,
                         "The $bucketAuto 'granularity' field must be a string, but found type: " +
                             type_name(value));
    }
    RESTITCH_TRY(spec.granularity, Granularity::find(*name));
    return {};
  }
  return mongo_error(40245,
                     "Unrecognized option to $bucketAuto: " + std::string(option.name) + ".");
}

Status make_bucket_auto(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto object = element.value.as_object();
  if (!object) {
    return mongo_error(40240, "The argument to $bucketAuto must be an object, but found type: " +
                                  type_name(element.value) + ".");
  }
  BucketAutoSpec spec;
  for (const bson::Element& option : *object) RESTITCH_CHECK(read_option(option, compiler, spec));
  if (!spec.group_by || spec.buckets == 0) {
    return mongo_error(40246, "$bucketAuto requires 'groupBy' and 'buckets' to be specified.");
  }
  if (!object->contains("output")) {
    const Document count =
        bson::make_document("count", bson::make_document("$sum", std::int32_t{1}));
    RESTITCH_TRY(GroupField field, compile_group_field(*count.view().begin(), compiler));
    spec.fields.push_back(std::move(field));
  }
  out.push_back(std::make_shared<BucketAutoStage>(std::move(spec)));
  return {};
}

constexpr StageDefinition kStages[] = {{"$bucketAuto", make_bucket_auto}};

}  // namespace

StageTable auto_bucket_stages() { return kStages; }

}  // namespace restitch::query
