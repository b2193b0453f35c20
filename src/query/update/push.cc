// $push with its clauses.

#include <algorithm>
#include <vector>

#include "bson/key_encoding.h"
#include "query/path.h"
#include "query/update/modifier.h"

namespace restitch::query {
namespace {

struct ElementSort {
  struct Part {
    std::vector<std::string> path;  // empty: the whole element
    bool descending = false;
  };
  std::vector<Part> parts;
};

// Follows names, and numbers in arrays.
bson::ValueView follow(bson::ValueView value, const std::vector<std::string>& path) {
  for (const std::string& component : path) {
    if (value.type() == bson::Type::kObject) {
      value = value.get_document().find(component);
    } else if (value.type() == bson::Type::kArray) {
      const auto index = array_index(component);
      value = index ? array_element(value.get_document(), *index) : bson::ValueView();
    } else {
      return {};
    }
  }
  return value;
}

std::string sort_key(const ElementSort& sort, bson::ValueView element,
                     const Comparator& comparator) {
  std::string key;
  for (const ElementSort::Part& part : sort.parts) {
    const bson::ValueView value = follow(element, part.path);
    if (const Collation* collation = comparator.collation()) {
      bson::append_key(key, collated(value, *collation), part.descending);
    } else {
      bson::append_key(key, value, part.descending);
    }
  }
  return key;
}

class PushModifier final : public Modifier {
 public:
  explicit PushModifier(const Comparator& comparator) : comparator_(comparator) {}

  Result<Change> apply(const UpdateTarget& target) const override {
    std::vector<bson::ValueView> elements;
    const bool exists = !target.value.is_missing();
    if (exists) {
      const auto array = target.value.as_array();
      if (!array) {
        return mongo_error(
            2, "The field '" + std::string(target.field) + "' must be an array but is of type " +
                   std::string(bson::alias_of(target.value.type())) + " in document {" +
                   document_id_text(target.context.document) + "}");
      }
      for (const bson::Element& element : *array) elements.push_back(element.value);
    }
    return change(exists, std::move(elements));
  }

  int depth() const override {
    int deepest = 0;
    for (const bson::Value& value : values) deepest = std::max(deepest, nesting_of(value));
    return deepest + 1;
  }

  std::vector<bson::Value> values;
  std::optional<std::int64_t> slice;
  std::optional<std::int64_t> position;
  std::optional<ElementSort> sort;

 private:
  Change change(bool exists, std::vector<bson::ValueView> elements) const {
    const std::size_t before = elements.size();
    insert(elements);
    if (sort) sort_elements(elements);
    const bool trimmed = trim(elements);

    const bool at_end = !position || *position > static_cast<std::int64_t>(before);
    const bool appends = exists && before > 0 && at_end && !sort && !trimmed;
    if (appends && values.empty()) return Change::none();
    bson::Builder builder;
    builder.open_array("");
    for (const bson::ValueView element : elements) builder.push(element);
    const bson::Document holder = std::move(builder).finish();
    Change change = Change::set(bson::Value(holder.view().begin()->value));
    if (appends) change.appended_from = before;
    return change;
  }

  void insert(std::vector<bson::ValueView>& elements) const {
    const auto count = static_cast<std::int64_t>(elements.size());
    std::int64_t at = position.value_or(count);
    if (at < 0) at = std::max<std::int64_t>(0, count + at);
    at = std::min(at, count);
    elements.insert(elements.begin() + at, values.begin(), values.end());
  }

  void sort_elements(std::vector<bson::ValueView>& elements) const {
    std::vector<std::pair<std::string, bson::ValueView>> keyed;
    keyed.reserve(elements.size());
    for (const bson::ValueView element : elements) {
      keyed.emplace_back(sort_key(*sort, element, comparator_), element);
    }
    std::stable_sort(keyed.begin(), keyed.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < keyed.size(); ++i) elements[i] = keyed[i].second;
  }

  // Whether anything was cut off.
  bool trim(std::vector<bson::ValueView>& elements) const {
    if (!slice) return false;
    const auto count = static_cast<std::int64_t>(elements.size());
    const std::int64_t keep =
        *slice < 0 ? (*slice <= -count ? count : -*slice) : std::min(*slice, count);
    if (keep == count) return false;
    if (*slice < 0) {
      elements.erase(elements.begin(), elements.end() - keep);
    } else {
      elements.resize(static_cast<std::size_t>(keep));
    }
    return true;
  }

  Comparator comparator_;
};

Result<bool> read_direction(bson::ValueView value) {
  const auto number = value.as_integer();
  if (number != 1 && number != -1) {
    return mongo_error(2, "The $sort element value must be either 1 or -1");
  }
  return number == -1;
}

Result<ElementSort> read_sort(bson::ValueView value) {
  ElementSort sort;
  if (value.is_number()) {
    RESTITCH_TRY(const bool descending, read_direction(value));
    sort.parts.push_back({{}, descending});
    return sort;
  }
  const auto pattern = value.as_object();
  if (!pattern) {
    return mongo_error(2,
                       "The $sort is invalid: use 1/-1 to sort the whole element, or "
                       "{field:1/-1} to sort embedded fields");
  }
  if (pattern->empty()) {
    return mongo_error(2, "The $sort pattern is empty when it should be a set of fields.");
  }
  for (const bson::Element& element : *pattern) {
    RESTITCH_TRY(const bool descending, read_direction(element.value));
    std::vector<std::string> path = split_path(element.name);
    if (element.name.empty()) return mongo_error(2, "The $sort field cannot be empty");
    if (std::find(path.begin(), path.end(), "") != path.end()) {
      return mongo_error(2, "The $sort field is a dotted field but has an empty part: " +
                                std::string(element.name));
    }
    sort.parts.push_back({std::move(path), descending});
  }
  return sort;
}

Result<std::int64_t> read_integer(bson::ValueView value, std::string_view problem) {
  const auto number = value.as_integer();
  if (!number) {
    return mongo_error(2, std::string(problem) + std::string(bson::alias_of(value.type())));
  }
  return *number;
}

Status read_clause(const bson::Element& clause, PushModifier& push) {
  if (clause.name == "$each") {
    const auto each = clause.value.as_array();
    if (!each) {
      return mongo_error(2, "The argument to $each in $push must be an array but it was of type: " +
                                std::string(bson::alias_of(clause.value.type())));
    }
    for (const bson::Element& value : *each) push.values.emplace_back(value.value);
  } else if (clause.name == "$slice") {
    RESTITCH_TRY(push.slice, read_integer(clause.value,
                                          "The value for $slice must be an integer value but was "
                                          "given type: "));
  } else if (clause.name == "$position") {
    RESTITCH_TRY(push.position,
                 read_integer(clause.value,
                              "The value for $position must be an integer value, not of type: "));
  } else if (clause.name == "$sort") {
    RESTITCH_TRY(push.sort, read_sort(clause.value));
  } else {
    return mongo_error(2, "Unrecognized clause in $push: " + std::string(clause.name));
  }
  return {};
}

}  // namespace

Result<ModifierPtr> make_push(bson::ValueView operand, const CommandContext& context) {
  auto push = std::make_unique<PushModifier>(context.comparator);
  const auto clauses = operand.as_object();
  if (!clauses || !clauses->contains("$each")) {
    push->values.emplace_back(operand);
    return ModifierPtr(std::move(push));
  }
  for (const bson::Element& clause : *clauses) RESTITCH_CHECK(read_clause(clause, *push));
  return ModifierPtr(std::move(push));
}

}  // namespace restitch::query
