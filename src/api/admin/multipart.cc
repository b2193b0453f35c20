#include "api/admin/multipart.h"

namespace restitch::api::admin {
namespace {

constexpr std::size_t kMaxParts = 100;

Error malformed() { return Error(ErrorCode::kBadRequest, "the multipart body is malformed"); }

// The value of a parameter behind ';' in a header: name=value or name="value".
std::string parameter(std::string_view header, std::string_view name) {
  std::size_t at = header.find(';');
  while (at != std::string_view::npos) {
    std::string_view rest = header.substr(at + 1);
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    if (rest.starts_with(name) && rest.substr(name.size()).starts_with('=')) {
      rest.remove_prefix(name.size() + 1);
      if (!rest.starts_with('"')) return std::string(rest.substr(0, rest.find_first_of("; ")));
      rest.remove_prefix(1);
      return std::string(rest.substr(0, rest.find('"')));
    }
    at = header.find(';', at + 1);
  }
  return {};
}

bool is_disposition(std::string_view line) {
  constexpr std::string_view kName = "content-disposition:";
  if (line.size() < kName.size()) return false;
  for (std::size_t i = 0; i < kName.size(); ++i) {
    const char c = line[i] >= 'A' && line[i] <= 'Z' ? static_cast<char>(line[i] + 32) : line[i];
    if (c != kName[i]) return false;
  }
  return true;
}

Result<Part> parse_part(std::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return malformed();
  Part part;
  part.content = text.substr(end + 4);
  std::string_view headers = text.substr(0, end);
  while (!headers.empty()) {
    const std::size_t line_end = headers.find("\r\n");
    const std::string_view line = headers.substr(0, line_end);
    if (is_disposition(line)) {
      part.name = parameter(line, "name");
      part.filename = parameter(line, "filename");
    }
    headers =
        line_end == std::string_view::npos ? std::string_view() : headers.substr(line_end + 2);
  }
  return part;
}

}  // namespace

Result<std::vector<Part>> parse_multipart(std::string_view content_type, std::string_view body) {
  const std::string boundary = parameter(content_type, "boundary");
  if (!content_type.starts_with("multipart/") || boundary.empty()) {
    return Error(ErrorCode::kBadRequest, "the request must be a multipart body");
  }
  const std::string delimiter = "--" + boundary;
  if (!body.starts_with(delimiter)) return malformed();
  std::vector<Part> parts;
  std::string_view rest = body.substr(delimiter.size());
  while (rest.starts_with("\r\n")) {
    rest.remove_prefix(2);
    const std::size_t end = rest.find("\r\n" + delimiter);
    if (end == std::string_view::npos || parts.size() == kMaxParts) return malformed();
    RESTITCH_TRY(Part part, parse_part(rest.substr(0, end)));
    parts.push_back(std::move(part));
    rest = rest.substr(end + 2 + delimiter.size());
  }
  if (!rest.starts_with("--")) return malformed();
  return parts;
}

}  // namespace restitch::api::admin
