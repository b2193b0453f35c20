#include "schema/validator.h"

#include <algorithm>
#include <array>
#include <bit>
#include <unordered_set>
#include <utility>

#include "app/names.h"
#include "bson/compare.h"
#include "bson/decimal.h"
#include "bson/extended_json.h"

namespace restitch::schema {
namespace {

// Fields that the hosted service put on documents while it wrote them (spec: rules §8).
constexpr std::array<std::string_view, 3> kHelperFields = {
    "_id__baas_transaction", "_id_baas_transaction", "_id_stitch_transaction"};

bool is_helper_field(std::string_view name) {
  return name.starts_with("_id_") &&
         std::find(kHelperFields.begin(), kHelperFields.end(), name) != kHelperFields.end();
}

// Where a value stands: a chain up the call stack, so that a path costs nothing until it is needed.
struct Place {
  const Place* parent = nullptr;
  std::string_view name;

  bool is_root() const { return parent == nullptr; }

  void append_to(std::string& out) const {
    if (is_root()) return;
    parent->append_to(out);
    if (!out.empty()) out.push_back('.');
    out.append(name);
  }
  std::string text() const {
    std::string out;
    append_to(out);
    return out.empty() ? "(root)" : out;
  }
};

// Which of the required properties of an object are there. Few fit into a word.
class SeenProperties {
 public:
  explicit SeenProperties(std::size_t count) {
    if (count > kInWord) many_.resize(count);
  }
  void add(std::size_t index) {
    if (many_.empty()) {
      few_ |= std::uint64_t{1} << index;
    } else {
      many_[index] = true;
    }
  }
  bool has(std::size_t index) const {
    return many_.empty() ? (few_ >> index & 1U) != 0 : static_cast<bool>(many_[index]);
  }

 private:
  static constexpr std::size_t kInWord = 64;
  std::uint64_t few_ = 0;
  std::vector<bool> many_;
};

bool is_multiple_of(bson::ValueView value, bson::ValueView divisor) {
  const auto a = value.type() == bson::Type::kDouble ? std::nullopt : value.as_integer();
  const auto b = divisor.type() == bson::Type::kDouble ? std::nullopt : divisor.as_integer();
  if (a && b && *b > 0) return *a % *b == 0;
  const auto decimal = [](bson::ValueView number) {
    if (number.type() == bson::Type::kDecimal128) return number.get_decimal128();
    if (number.type() == bson::Type::kDouble) return bson::decimal_from_double(number.get_double());
    return bson::decimal_from_int64(number.as_integer().value_or(0));
  };
  return bson::decimal_is_zero(bson::decimal_modulo(decimal(value), decimal(divisor)));
}

bool has_unique_elements(bson::View array) {
  struct Hash {
    std::size_t operator()(bson::ValueView value) const { return bson::hash(value); }
  };
  struct Equal {
    bool operator()(bson::ValueView a, bson::ValueView b) const { return bson::equal(a, b); }
  };
  std::unordered_set<bson::ValueView, Hash, Equal> seen;
  for (const bson::Element& element : array) {
    if (!seen.insert(element.value).second) return false;
  }
  return true;
}

std::string count_text(std::int64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun);
}

// Checks values against schemas. With a list, all violations are put there; without one, the first
// violation ends the check.
class Validator {
 public:
  Validator(const ValidationSettings& settings, std::vector<Violation>* violations)
      : settings_(settings), violations_(violations) {}

  // True if there is no violation.
  bool check(const CompiledSchema& schema, bson::ValueView value, const Place& place) {
    bool ok = check_type(schema, value, place);
    if (schema.has_choices && goes_on(ok)) ok = check_choices(schema, value, place) && ok;
    if (!schema.constant.is_missing() && goes_on(ok)) {
      ok = check_constant(schema, value, place) && ok;
    }
    if (goes_on(ok)) ok = check_combinators(schema, value, place) && ok;
    if (!goes_on(ok)) return false;
    if (schema.object && value.type() == bson::Type::kObject) {
      return check_object(*schema.object, value.get_document(), place) && ok;
    }
    if (schema.array && value.type() == bson::Type::kArray) {
      return check_array(*schema.array, value.get_document(), place) && ok;
    }
    if (schema.string && value.type() == bson::Type::kString) {
      return check_string(*schema.string, value.get_string(), place) && ok;
    }
    if (schema.number && value.is_number()) return check_number(*schema.number, value, place) && ok;
    return ok;
  }

