#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bson/document.h"

namespace restitch::app {

// The members of a JSON object, to be changed and put in order.
class Members {
 public:
  Members() = default;
  // No members if the value is no object.
  explicit Members(bson::ValueView object);

  bool empty() const { return list_.empty(); }
  bool contains(std::string_view name) const { return position(name) < list_.size(); }
  bson::ValueView operator[](std::string_view name) const;
  std::string text(std::string_view name) const;  // "" if it is no string

  // In the place of the former value, else at the end.
  void set(std::string_view name, bson::Value value);
  void set_default(std::string_view name,
                   bson::Value value);  // unless there is a value; null is none
  void remove(std::string_view name);
  // Removes and hands over; missing if there is none.
  bson::Value take(std::string_view name);
  // Removes what is null, false, "", {} or [].
  void remove_if_empty(std::string_view name);
  // The named ones first, in that order; the others behind them as they were.
  void order(std::span<const std::string_view> names);

  // Replaces a member by what `change` makes of it.
  template <typename Change>
  void change(std::string_view name, Change change) {
    if (contains(name)) set(name, change((*this)[name]));
  }

  const std::vector<std::pair<std::string, bson::Value>>& list() const& { return list_; }
  std::vector<std::pair<std::string, bson::Value>> list() && { return std::move(list_); }
  bson::Document document() const;
  bson::Value value() const { return bson::Value::of(document()); }

 private:
  std::size_t position(std::string_view name) const;

  std::vector<std::pair<std::string, bson::Value>> list_;
};

// Null, false, "", {} or [].
bool is_empty(bson::ValueView value);

// An array of `values`.
bson::Value array_of(const std::vector<bson::Value>& values);
// The elements of an array; none if the value is no array.
std::vector<bson::Value> elements_of(bson::ValueView array);

// The array with `change(element)` in the place of every element; other values stay as they are.
template <typename Change>
bson::Value map_elements(bson::ValueView array, Change change) {
  if (array.type() != bson::Type::kArray) return bson::Value(array);
  std::vector<bson::Value> out;
  for (const bson::Value& element : elements_of(array)) out.push_back(change(element.view()));
  return array_of(out);
}

// The object with `change(name, member)` in the place of every member; other values stay.
template <typename Change>
bson::Value map_members(bson::ValueView object, Change change) {
  if (object.type() != bson::Type::kObject) return bson::Value(object);
  Members out;
  for (const bson::Element& element : object.get_document()) {
    out.set(element.name, change(element.name, element.value));
  }
  return out.value();
}

// Every object inside the value with its members sorted by name.
bson::Value sorted(bson::ValueView value);

// A name as one component of a path: what a path cannot hold is percent-encoded.
std::string path_component(std::string_view name);

}  // namespace restitch::app
