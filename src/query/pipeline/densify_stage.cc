#include <algorithm>

#include "bson/extended_json.h"
#include "query/expression/dates.h"
#include "query/expression/numbers.h"
#include "query/field_path.h"
#include "query/path.h"
#include "query/pipeline/document_edit.h"
#include "query/pipeline/spec_stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

constexpr std::int64_t kMostGenerated = 500000;

struct DensifySpec {
  enum class Bounds : std::uint8_t { kFull, kPartition, kExplicit } bounds = Bounds::kFull;
  std::vector<std::string> field;
  std::vector<std::vector<std::string>> partition;
  Value step;
  std::optional<TimeUnit> unit;
  Value lower;  // kExplicit: inclusive
  Value upper;  // exclusive

  // The `index`-th value of the grid that starts at `start`; nothing on overflow.
  std::optional<Value> grid(ValueView start, std::int64_t index) const {
    if (unit) {
      std::int64_t amount;
      if (__builtin_mul_overflow(*step.view().as_integer(), index, &amount)) return std::nullopt;
      const auto at = add_time(start.get_date().millis, *unit, amount, TimeZone());
      return at ? std::optional(Value::of(bson::Date{*at})) : std::nullopt;
    }
    NumberSum sum;
    sum.add(start);
    const ValueView width = step.view();
    if (width.type() == Type::kDecimal128) {
      sum.add(Value::of(
          bson::decimal_multiply(width.get_decimal128(), bson::decimal_from_int64(index))));
      return sum.value();
    }
    std::int64_t distance;
    if (width.type() == Type::kDouble) {
      sum.add(Value::of(width.get_double() * static_cast<double>(index)));
    } else if (__builtin_mul_overflow(integer_of(width), index, &distance)) {
      return std::nullopt;
    } else {
      sum.add(make_integer(distance, width.type() == Type::kInt32));
    }
    return sum.value();
  }
};

struct Entry {
  Value partition;  // array of the partition's values
  Value value;
  Document document;
};

class DensifyStream final : public FilledStream {
 public:
  DensifyStream(DocumentStreamPtr input, const DensifySpec& spec, RunPtr run)
      : FilledStream(std::move(input), std::move(run)), spec_(spec) {}

 private:
  Result<std::optional<Document>> take() override {
    if (at_ == out_.size()) return std::optional<Document>();
    return std::optional(std::move(out_[at_++]));
  }

  Status fill(StreamReader& input) override {
    RESTITCH_CHECK(read(input));
    RESTITCH_CHECK(densify());
    entries_.clear();
    return {};
  }

