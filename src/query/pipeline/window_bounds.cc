#include <algorithm>
#include <cmath>

#include "bson/extended_json.h"
#include "query/expression/dates.h"
#include "query/expression/numbers.h"
#include "query/pipeline/document_edit.h"
#include "query/pipeline/window.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::ValueView;

Result<std::optional<double>> read_bound(ValueView value, bool is_range) {
  if (const auto text = value.as_string()) {
    if (*text == "unbounded") return std::optional<double>();
    if (*text == "current") return std::optional(0.0);
    return mongo_error(9, "Window bounds must be 'unbounded', 'current', or a number.");
  }
  if (!value.is_number()) {
    return mongo_error(9, "Window bounds must be 'unbounded', 'current', or a number.");
  }
  if (!is_range && !value.as_integer()) {
    return mongo_error(9, "Numeric document-based bounds must be an integer");
  }
  return value.as_double();
}

// The position `amount` away, in the unit when there is one.
double moved(double position, double amount, const std::optional<TimeUnit>& unit) {
  if (!unit) return position + amount;
  const auto out = add_time(static_cast<std::int64_t>(position), *unit,
                            static_cast<std::int64_t>(amount), TimeZone());
  return out ? static_cast<double>(*out) : (amount < 0 ? -HUGE_VAL : HUGE_VAL);
}

}  // namespace

Result<std::optional<double>> sort_position(const WindowEntry& entry, const WindowOrder& order) {
  const ValueView value = object_path(entry.document, order.sort_path);
  if (value.is_number()) return value.as_double();
  if (value.type() == Type::kDate) {
    return std::optional(static_cast<double>(value.get_date().millis));
  }
  if (value.is_nullish()) return std::optional<double>();
  return mongo_error(5429413,
                     "Invalid range: Expected the sortBy field to be a number or a date, but "
                     "it was " +
                         type_name(value));
}

Result<WindowBounds> WindowBounds::compile(ValueView spec, const WindowOrder& order) {
  WindowBounds bounds;
  if (spec.is_missing()) return bounds;
  const auto object = spec.as_object();
  if (!object) return mongo_error(9, "'window' field must be an object");
  for (const bson::Element& member : *object) {
    if (member.name == "documents" || member.name == "range") {
      bounds.kind = member.name == "range" ? Kind::kRange : Kind::kDocuments;
      const auto array = member.value.as_array();
      if (!array || array->count() != 2) {
        return mongo_error(9,
                           "Window bounds must be a 2-element array: " + bson::to_shell(*object));
      }
      const bool is_range = bounds.kind == Kind::kRange;
      RESTITCH_TRY(bounds.lower, read_bound(array->begin()->value, is_range));
      RESTITCH_TRY(bounds.upper, read_bound(std::next(array->begin())->value, is_range));
      bounds.is_whole = !bounds.lower && !bounds.upper;
    } else if (member.name == "unit") {
      const auto name = member.value.as_string();
      bounds.unit = parse_time_unit(name.value_or(""));
      if (!bounds.unit) {
        return mongo_error(9, "unknown time unit value: " + bson::to_shell(member.value));
      }
    } else {
      return mongo_error(9,
                         "'window' field can only contain 'documents' as the only argument or "
                         "'range' with an optional 'unit' field");
    }
  }
  if (object->contains("documents") == object->contains("range") ||
      (bounds.unit && bounds.kind == Kind::kDocuments)) {
    return mongo_error(
        9,
        "'window' field can only contain 'documents' as the only argument or 'range' "
        "with an optional 'unit' field");
  }
  if (bounds.lower && bounds.upper && *bounds.lower > *bounds.upper) {
    return mongo_error(5339900,
                       "Lower bound must not exceed upper bound: " + bson::to_shell(*object));
  }
  if (!bounds.is_whole && bounds.kind == Kind::kDocuments && !order.is_sorted) {
    return mongo_error(5339901, "Document-based bounds require a sortBy");
  }
  if (bounds.kind == Kind::kRange && (order.sort_path.empty() || order.is_descending)) {
    return mongo_error(5339902, "Range-based bounds require sortBy a single field, ascending");
  }
  return bounds;
}

Result<std::vector<WindowRange>> WindowBounds::ranges(std::span<const WindowEntry> entries,
                                                      const WindowOrder& order) const {
  const auto count = static_cast<double>(entries.size());
  std::vector<WindowRange> out;
  out.reserve(entries.size());
  if (kind == Kind::kDocuments) {
    for (double at = 0; at < count; ++at) {
      const double begin = lower ? std::clamp(at + *lower, 0.0, count) : 0.0;
      const double end = upper ? std::clamp(at + *upper + 1, begin, count) : count;
      out.push_back({static_cast<std::size_t>(begin), static_cast<std::size_t>(end)});
    }
    return out;
  }
  // Documents without a position come first and see each other only.
  std::vector<double> positions;
  for (const WindowEntry& entry : entries) {
    RESTITCH_TRY(const auto position, sort_position(entry, order));
    positions.push_back(position.value_or(-HUGE_VAL));
  }
  for (const double position : positions) {
    const bool has_position = position != -HUGE_VAL;
    const double low = !lower ? -HUGE_VAL : has_position ? moved(position, *lower, unit) : position;
    const double high = !upper ? HUGE_VAL : has_position ? moved(position, *upper, unit) : position;
    const auto begin = std::lower_bound(positions.begin(), positions.end(), low);
    const auto end = std::upper_bound(begin, positions.end(), high);
    out.push_back({static_cast<std::size_t>(begin - positions.begin()),
                   static_cast<std::size_t>(end - positions.begin())});
  }
  return out;
}

}  // namespace restitch::query
