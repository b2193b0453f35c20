#include "api/route_table.h"

#include "base/encoding.h"

namespace restitch::api {

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (!segment.empty()) segments.push_back(percent_decode(segment, false).value_or(std::string(segment)));
  }
  return segments;
}

PathPattern::PathPattern(std::string_view pattern) : text_(pattern), segments_(split_path(pattern)) {
  for (std::string& segment : segments_) {
    if (segment.front() == '{') segment.clear();
  }
}

bool PathPattern::matches(const std::vector<std::string>& segments, std::vector<std::string>* parameters) const {
  if (segments.size() != segments_.size()) return false;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (!segments_[i].empty() && segments_[i] != segments[i]) return false;
  }
  parameters->clear();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (segments_[i].empty()) parameters->push_back(segments[i]);
  }
  return true;
}

}  // namespace restitch::api