  Status read(StreamReader& input) {
    while (true) {
      RESTITCH_TRY(auto document, input.next());
      if (!document) break;
      Entry entry;
      RESTITCH_CHECK(read_value(*document, entry));
      RESTITCH_CHECK(grow(document->bytes().size() + sizeof(Entry)));
      // Documents without a value pass by.
      if (entry.value.is_missing()) {
        out_.push_back(std::move(*document));
        continue;
      }
      bson::Builder partition;
      for (const auto& path : spec_.partition) {
        const ValueView value = object_path(*document, path);
        partition.push(value.is_missing() ? Value::null() : Value(value));
      }
      entry.partition = Value::array(std::move(partition).finish());
      entry.document = std::move(*document);
      entries_.push_back(std::move(entry));
    }
    const Comparator& comparator = command().comparator;
    std::stable_sort(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) {
      const int order = comparator.compare(a.partition, b.partition);
      return order != 0 ? order < 0 : comparator.compare(a.value, b.value) < 0;
    });
    return {};
  }

  Status read_value(const Document& document, Entry& entry) const {
    const ValueView value = object_path(document, spec_.field);
    if (value.is_nullish()) return {};
    if (spec_.unit && value.type() != Type::kDate) {
      return mongo_error(6053600, "Densify field type must be a date when 'unit' is given");
    }
    if (!spec_.unit && !value.is_number()) {
      return mongo_error(5733201, "Densify field type must be numeric");
    }
    entry.value = Value(value);
    return {};
  }

  Status densify() {
    if (entries_.empty()) return {};
    const Comparator& comparator = command().comparator;
    const auto by_value = [&](const Entry& a, const Entry& b) {
      return comparator.compare(a.value, b.value) < 0;
    };
    const auto [lowest, highest] = std::minmax_element(entries_.begin(), entries_.end(), by_value);
    const Value full_low = lowest->value;
    const Value full_high = highest->value;
    for (std::size_t begin = 0; begin < entries_.size();) {
      std::size_t end = begin + 1;
      while (end < entries_.size() &&
             comparator.equal(entries_[end].partition, entries_[begin].partition)) {
        ++end;
      }
      const bool is_explicit = spec_.bounds == DensifySpec::Bounds::kExplicit;
      const bool is_full = spec_.bounds == DensifySpec::Bounds::kFull;
      const Value low = is_explicit ? spec_.lower : is_full ? full_low : entries_[begin].value;
      const Value high = is_explicit ? spec_.upper : is_full ? full_high : entries_[end - 1].value;
      RESTITCH_CHECK(densify_partition(begin, end, low, high, is_explicit));
      begin = end;
    }
    return {};
  }

  // Merges the grid with the documents; a grid value that a document has is not made again.
  Status densify_partition(std::size_t begin, std::size_t end, ValueView low, ValueView high,
                           bool open_end) {
    const Comparator& comparator = command().comparator;
    const Document sample = entries_[begin].document;
    std::int64_t index = 0;
    std::optional<Value> grid = spec_.grid(low, 0);
    const auto in_bounds = [&] {
      if (!grid) return false;
      const int order = comparator.compare(*grid, high);
      return open_end ? order < 0 : order <= 0;
    };
    for (std::size_t i = begin; i < end; ++i) {
      while (in_bounds() && comparator.compare(*grid, entries_[i].value) < 0) {
        RESTITCH_CHECK(generate(sample, *grid));
        grid = spec_.grid(low, ++index);
      }
      if (grid && comparator.equal(*grid, entries_[i].value)) grid = spec_.grid(low, ++index);
      out_.push_back(std::move(entries_[i].document));
    }
    for (; in_bounds(); grid = spec_.grid(low, ++index)) RESTITCH_CHECK(generate(sample, *grid));
    return {};
  }

  Status generate(const Document& sample, const Value& value) {
    if (++generated_ > kMostGenerated) {
      return mongo_error(5897900, "Generated " + std::to_string(generated_) +
                                      " documents in $densify, which is over the limit of " +
                                      std::to_string(kMostGenerated));
    }
    Document document;
    for (const auto& path : spec_.partition) {
      const ValueView part = object_path(sample, path);
      if (!part.is_missing()) document = with_path(document, path, part);
    }
    document = with_path(document, spec_.field, value);
    RESTITCH_CHECK(grow(document.bytes().size() + sizeof(Document)));
    out_.push_back(std::move(document));
    return {};
  }

  Status grow(std::size_t bytes) {
    if (hold(static_cast<std::int64_t>(bytes))) return {};
    return mongo_error(6007200, "$densify exceeded memory limit");
  }

  const DensifySpec& spec_;
  std::vector<Entry> entries_;
  std::vector<Document> out_;
  std::size_t at_ = 0;
  std::int64_t generated_ = 0;
};

using DensifyStage = SpecStage<DensifySpec, DensifyStream>;

