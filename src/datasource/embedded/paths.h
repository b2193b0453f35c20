#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace restitch::datasource::embedded {

// "a.b" is {"a", "b"}; an empty path has one empty component.
std::vector<std::string> split_path(std::string_view path);
// The number that a path component names as an array position: canonical decimal, no leading zero.
std::optional<std::size_t> array_position(std::string_view component);

}  // namespace restitch::datasource::embedded
