#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bson/view.h"

namespace restitch::query {

inline std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> components;
  while (true) {
    const std::size_t dot = path.find('.');
    components.emplace_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return components;
    path.remove_prefix(dot + 1);
  }
}

// The array index a path component names: decimal digits without a leading zero. Nothing otherwise.
inline std::optional<std::size_t> array_index(std::string_view component) {
  constexpr std::size_t kMaxDigits = 10;
  if (component.empty() || component.size() > kMaxDigits) return std::nullopt;
  if (component.front() == '0' && component.size() > 1) return std::nullopt;
  std::size_t index = 0;
  for (const char c : component) {
    if (c < '0' || c > '9') return std::nullopt;
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  return index;
}

// Element of an array by position; missing behind the end.
inline bson::ValueView array_element(bson::View array, std::size_t index) {
  for (const bson::Element& element : array) {
    if (index-- == 0) return element.value;
  }
  return {};
}

}  // namespace restitch::query