Status read_bounds(ValueView value, DensifySpec& spec) {
  if (const auto name = value.as_string()) {
    if (*name != "full" && *name != "partition") {
      return mongo_error(5946802, "Bounds string must either be 'full' or 'partition'");
    }
    spec.bounds = *name == "full" ? DensifySpec::Bounds::kFull : DensifySpec::Bounds::kPartition;
    return {};
  }
  const auto array = value.as_array();
  if (!array || array->count() != 2) {
    return mongo_error(5733403,
                       "A bounding array in a range statement must have exactly two elements");
  }
  spec.bounds = DensifySpec::Bounds::kExplicit;
  spec.lower = Value(array->begin()->value);
  spec.upper = Value(std::next(array->begin())->value);
  const bool dates = spec.lower.type() == Type::kDate && spec.upper.type() == Type::kDate;
  const bool numbers = spec.lower.view().is_number() && spec.upper.view().is_number();
  if (spec.unit ? !dates : !numbers) {
    return mongo_error(5733402,
                       "A bounding array must contain either both dates or both numeric types");
  }
  if (bson::compare(spec.lower.view(), spec.upper.view()) > 0) {
    return mongo_error(5733402, "The bounds in a range statement must be in ascending order");
  }
  return {};
}

Status read_range(ValueView value, DensifySpec& spec) {
  const auto object = value.as_object();
  if (!object) return mongo_error(14, "BSON field '$densify.range' must be an object");
  if (const ValueView unit = object->find("unit"); !unit.is_missing()) {
    spec.unit = parse_time_unit(unit.as_string().value_or(""));
    if (!spec.unit) return mongo_error(9, "unknown time unit value: " + bson::to_shell(unit));
  }
  const ValueView step = object->find("step");
  if (!step.is_number() || !(*step.as_double() > 0)) {
    return mongo_error(
        5733401,
        "The step parameter in a range statement must be a strictly positive numeric "
        "value");
  }
  if (spec.unit && !step.as_integer()) {
    return mongo_error(6586400,
                       "The step parameter in a range statement must be a whole number when "
                       "densifying a date range");
  }
  spec.step = Value(step);
  if (!object->contains("bounds")) {
    return mongo_error(40414, "BSON field '$densify.range.bounds' is missing but a required field");
  }
  return read_bounds(object->find("bounds"), spec);
}

Status read_partition(ValueView value, DensifySpec& spec) {
  const auto array = value.as_array();
  if (!array) return mongo_error(14, "BSON field '$densify.partitionByFields' must be an array");
  for (const bson::Element& element : *array) {
    const auto field = element.value.as_string();
    if (!field) return mongo_error(14, "BSON field '$densify.partitionByFields' must hold strings");
    RESTITCH_CHECK(check_field_path(*field));
    spec.partition.push_back(split_path(*field));
  }
  return {};
}

Status make_densify(const bson::Element& element, const StageCompiler&, Stages& out) {
  const auto object = element.value.as_object();
  if (!object) {
    return mongo_error(5733500, "The $densify stage specification must be an object, found " +
                                    type_name(element.value));
  }
  DensifySpec spec;
  bool has_range = false;
  for (const bson::Element& member : *object) {
    if (member.name == "field") {
      const auto field = member.value.as_string();
      if (!field) return mongo_error(14, "BSON field '$densify.field' must be a string");
      RESTITCH_CHECK(check_field_path(*field));
      spec.field = split_path(*field);
    } else if (member.name == "partitionByFields") {
      RESTITCH_CHECK(read_partition(member.value, spec));
    } else if (member.name == "range") {
      RESTITCH_CHECK(read_range(member.value, spec));
      has_range = true;
    } else {
      return mongo_error(
          40415, "BSON field '$densify." + std::string(member.name) + "' is an unknown field.");
    }
  }
  if (spec.field.empty() || !has_range) {
    return mongo_error(40414, "BSON field '$densify." +
                                  std::string(spec.field.empty() ? "field" : "range") +
                                  "' is missing but a required field");
  }
  if (spec.bounds == DensifySpec::Bounds::kPartition && spec.partition.empty()) {
    return mongo_error(
        5733408,
        "One may not specify the bounds as 'partition' without specifying a non-empty "
        "array of partitionByFields. You may have meant to specify 'full' bounds.");
  }
  out.push_back(std::make_shared<DensifyStage>(std::move(spec)));
  return {};
}

constexpr StageDefinition kStages[] = {{"$densify", make_densify}};

}  // namespace

StageTable densify_stages() { return kStages; }

}  // namespace restitch::query
