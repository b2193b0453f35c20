#include "rules/dotted_path.h"

#include <utility>

namespace restitch::rules {
namespace {

std::pair<std::string_view, std::string_view> split_first(std::string_view path) {
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return {path, {}};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

bool is_container(bson::ValueView value) {
  return value.type() == bson::Type::kObject || value.type() == bson::Type::kArray;
}

bson::Document replaced(bson::View container, std::string_view path, bson::ValueView value, bool is_array) {
  const auto [name, rest] = split_first(path);
  bson::Builder out;
  bool is_placed = false;
  for (const bson::Element& element : container) {
    if (is_placed || element.name != name) {
      out.append(element.name, element.value);
      continue;
    }
    is_placed = true;
    if (rest.empty()) {
      out.append(name, value);
    } else if (is_container(element.value)) {
      const bool inner_is_array = element.value.type() == bson::Type::kArray;
      const bson::Document inner = replaced(element.value.get_document(), rest, value, inner_is_array);
      if (inner_is_array) {
        out.append_array(name, inner);
      } else {
        out.append(name, inner);
      }
    } else {
      out.append(name, replaced(bson::View(), rest, value, false));
    }
  }
  if (!is_placed && !is_array) {
    if (rest.empty()) {
      out.append(name, value);
    } else {
      out.append(name, replaced(bson::View(), rest, value, false));
    }
  }
  return std::move(out).finish();
}

}  // namespace

bson::ValueView value_at(bson::View document, std::string_view path) {
  for (;;) {
    const auto [name, rest] = split_first(path);
    const bson::ValueView value = document.find(name);  // an array's elements are named by their index
    if (rest.empty() || !is_container(value)) return rest.empty() ? value : bson::ValueView();
    document = value.get_document();
    path = rest;
  }
}

bson::Document with_value_at(bson::View document, std::string_view path, bson::ValueView value) {
  return replaced(document, path, value, false);
}

}  // namespace restitch::rules
