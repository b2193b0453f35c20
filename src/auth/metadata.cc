#include "auth/metadata.h"

#include <string>

namespace restitch::auth {
namespace {

constexpr std::size_t kMaxValueLength = 4096;

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments(1);
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 1 < path.size() && path[i + 1] == '.') {
      segments.back().push_back('.');
      ++i;
    } else if (path[i] == '.') {
      segments.emplace_back();
    } else {
      segments.back().push_back(path[i]);
    }
  }
  return segments;
}

bson::ValueView value_at(bson::View claims, const std::vector<std::string>& segments) {
  bson::ValueView value;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (i > 0) {
      const auto object = value.as_object();
      if (!object) return {};
      claims = *object;
    }
    value = claims[segments[i]];
  }
  return value;
}

Error unauthorized(std::string detail) {
  return Error(ErrorCode::kInvalidSession, "unauthorized").with_detail(std::move(detail));
}

}  // namespace

Result<bson::Document> map_metadata(const std::vector<bson::Document>& fields, bson::View claims) {
  bson::Builder data;
  for (const bson::Document& field : fields) {
    const std::vector<std::string> segments = segments_of(field["name"].as_string().value_or(""));
    const bson::ValueView value = value_at(claims, segments);
    if (value.is_missing()) {
      if (field["required"].truthy())
        return unauthorized("the metadata field '" + segments.back() + "' is missing");
      continue;
    }
    if (value.as_string() && value.get_string().size() > kMaxValueLength) {
      return unauthorized("the metadata field '" + segments.back() + "' is too long");
    }
    data.append(field["field_name"].as_string().value_or(segments.back()), value);
  }
  return std::move(data).finish();
}

}  // namespace restitch::auth
