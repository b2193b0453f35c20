#include "app/json_file.h"

#include <fstream>
#include <system_error>
#include <utility>

#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::app {

Result<std::string> read_text(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) {
    return Error(ErrorCode::kIo, "is not a regular file");
  }
  const auto size = std::filesystem::file_size(path, failed);
  if (failed) return Error(ErrorCode::kIo, "cannot be read");
  if (size > kMaxFileBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 "is larger than " + std::to_string(kMaxFileBytes / 1048576) + " MiB");
  }
  std::ifstream in(path, std::ios::binary);
  std::string text(size, '\0');
  in.read(text.data(), static_cast<std::streamsize>(size));
  if (!in) return Error(ErrorCode::kIo, "cannot be read");
  return text;
}

std::optional<bson::Value> parse_json_file(std::string_view text, const std::string& file,
                                           Findings& findings) {
  bson::JsonOptions options;
  options.allow_trailing_comma = true;
  options.allow_byte_order_mark = true;
  auto parsed = bson::parse_json_with(text, options);
  if (!parsed) {
    options.extended = false;
    auto plain = bson::parse_json_with(text, options);
    if (!plain) {
      findings.error(file, "", "BadRequest", parsed.error().message());
      return std::nullopt;
    }
    findings.warning(file, "", "BadRequest", parsed.error().message() + " (taken as plain JSON)");
    parsed = std::move(plain);
  }
  if (parsed->had_byte_order_mark) {
    findings.warning(file, "", "BadRequest", "starts with a byte order mark");
  }
  if (parsed->had_trailing_comma) {
    findings.warning(file, "", "BadRequest", "has a trailing comma, which is not valid JSON");
  }
  return std::move(parsed->value);
}

std::optional<bson::Value> parse_plain_json(std::string_view text) {
  bson::JsonOptions options;
  options.extended = false;
  options.allow_trailing_comma = true;
  options.allow_byte_order_mark = true;
  auto parsed = bson::parse_json_with(text, options);
  if (!parsed) return std::nullopt;
  return std::move(parsed->value);
}

}  // namespace restitch::app
