#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace restitch::api {

// Path segments, percent-decoded; empty ones (doubled and trailing slashes) are skipped.
std::vector<std::string> split_path(std::string_view path);

// A pattern like "/app/{app}/auth/providers/{provider}/login".
class PathPattern {
 public:
  explicit PathPattern(std::string_view pattern);

  const std::string& text() const { return text_; }
  // Whether the segments fit; `parameters` then holds the values of the {…} places in order.
  bool matches(const std::vector<std::string>& segments, std::vector<std::string>* parameters) const;

 private:
  std::string text_;
  std::vector<std::string> segments_;   // "" = a parameter
};

}  // namespace restitch::api