 private:
  bool goes_on(bool ok) const { return ok || violations_ != nullptr; }

  template <typename Text>
  bool fail(const Place& place, std::string_view code, Text text) {
    if (violations_ != nullptr) violations_->push_back({place.text(), std::string(code), text()});
    return false;
  }

  bool matches(const CompiledSchema& schema, bson::ValueView value, const Place& place) const {
    return Validator(settings_, nullptr).check(schema, value, place);
  }

  bool check_type(const CompiledSchema& schema, bson::ValueView value, const Place& place) {
    if (schema.types == 0 || (schema.types & types_of(value)) != 0) return true;
    return fail(place, "invalid_type", [&] {
      return "Invalid type. Expected: " + schema.expected + ", given: [" +
             std::string(names_of(value)) + "]";
    });
  }

  bool check_constant(const CompiledSchema& schema, bson::ValueView value, const Place& place) {
    if (bson::equal(schema.constant.view(), value)) return true;
    return fail(place, "const", [&] {
      return "The value is not " + bson::to_json(schema.constant, bson::JsonMode::kRelaxed);
    });
  }

  bool check_choices(const CompiledSchema& schema, bson::ValueView value, const Place& place) {
    for (const bson::Value& choice : schema.choices) {
      if (bson::equal(choice.view(), value)) return true;
    }
    return fail(place, "enum", [&] {
      std::string text = "The value is none of: ";
      for (const bson::Value& choice : schema.choices) {
        if (&choice != &schema.choices.front()) text.append(", ");
        bson::append_json(text, choice, bson::JsonMode::kRelaxed);
      }
      return text;
    });
  }

  bool check_combinators(const CompiledSchema& schema, bson::ValueView value, const Place& place) {
    bool ok = true;
    if (!schema.all_of.empty()) ok = check_all_of(schema, value, place);
    if (!schema.any_of.empty() && goes_on(ok)) {
      const bool found =
          std::any_of(schema.any_of.begin(), schema.any_of.end(),
                      [&](const CompiledPtr& one) { return matches(*one, value, place); });
      if (!found) {
        ok = fail(place, "number_any_of", [] { return "The value matches no schema of anyOf"; });
      }
    }
    if (!schema.one_of.empty() && goes_on(ok)) {
      const auto found =
          std::count_if(schema.one_of.begin(), schema.one_of.end(),
                        [&](const CompiledPtr& one) { return matches(*one, value, place); });
      if (found != 1) {
        ok = fail(place, "number_one_of", [&] {
          return "The value matches " + std::to_string(found) + " schemas of oneOf instead of 1";
        });
      }
    }
    if (schema.negated && goes_on(ok) && matches(*schema.negated, value, place)) {
      ok = fail(place, "number_not", [] { return "The value matches the schema of not"; });
    }
    if (schema.condition && goes_on(ok)) ok = check_condition(schema, value, place) && ok;
    return ok;
  }

  bool check_condition(const CompiledSchema& schema, bson::ValueView value, const Place& place) {
    const bool holds = matches(*schema.condition, value, place);
    const CompiledPtr& chosen = holds ? schema.consequence : schema.alternative;
    if (chosen == nullptr || check(*chosen, value, place)) return true;
    return fail(place, holds ? "condition_then" : "condition_else", [&] {
      return std::string("The value does not match the schema of ") + (holds ? "then" : "else");
    });
  }

  bool check_all_of(const CompiledSchema& schema, bson::ValueView value, const Place& place) {
    bool ok = true;
    for (const CompiledPtr& one : schema.all_of) {
      if (!goes_on(ok)) return false;
      ok = check(*one, value, place) && ok;
    }
    if (ok) return true;
    return fail(place, "number_all_of", [] { return "The value does not match all of allOf"; });
  }

  bool check_object(const ObjectLimits& limits, bson::View object, const Place& place) {
    SeenProperties seen(limits.properties.size());
    std::int64_t count = 0;
    bool ok = true;
    for (const bson::Element& element : object) {
      if (place.is_root() && is_helper_field(element.name)) continue;
      ++count;
      ok = check_member(limits, element, place, seen) && ok;
      if (!goes_on(ok)) return false;
    }
    ok = check_required(limits, seen, place) && ok;
    if (goes_on(ok)) ok = check_property_count(limits, count, place) && ok;
    for (const Dependency& dependency : limits.dependencies) {
      if (!goes_on(ok)) return false;
      if (object.contains(dependency.name)) {
        ok = check_dependency(dependency, object, place) && ok;
      }
    }
    return ok;
  }

