#include <algorithm>

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/path.h"
#include "query/pipeline/document_edit.h"
#include "query/pipeline/group_field.h"
#include "query/pipeline/spec_stage.h"
#include "query/pipeline/window.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

// An accumulator of $group over every document's window.
class AccumulatedValues final : public WindowValues {
 public:
  AccumulatedValues(const GroupField& field, std::vector<WindowRange> ranges,
                    std::span<const WindowEntry> entries, RunContext& run)
      : field_(field), ranges_(std::move(ranges)), entries_(entries), run_(run) {}

  Result<Value> next() override {
    const WindowRange range = ranges_[at_++];
    // A window that only grew at its end continues where the one before stopped.
    if (!accumulator_ || range.begin != fed_.begin || range.end < fed_.end) {
      const bson::View nothing;
      EvalContext group = run_.evaluation(nothing);
      RESTITCH_TRY(accumulator_, field_.plan->start(group));
      fed_ = {range.begin, range.begin};
    }
    for (; fed_.end < range.end; ++fed_.end) {
      RESTITCH_CHECK(check_interruption(run_.command));
      EvalContext context = run_.evaluation(entries_[fed_.end].document);
      RESTITCH_CHECK(field_.plan->feed(*accumulator_, context));
    }
    return accumulator_->result();
  }
  std::size_t memory() const override {
    return ranges_.size() * sizeof(WindowRange) + (accumulator_ ? accumulator_->memory() : 0);
  }

 private:
  const GroupField& field_;
  std::vector<WindowRange> ranges_;
  std::span<const WindowEntry> entries_;
  RunContext& run_;
  AccumulatorPtr accumulator_;
  WindowRange fed_{0, 0};
  std::size_t at_ = 0;
};

class AccumulatedFunction final : public WindowFunction {
 public:
  AccumulatedFunction(GroupField field, WindowBounds bounds, WindowOrder order)
      : field_(std::move(field)), bounds_(bounds), order_(std::move(order)) {}

  Result<WindowValuesPtr> start(std::span<const WindowEntry> entries,
                                RunContext& run) const override {
    RESTITCH_TRY(auto ranges, bounds_.ranges(entries, order_));
    return WindowValuesPtr(
        std::make_unique<AccumulatedValues>(field_, std::move(ranges), entries, run));
  }

 private:
  GroupField field_;
  WindowBounds bounds_;
  WindowOrder order_;
};

struct WindowField {
  std::vector<std::string> path;
  WindowFunctionPtr function;
};

struct WindowSpec {
  ExpressionPtr partition_by;  // null: one partition
  std::optional<SortPattern> sort_by;
  WindowOrder order;
  std::vector<WindowField> fields;
};

class WindowStream final : public FilledStream {
 public:
  WindowStream(DocumentStreamPtr input, const WindowSpec& spec, RunPtr run)
      : FilledStream(std::move(input), std::move(run)), spec_(spec) {}

 private:
  Result<std::optional<Document>> take() override {
    if (at_ == entries_.size()) return std::optional<Document>();
    if (at_ == partition_end_) RESTITCH_CHECK(start_partition());
    Document out = entries_[at_++].document;
    std::size_t memory = 0;
    for (std::size_t i = 0; i < spec_.fields.size(); ++i) {
      RESTITCH_TRY(const Value value, values_[i]->next());
      memory += values_[i]->memory();
      out = with_path(out, spec_.fields[i].path, value);
    }
    RESTITCH_CHECK(check_memory(memory));
    if (at_ == partition_end_) forget_partition();
    return std::optional(std::move(out));
  }

  Status fill(StreamReader& input) override {
    while (true) {
      RESTITCH_TRY(auto document, input.next());
      if (!document) break;
      WindowEntry entry;
      RESTITCH_CHECK(read_keys(*document, entry));
      entry.document = std::move(*document);
      hold(size_of(entry));
      RESTITCH_CHECK(check_memory(0));
      entries_.push_back(std::move(entry));
    }
    const Comparator& comparator = command().comparator;
    std::stable_sort(entries_.begin(), entries_.end(),
                     [&](const WindowEntry& a, const WindowEntry& b) {
                       const int order = comparator.compare(a.partition, b.partition);
                       return order != 0 ? order < 0 : a.sort_key < b.sort_key;
                     });
    return {};
  }

  Status read_keys(const Document& document, WindowEntry& entry) {
    if (spec_.partition_by) {
      EvalContext context = run().evaluation(document);
      RESTITCH_TRY(entry.partition, spec_.partition_by->evaluate(context));
      if (entry.partition.type() == Type::kArray) {
        return mongo_error(
            14, "An expression used to partition cannot evaluate to value of type array");
      }
      if (entry.partition.view().is_nullish()) entry.partition = Value::null();
    }
    if (spec_.sort_by) {
      RESTITCH_TRY(entry.sort_key, spec_.sort_by->key_of(document));
    }
    return {};
  }

  static std::int64_t size_of(const WindowEntry& entry) {
    return static_cast<std::int64_t>(sizeof(entry) + entry.partition.view().raw().size() +
                                     entry.sort_key.size() + entry.document.bytes().size());
  }

