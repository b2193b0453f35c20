#include "datasource/embedded/paths.h"

namespace restitch::datasource::embedded {

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> components;
  for (;;) {
    const std::size_t dot = path.find('.');
    components.emplace_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return components;
    path.remove_prefix(dot + 1);
  }
}

std::optional<std::size_t> array_position(std::string_view component) {
  constexpr std::size_t kMaxDigits = 9;
  if (component.empty() || component.size() > kMaxDigits) return std::nullopt;
  if (component.size() > 1 && component.front() == '0') return std::nullopt;
  std::size_t position = 0;
  for (const char digit : component) {
    if (digit < '0' || digit > '9') return std::nullopt;
    position = position * 10 + static_cast<std::size_t>(digit - '0');
  }
  return position;
}

}  // namespace restitch::datasource::embedded