  bool check_member(const ObjectLimits& limits, const bson::Element& element, const Place& parent,
                    SeenProperties& seen) {
    const auto it = std::lower_bound(
        limits.properties.begin(), limits.properties.end(), element.name,
        [](const Property& property, std::string_view name) { return property.name < name; });
    const bool is_named = it != limits.properties.end() && it->name == element.name;
    const bool is_required = is_named && it->is_required;
    if (is_required) seen.add(static_cast<std::size_t>(it - limits.properties.begin()));
    const bool may_be_null = settings_.null_allowed_for_optional && !is_required;
    const bool is_known_null = may_be_null && element.value.type() == bson::Type::kNull;
    const Place place{&parent, element.name};
    bool ok = limits.names == nullptr || check_name(*limits.names, element.name, parent);
    bool has_schema = is_named && it->schema != nullptr;
    if (has_schema && !is_known_null && goes_on(ok)) {
      ok = check(*it->schema, element.value, place) && ok;
    }
    for (const PatternProperty& pattern : limits.patterns) {
      if (!goes_on(ok)) return false;
      if (!pattern.pattern.matches(element.name)) continue;
      has_schema = true;
      ok = (is_known_null || check(*pattern.schema, element.value, place)) && ok;
    }
    if (has_schema || !goes_on(ok)) return ok;
    if (!limits.allows_additional) {
      return fail(parent, "additional_property_not_allowed", [&] {
        return "The property '" + std::string(element.name) + "' is not allowed";
      });
    }
    if (limits.additional == nullptr || is_known_null) return ok;
    return check(*limits.additional, element.value, place) && ok;
  }

  bool check_name(const CompiledSchema& schema, std::string_view name, const Place& parent) {
    if (matches(schema, bson::Value::of(name), parent)) return true;
    return fail(parent, "invalid_property_name",
                [&] { return "The property name '" + std::string(name) + "' is not allowed"; });
  }

  bool check_required(const ObjectLimits& limits, const SeenProperties& seen, const Place& place) {
    if (limits.required_count == 0) return true;
    bool ok = true;
    for (std::size_t i = 0; i < limits.properties.size(); ++i) {
      const Property& property = limits.properties[i];
      if (!property.is_required || seen.has(i)) continue;
      const Place missing{&place, property.name};
      ok = fail(missing, "required", [&] { return property.name + " is required"; });
      if (!goes_on(ok)) return false;
    }
    return ok;
  }

  bool check_property_count(const ObjectLimits& limits, std::int64_t count, const Place& place) {
    if (count < limits.min_properties) {
      return fail(place, "array_min_properties", [&] {
        return "Must have at least " + count_text(limits.min_properties, "properties");
      });
    }
    if (!limits.max_properties || count <= *limits.max_properties) return true;
    return fail(place, "array_max_properties", [&] {
      return "Must have at most " + count_text(*limits.max_properties, "properties");
    });
  }

  bool check_dependency(const Dependency& dependency, bson::View object, const Place& place) {
    bool ok = true;
    for (const std::string& needed : dependency.needed) {
      if (object.contains(needed)) continue;
      ok = fail(place, "missing_dependency", [&] {
        return "The property '" + dependency.name + "' needs the property '" + needed + "'";
      });
      if (!goes_on(ok)) return false;
    }
    if (dependency.schema == nullptr) return ok;
    const bson::ValueView value(bson::Type::kObject, object.data(), object.size());
    return check(*dependency.schema, value, place) && ok;
  }

  bool check_array(const ArrayLimits& limits, bson::View array, const Place& place) {
    bool ok = true;
    std::size_t index = 0;
    for (const bson::Element& element : array) {
      const std::size_t at = index++;
      const CompiledSchema* schema = limits.items.get();
      if (at < limits.positions.size()) {
        schema = limits.positions[at].get();
      } else if (!limits.positions.empty()) {
        if (!limits.allows_additional) continue;
        schema = limits.additional.get();
      }
      if (schema == nullptr) continue;
      ok = check(*schema, element.value, Place{&place, element.name}) && ok;
      if (!goes_on(ok)) return false;
    }
    const auto count = static_cast<std::int64_t>(index);
    ok = check_item_count(limits, count, place) && ok;
    if (limits.has_unique_items && goes_on(ok) && !has_unique_elements(array)) {
      ok = fail(place, "unique", [] { return "The array has equal elements"; });
    }
    if (limits.contained && goes_on(ok) && !has_match(*limits.contained, array, place)) {
      ok = fail(place, "contains", [] { return "No element matches the schema of contains"; });
    }
    return ok;
  }

