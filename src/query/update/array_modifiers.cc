// $addToSet, $pop, $pull and $pullAll.

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "query/element_text.h"
#include "query/filter/filter.h"
#include "query/filter/parser.h"
#include "query/update/modifier.h"

namespace restitch::query {
namespace {

struct ComparatorHash {
  const Comparator* comparator;
  std::size_t operator()(bson::ValueView value) const { return comparator->hash(value); }
};
struct ComparatorEqual {
  const Comparator* comparator;
  bool operator()(bson::ValueView a, bson::ValueView b) const { return comparator->equal(a, b); }
};
using ValueSet = std::unordered_set<bson::ValueView, ComparatorHash, ComparatorEqual>;

ValueSet make_set(const Comparator& comparator) {
  return ValueSet(0, ComparatorHash{&comparator}, ComparatorEqual{&comparator});
}

bson::Value make_array(const std::vector<bson::ValueView>& elements) {
  bson::Builder builder;
  builder.open_array("");
  for (const bson::ValueView element : elements) builder.push(element);
  const bson::Document holder = std::move(builder).finish();
  return bson::Value(holder.view().begin()->value);
}

std::vector<bson::ValueView> elements_of(bson::View array) {
  std::vector<bson::ValueView> elements;
  for (const bson::Element& element : array) elements.push_back(element.value);
  return elements;
}

class AddToSetModifier final : public Modifier {
 public:
  AddToSetModifier(std::vector<bson::Value> values, const Comparator& comparator)
      : values_(std::move(values)), comparator_(comparator) {}

  Result<Change> apply(const UpdateTarget& target) const override {
    std::vector<bson::ValueView> elements;
    ValueSet known = make_set(comparator_);
    if (!target.value.is_missing()) {
      const auto array = target.value.as_array();
      if (!array) {
        return mongo_error(2, "Cannot apply $addToSet to non-array field. Field named '" +
                                  std::string(target.field) + "' has non-array type " +
                                  std::string(bson::alias_of(target.value.type())));
      }
      elements = elements_of(*array);
      known.insert(elements.begin(), elements.end());
    }
    const std::size_t before = elements.size();
    for (const bson::Value& value : values_) {
      if (known.insert(value.view()).second) elements.push_back(value);
    }
    if (!target.value.is_missing() && elements.size() == before) return Change::none();
    return Change::set(make_array(elements));
  }

  int depth() const override {
    int deepest = 0;
    for (const bson::Value& value : values_) deepest = std::max(deepest, nesting_of(value));
    return deepest + 1;
  }

 private:
  std::vector<bson::Value> values_;
  Comparator comparator_;
};

// What the modifiers that only take elements out have in common.
class RemovingModifier : public Modifier {
 public:
  bool creates() const override { return false; }
  BrokenPath on_broken_path(const ApplyContext&) const override {
    return BrokenPath::kCannotTraverse;
  }
};

class PopModifier final : public RemovingModifier {
 public:
  explicit PopModifier(bool first) : first_(first) {}

  Result<Change> apply(const UpdateTarget& target) const override {
    if (target.value.is_missing()) return Change::none();
    const auto array = target.value.as_array();
    if (!array) {
      return mongo_error(14, "Path '" + std::string(target.field) +
                                 "' contains an element of non-array type '" +
                                 std::string(bson::alias_of(target.value.type())) + "'");
    }
    std::vector<bson::ValueView> elements = elements_of(*array);
    if (elements.empty()) return Change::none();
    elements.erase(first_ ? elements.begin() : elements.end() - 1);
    return Change::set(make_array(elements));
  }

 private:
  bool first_;
};

// $pull and $pullAll.
class PullModifier : public RemovingModifier {
 public:
  Result<Change> apply(const UpdateTarget& target) const override {
    if (target.value.is_missing()) return Change::none();
    const auto array = target.value.as_array();
    if (!array) return mongo_error(2, "Cannot apply $pull to a non-array value");
    std::vector<bson::ValueView> kept;
    bool removed = false;
    for (const bson::Element& element : *array) {
      RESTITCH_TRY(const bool matched, pulls(element.value));
      removed = removed || matched;
      if (!matched) kept.push_back(element.value);
    }
    return removed ? Change::set(make_array(kept)) : Change::none();
  }

