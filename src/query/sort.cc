#include "query/sort.h"

#include <algorithm>
#include <array>

#include "bson/key_encoding.h"
#include "query/element_text.h"
#include "query/field_path.h"
#include "query/path.h"

namespace restitch::query {
namespace {

constexpr std::size_t kMaxParts = 32;

Error parallel_arrays() { return mongo_error(2, "cannot sort with keys that are parallel arrays"); }

Result<bool> read_direction(const bson::Element& element) {
  if (const auto object = element.value.as_object()) {
    if (object->count() == 1 && object->begin()->name == "$meta") {
      return mongo_error(40218, "query requires text score metadata, but it is not available");
    }
    return mongo_error(17312, "$meta is the only expression supported by $sort right now");
  }
  if (!element.value.is_number()) {
    return mongo_error(15974, "Illegal key in $sort specification: " + element_text(element));
  }
  const auto number = element.value.as_integer();
  if (number != 1 && number != -1) {
    return mongo_error(15975,
                       "$sort key ordering must be 1 (for ascending) or -1 (for descending)");
  }
  return number == -1;
}

// How far the look-up of one sort part has come.
struct Progress {
  std::size_t depth = 0;  // components used up
  bson::ValueView value;  // reached so far
  bool is_final = false;  // `value` is the part's key, arrays included
};

// Enumerates the keys that one document has for all parts together and keeps the best.
class KeyFinder {
 public:
  using Row = std::array<Progress, kMaxParts>;

  KeyFinder(const std::vector<SortPart>& parts, const Comparator& comparator)
      : parts_(parts), comparator_(comparator) {}

  Result<std::string> find(bson::View document) {
    Row row;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      row[i].value = document.find(parts_[i].components.front());
      row[i].depth = 1;
    }
    RESTITCH_CHECK(expand(row));
    return std::move(best_);
  }

 private:
  Status expand(Row& row) {
    bson::ValueView array;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      descend(parts_[i], row[i]);
      if (row[i].is_final || row[i].value.type() != bson::Type::kArray) continue;
      if (!array.is_missing() && array.raw().data() != row[i].value.raw().data()) {
        return parallel_arrays();
      }
      array = row[i].value;
    }
    if (array.is_missing()) {
      offer(row);
      return {};
    }
    if (array.get_document().empty()) {
      return enter(row, array, bson::ValueView(bson::Type::kUndefined, nullptr, 0), 0, true);
    }
    std::size_t position = 0;
    for (const bson::Element& element : array.get_document()) {
      RESTITCH_CHECK(enter(row, array, element.value, position++, false));
    }
    return {};
  }

  // Follows objects until the path ends, breaks off or stands before an array.
  static void descend(const SortPart& part, Progress& progress) {
    while (!progress.is_final && progress.depth < part.components.size()) {
      const std::string& component = part.components[progress.depth];
      if (progress.value.type() == bson::Type::kObject) {
        progress.value = progress.value.get_document().find(component);
        ++progress.depth;
      } else if (progress.value.type() == bson::Type::kArray) {
        if (!follows_index(progress, component)) return;
      } else {
        progress = {part.components.size(), {}, true};
      }
    }
  }

  // A number names an element, unless elements are objects with fields of that name.
  static bool follows_index(Progress& progress, std::string_view component) {
    const auto index = array_index(component);
    if (!index) return false;
    const bson::View array = progress.value.get_document();
    for (const bson::Element& element : array) {
      const auto object = element.value.as_object();
      if (object && object->contains(component)) return false;
    }
    progress.value = array_element(array, *index);
    ++progress.depth;
    return true;
  }

  // Continues with one element of the array that some parts stand before.
  Status enter(const Row& row, bson::ValueView array, bson::ValueView element, std::size_t position,
               bool is_empty) {
    Row next = row;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      Progress& progress = next[i];
      if (progress.is_final || progress.value.type() != bson::Type::kArray ||
          progress.value.raw().data() != array.raw().data()) {
        continue;
      }
      const std::vector<std::string>& components = parts_[i].components;
      if (progress.depth == components.size()) {
        progress = {progress.depth, element, true};
      } else if (element.type() == bson::Type::kObject) {
        progress.value = element.get_document().find(components[progress.depth]);
        ++progress.depth;
      } else if (array_index(components[progress.depth]) == position && !is_empty) {
        progress.value = element;
        ++progress.depth;
      } else {
        progress = {components.size(), {}, true};
      }
    }
    return expand(next);
  }

  void offer(const Row& row) {
    std::string key;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const bson::ValueView value = row[i].value;
      if (const Collation* collation = comparator_.collation()) {
        bson::append_key(key, collated(value, *collation), parts_[i].descending);
      } else {
        bson::append_key(key, value, parts_[i].descending);
      }
    }
    if (!has_best_ || key < best_) best_ = std::move(key);
    has_best_ = true;
  }

  const std::vector<SortPart>& parts_;
  const Comparator& comparator_;
  std::string best_;
  bool has_best_ = false;
};

}  // namespace

Result<SortPattern> SortPattern::compile(bson::View spec, const CommandContext& context) {
  SortPattern pattern;
  pattern.comparator_ = context.comparator;
  for (const bson::Element& element : spec) {
    RESTITCH_CHECK(check_field_path(element.name));
    RESTITCH_TRY(const bool descending, read_direction(element));
    pattern.parts_.push_back({std::string(element.name), split_path(element.name), descending});
  }
  if (pattern.parts_.size() > kMaxParts) return mongo_error(13103, "too many compound keys");
  return pattern;
}

Result<std::string> SortPattern::key_of(bson::View document) const {
  return KeyFinder(parts_, comparator_).find(document);
}

}  // namespace restitch::query