  // `more`: bytes held beyond the entries.
  Status check_memory(std::size_t more) const {
    if (held() + static_cast<std::int64_t>(more) <= command().memory_limit) return {};
    return mongo_error(5414201, "Exceeded memory limit in $setWindowFields");
  }

  Status start_partition() {
    const Comparator& comparator = command().comparator;
    partition_end_ = at_ + 1;
    while (partition_end_ < entries_.size() &&
           comparator.equal(entries_[partition_end_].partition, entries_[at_].partition)) {
      ++partition_end_;
    }
    const auto entries = std::span<const WindowEntry>(entries_).subspan(at_, partition_end_ - at_);
    std::size_t memory = 0;
    for (const WindowField& field : spec_.fields) {
      RESTITCH_TRY(WindowValuesPtr values, field.function->start(entries, run()));
      memory += values->memory();
      RESTITCH_CHECK(check_memory(memory));
      values_.push_back(std::move(values));
    }
    partition_begin_ = at_;
    return {};
  }

  void forget_partition() {
    values_.clear();
    for (std::size_t i = partition_begin_; i < partition_end_; ++i) {
      hold(-size_of(entries_[i]));
      entries_[i] = WindowEntry();
      hold(size_of(entries_[i]));
    }
  }

  const WindowSpec& spec_;
  std::vector<WindowEntry> entries_;
  std::vector<WindowValuesPtr> values_;  // by field
  std::size_t partition_begin_ = 0;
  std::size_t partition_end_ = 0;
  std::size_t at_ = 0;
};

using WindowStage = SpecStage<WindowSpec, WindowStream>;

Status read_sort(ValueView value, const StageCompiler& compiler, WindowSpec& spec) {
  const auto pattern = value.as_object();
  if (!pattern) return mongo_error(14, "sortBy must be an object, found " + type_name(value));
  RESTITCH_TRY(spec.sort_by, SortPattern::compile(*pattern, compiler.context));
  spec.order.is_sorted = !spec.sort_by->empty();
  if (spec.sort_by->parts().size() == 1) {
    spec.order.sort_path = spec.sort_by->parts().front().components;
    spec.order.is_descending = spec.sort_by->parts().front().descending;
  }
  return {};
}

Status make_window(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto object = element.value.as_object();
  if (!object) {
    return mongo_error(9, "the $setWindowFields stage specification must be an object, found " +
                              type_name(element.value));
  }
  WindowSpec spec;
  ValueView output;
  for (const bson::Element& member : *object) {
    if (member.name == "partitionBy") {
      RESTITCH_TRY(spec.partition_by, compiler.expression(member.value));
    } else if (member.name == "sortBy") {
      RESTITCH_CHECK(read_sort(member.value, compiler, spec));
    } else if (member.name == "output") {
      output = member.value;
    } else {
      return mongo_error(40415, "BSON field '$setWindowFields." + std::string(member.name) +
                                    "' is an unknown field.");
    }
  }
  if (output.type() != Type::kObject) {
    return mongo_error(40414,
                       "BSON field '$setWindowFields.output' is missing but a required field");
  }
  for (const bson::Element& field : output.get_document()) {
    RESTITCH_TRY(WindowFunctionPtr function, compile_window_function(field, spec.order, compiler));
    spec.fields.push_back({split_path(field.name), std::move(function)});
  }
  out.push_back(std::make_shared<WindowStage>(std::move(spec)));
  return {};
}

constexpr StageDefinition kStages[] = {{"$setWindowFields", make_window}};

}  // namespace

Result<WindowFunctionPtr> compile_window_function(const bson::Element& field,
                                                  const WindowOrder& order,
                                                  const StageCompiler& compiler) {
  const auto object = field.value.as_object();
  if (!object) {
    return mongo_error(9, "The field '" + std::string(field.name) + "' must be an object");
  }
  ValueView window;
  std::optional<bson::Element> call;
  for (const bson::Element& member : *object) {
    if (member.name == "window") {
      window = member.value;
    } else if (member.name.substr(0, 1) == "$" && !call) {
      call = member;
    } else {
      return mongo_error(9,
                         "Window function found an unknown argument: " + std::string(member.name));
    }
  }
  if (!call)
    return mongo_error(
        9, "Expected a $-prefixed window function, in field " + std::string(field.name));
  RESTITCH_TRY(WindowFunctionPtr own, compile_ordered_function(*call, window, order, compiler));
  if (own) return own;
  RESTITCH_TRY(const WindowBounds bounds, WindowBounds::compile(window, order));
  // As a field of $group, under a name that passes its rules.
  bson::Builder builder;
  builder.open_object("field").append(call->name, call->value).close();
  const Document single = std::move(builder).finish();
  auto accumulated = compile_group_field(*single.view().begin(), compiler);
  if (!accumulated) {
    constexpr int kUnknown = 15952;
    if (accumulated.error().mongo_code() == kUnknown) {
      return mongo_error(9, "Unrecognized window function, " + std::string(call->name));
    }
    return std::move(accumulated).error();
  }
  return WindowFunctionPtr(
      std::make_shared<AccumulatedFunction>(std::move(*accumulated), bounds, order));
}

StageTable window_stages() { return kStages; }

}  // namespace restitch::query
