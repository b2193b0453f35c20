#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace restitch::api::admin {

struct Part {
  std::string name, filename;
  std::string_view content;  // of the body
};

// The parts of a multipart body (form-data or mixed) by the boundary in its content type. Views
// live as long as `body`. kBadRequest for anything that is not well-formed; at most 100 parts.
Result<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body);

}  // namespace restitch::api::admin