  bool has_match(const CompiledSchema& schema, bson::View array, const Place& place) const {
    for (const bson::Element& element : array) {
      if (matches(schema, element.value, Place{&place, element.name})) return true;
    }
    return false;
  }

  bool check_item_count(const ArrayLimits& limits, std::int64_t count, const Place& place) {
    bool ok = true;
    if (!limits.positions.empty() && !limits.allows_additional &&
        count > static_cast<std::int64_t>(limits.positions.size())) {
      ok = fail(place, "array_no_additional_items", [&] {
        return "Must have no more than the " +
               count_text(static_cast<std::int64_t>(limits.positions.size()), "listed elements");
      });
    }
    if (count < limits.min_items) {
      ok = fail(place, "array_min_items",
                [&] { return "Must have at least " + count_text(limits.min_items, "elements"); });
    }
    if (limits.max_items && count > *limits.max_items) {
      ok = fail(place, "array_max_items",
                [&] { return "Must have at most " + count_text(*limits.max_items, "elements"); });
    }
    return ok;
  }

  bool check_string(const StringLimits& limits, std::string_view text, const Place& place) {
    bool ok = true;
    if (limits.min_length > 0 || limits.max_length) {
      const auto length = static_cast<std::int64_t>(app::character_count(text));
      if (length < limits.min_length) {
        ok = fail(place, "string_gte", [&] {
          return "Must have at least " + count_text(limits.min_length, "characters");
        });
      }
      if (limits.max_length && length > *limits.max_length) {
        ok = fail(place, "string_lte", [&] {
          return "Must have at most " + count_text(*limits.max_length, "characters");
        });
      }
    }
    if (limits.pattern && goes_on(ok) && !limits.pattern->matches(text)) {
      ok = fail(place, "pattern",
                [&] { return "Does not match the pattern '" + limits.pattern_text + "'"; });
    }
    return ok;
  }

  bool check_number(const NumberLimits& limits, bson::ValueView number, const Place& place) {
    bool ok = true;
    if (!limits.minimum.is_missing()) {
      const int order = bson::compare(number, limits.minimum);
      if (order < 0 || (order == 0 && limits.is_minimum_exclusive)) {
        ok = fail_bound(place, limits.is_minimum_exclusive ? "number_gt" : "number_gte",
                        limits.is_minimum_exclusive ? "above " : "at least ", limits.minimum);
      }
    }
    if (!limits.maximum.is_missing()) {
      const int order = bson::compare(number, limits.maximum);
      if (order > 0 || (order == 0 && limits.is_maximum_exclusive)) {
        ok = fail_bound(place, limits.is_maximum_exclusive ? "number_lt" : "number_lte",
                        limits.is_maximum_exclusive ? "below " : "at most ", limits.maximum);
      }
    }
    if (!limits.multiple_of.is_missing() && !is_multiple_of(number, limits.multiple_of)) {
      ok = fail_bound(place, "multiple_of", "a multiple of ", limits.multiple_of);
    }
    return ok;
  }

  bool fail_bound(const Place& place, std::string_view code, std::string_view relation,
                  const bson::Value& bound) {
    return fail(place, code, [&] {
      return "Must be " + std::string(relation) + bson::to_json(bound, bson::JsonMode::kRelaxed);
    });
  }

  const ValidationSettings& settings_;
  std::vector<Violation>* violations_;
};

}  // namespace

std::vector<Violation> find_violations(const CompiledSchema& schema, bson::View document,
                                       const ValidationSettings& settings) {
  const bson::ValueView value(bson::Type::kObject, document.data(), document.size());
  // Most documents conform; a second pass is dear only for those that do not.
  if (Validator(settings, nullptr).check(schema, value, Place{})) return {};
  std::vector<Violation> violations;
  Validator(settings, &violations).check(schema, value, Place{});
  return violations;
}

}  // namespace restitch::schema