 protected:
  virtual Result<bool> pulls(bson::ValueView element) const = 0;
};

class PullValueModifier final : public PullModifier {
 public:
  PullValueModifier(std::vector<bson::Value> values, const Comparator& comparator)
      : values_(std::move(values)), comparator_(comparator), set_(make_set(comparator_)) {
    for (const bson::Value& value : values_) set_.insert(value.view());
  }

 private:
  Result<bool> pulls(bson::ValueView element) const override { return set_.count(element) != 0; }

  std::vector<bson::Value> values_;
  Comparator comparator_;
  ValueSet set_;
};

class PullFilterModifier final : public PullModifier {
 public:
  // `on_objects`: the filter is a query on elements that are objects.
  PullFilterModifier(Filter filter, bool on_objects)
      : filter_(std::move(filter)), on_objects_(on_objects) {}

 private:
  Result<bool> pulls(bson::ValueView element) const override {
    if (!on_objects_) return filter_.matches_value(element);
    if (element.type() != bson::Type::kObject) return false;
    return filter_.matches(element.get_document());
  }

  Filter filter_;
  bool on_objects_;
};

// Values of an $each clause, or the operand itself.
Result<std::vector<bson::Value>> read_set_values(bson::ValueView operand) {
  std::vector<bson::Value> values;
  const auto object = operand.as_object();
  if (!object || object->empty() || object->begin()->name != "$each") {
    values.emplace_back(operand);
    return values;
  }
  auto clause = object->begin();
  const auto each = clause->value.as_array();
  if (!each) {
    return mongo_error(14,
                       "The argument to $each in $addToSet must be an array but it was of type " +
                           std::string(bson::alias_of(clause->value.type())));
  }
  for (const bson::Element& value : *each) values.emplace_back(value.value);
  if (++clause != object->end()) {
    return mongo_error(
        2, "Found unexpected fields after $each in $addToSet: " + bson::to_shell(*object));
  }
  return values;
}

}  // namespace

Result<ModifierPtr> make_add_to_set(bson::ValueView operand, const CommandContext& context) {
  RESTITCH_TRY(std::vector<bson::Value> values, read_set_values(operand));
  return ModifierPtr(std::make_unique<AddToSetModifier>(std::move(values), context.comparator));
}

Result<ModifierPtr> make_pop(const bson::Element& element) {
  if (!element.value.is_number()) {
    return mongo_error(9, "Expected a number in: " + element_text(element));
  }
  const auto end = element.value.as_integer();
  if (!end) return mongo_error(9, "Expected an integer: " + element_text(element));
  if (*end != 1 && *end != -1) {
    return mongo_error(9, "$pop expects 1 or -1, found: " + std::to_string(*end));
  }
  return ModifierPtr(std::make_unique<PopModifier>(*end == -1));
}

Result<ModifierPtr> make_pull(bson::ValueView operand, const CommandContext& context) {
  if (operand.type() == bson::Type::kRegex) {
    RESTITCH_TRY(Filter filter, Filter::compile_operators(operand, context));
    return ModifierPtr(std::make_unique<PullFilterModifier>(std::move(filter), false));
  }
  if (const auto object = operand.as_object()) {
    if (!object->empty() && is_field_operator(object->begin()->name)) {
      RESTITCH_TRY(Filter filter, Filter::compile_operators(operand, context));
      return ModifierPtr(std::make_unique<PullFilterModifier>(std::move(filter), false));
    }
    FilterOptions options;
    options.allow_expr = false;
    RESTITCH_TRY(Filter filter, Filter::compile(*object, context, options));
    return ModifierPtr(std::make_unique<PullFilterModifier>(std::move(filter), true));
  }
  std::vector<bson::Value> values;
  values.emplace_back(operand);
  return ModifierPtr(std::make_unique<PullValueModifier>(std::move(values), context.comparator));
}

Result<ModifierPtr> make_pull_all(bson::ValueView operand, const CommandContext& context) {
  const auto array = operand.as_array();
  if (!array) {
    return mongo_error(2, "$pullAll requires an array argument but was given a " +
                              std::string(bson::alias_of(operand.type())));
  }
  std::vector<bson::Value> values;
  for (const bson::Element& element : *array) values.emplace_back(element.value);
  return ModifierPtr(std::make_unique<PullValueModifier>(std::move(values), context.comparator));
}

}  // namespace restitch::query
