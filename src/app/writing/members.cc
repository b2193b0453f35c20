#include "app/writing/members.h"

#include <algorithm>

namespace restitch::app {

Members::Members(bson::ValueView object) {
  const auto members = object.as_object();
  if (!members) return;
  for (const bson::Element& element : *members) {
    list_.emplace_back(std::string(element.name), bson::Value(element.value));
  }
}

std::size_t Members::position(std::string_view name) const {
  const auto at = std::find_if(list_.begin(), list_.end(),
                               [&](const auto& member) { return member.first == name; });
  return static_cast<std::size_t>(at - list_.begin());
}

bson::ValueView Members::operator[](std::string_view name) const {
  const std::size_t at = position(name);
  return at == list_.size() ? bson::ValueView() : list_[at].second.view();
}

std::string Members::text(std::string_view name) const {
  return std::string((*this)[name].as_string().value_or(""));
}

void Members::set(std::string_view name, bson::Value value) {
  const std::size_t at = position(name);
  if (at == list_.size()) {
    list_.emplace_back(std::string(name), std::move(value));
  } else {
    list_[at].second = std::move(value);
  }
}

void Members::set_default(std::string_view name, bson::Value value) {
  if ((*this)[name].is_nullish()) set(name, std::move(value));
}

void Members::remove(std::string_view name) { take(name); }

bson::Value Members::take(std::string_view name) {
  const std::size_t at = position(name);
  if (at == list_.size()) return {};
  bson::Value value = std::move(list_[at].second);
  list_.erase(list_.begin() + static_cast<std::ptrdiff_t>(at));
  return value;
}

void Members::remove_if_empty(std::string_view name) {
  if (is_empty((*this)[name])) remove(name);
}

void Members::order(std::span<const std::string_view> names) {
  std::stable_sort(list_.begin(), list_.end(), [&](const auto& left, const auto& right) {
    return std::find(names.begin(), names.end(), left.first) <
           std::find(names.begin(), names.end(), right.first);
  });
}

bson::Document Members::document() const {
  bson::Builder out;
  for (const auto& [name, value] : list_) out.append(name, value);
  return std::move(out).finish();
}

bool is_empty(bson::ValueView value) {
  if (value.is_nullish()) return true;
  if (value.type() == bson::Type::kBool) return !value.get_bool();
  if (const auto text = value.as_string()) return text->empty();
  if (const auto object = value.as_object()) return object->empty();
  if (const auto array = value.as_array()) return array->empty();
  return false;
}

bson::Value array_of(const std::vector<bson::Value>& values) {
  bson::Builder out;
  std::size_t index = 0;
  for (const bson::Value& value : values) out.append(std::to_string(index++), value);
  return bson::Value::array(std::move(out).finish());
}

std::vector<bson::Value> elements_of(bson::ValueView array) {
  std::vector<bson::Value> out;
  for (const bson::Element& element : array.as_array().value_or(bson::View())) {
    out.emplace_back(element.value);
  }
  return out;
}

bson::Value sorted(bson::ValueView value) {
  if (value.type() == bson::Type::kArray) return map_elements(value, &sorted);
  if (value.type() != bson::Type::kObject) return bson::Value(value);
  std::vector<std::pair<std::string_view, bson::ValueView>> members;
  for (const bson::Element& element : value.get_document()) {
    members.emplace_back(element.name, element.value);
  }
  std::stable_sort(members.begin(), members.end(),
                   [](const auto& left, const auto& right) { return left.first < right.first; });
  bson::Builder out;
  for (const auto& [name, member] : members) out.append(name, sorted(member));
  return bson::Value::of(std::move(out).finish());
}

std::string path_component(std::string_view name) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const bool is_dots = name == "." || name == "..";
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = byte >= 0x20 && byte != 0x7F && c != '/' && c != '\\' && c != ':';
    if (is_plain && !is_dots) {
      out.push_back(c);
      continue;
    }
    out.push_back('%');
    out.push_back(kHex[byte >> 4U]);
    out.push_back(kHex[byte & 15U]);
  }
  return out.empty() ? "_" : out;
}

}  // namespace restitch::app
