#include "api/hosting/asset_response.h"

#include <charconv>
#include <ctime>
#include <optional>

namespace restitch::api::hosting {
namespace {

constexpr std::string_view kRedirect = "Website-Redirect-Location";

std::string http_date(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  std::tm parts{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return static_cast<std::int64_t>(::timegm(&parts));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Whether an If-None-Match names the tag (RFC 9110 §13.1.2: weak comparison). Our tags hold no comma.
bool names_tag(std::string_view list, std::string_view tag) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view one = trimmed(list.substr(0, comma));
    if (one == "*") return true;
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == tag) return true;
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return false;
}

std::string_view attribute(const deployment::HostedAsset& asset, std::string_view name) {
  for (const app::HostedAttribute& one : asset.attributes) {
    if (one.name == name) return one.value;
  }
  return {};
}

std::string content_type(const deployment::HostedAsset& asset) {
  const std::string_view given = attribute(asset, "Content-Type");
  if (!given.empty()) return std::string(given);
  std::string type(app::implied_media_type(asset.info.name));
  if (type.empty()) return "application/octet-stream";
  if (type.starts_with("text/")) type.append("; charset=utf-8");
  return type;
}

struct Range {
  std::size_t begin = 0, end = 0;  // end: behind the last byte
};
enum class RangeKind : std::uint8_t { kNone, kOne, kUnsatisfiable };

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// One range of bytes; several ones, other units and what is malformed count as none (RFC 9110 §14.2).
RangeKind parse_range(std::string_view header, std::size_t size, Range& out) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return RangeKind::kNone;
  header = trimmed(header.substr(kUnit.size()));
  const std::size_t dash = header.find('-');
  if (dash == std::string_view::npos) return RangeKind::kNone;
  const auto first = number(header.substr(0, dash));
  const auto last = number(header.substr(dash + 1));
  if (dash == 0) {
    if (!last) return RangeKind::kNone;
    if (*last == 0 || size == 0) return RangeKind::kUnsatisfiable;
    out = {*last >= size ? 0 : size - static_cast<std::size_t>(*last), size};
    return RangeKind::kOne;
  }
  const bool is_open = dash + 1 == header.size();
  if (!first || (!is_open && (!last || *last < *first))) return RangeKind::kNone;
  if (*first >= size) return RangeKind::kUnsatisfiable;
  out = {static_cast<std::size_t>(*first),
         is_open || *last >= size ? size : static_cast<std::size_t>(*last) + 1};
  return RangeKind::kOne;
}

// An If-Range that names another version has the range ignored.
bool is_range_wanted(const net::HttpRequest& request, std::string_view tag,
                     std::int64_t modified) {
  const std::string_view condition = request.header("If-Range");
  if (condition.empty() || condition == tag) return true;
  const auto date = parse_http_date(condition);
  return date && *date == modified;
}

void send_range(const net::HttpRequest& request, std::string_view tag, std::int64_t modified,
                net::HttpResponse& response) {
  const std::string& content = *response.shared_body;
  const std::string_view header = request.header("Range");
  if (header.empty() || request.method() != "GET") return;
  if (!is_range_wanted(request, tag, modified)) return;
  Range range;
  const std::string size = std::to_string(content.size());
  switch (parse_range(header, content.size(), range)) {
    case RangeKind::kNone:
      return;
    case RangeKind::kUnsatisfiable:
      response.status = 416;
      response.set("Content-Range", "bytes */" + size);
      response.shared_body = nullptr;
      return;
    case RangeKind::kOne:
      response.status = 206;
      response.set("Content-Range", "bytes " + std::to_string(range.begin) + "-" +
                                        std::to_string(range.end - 1) + "/" + size);
      response.body = content.substr(range.begin, range.end - range.begin);
      response.shared_body = nullptr;
  }
}

bool is_not_modified(const net::HttpRequest& request, std::string_view tag,
                     std::int64_t modified) {
  const std::string_view tags = request.header("If-None-Match");
  if (!tags.empty()) return names_tag(tags, tag);
  const auto since = parse_http_date(request.header("If-Modified-Since"));
  return since && modified <= *since;
}

}  // namespace

net::HttpResponse asset_response(const net::HttpRequest& request,
                                 const deployment::HostedAsset& asset, int status,
                                 std::string_view base) {
  if (const std::string_view target = attribute(asset, kRedirect); !target.empty()) {
    net::HttpResponse moved = redirect_response(
        301, (target.starts_with('/') ? std::string(base) : std::string()).append(target));
    const std::string_view caching = attribute(asset, "Cache-Control");
    if (!caching.empty()) moved.headers.back().second = std::string(caching);
    return moved;
  }
  const std::string tag = "\"" + asset.info.md5 + "\"";
  const std::int64_t modified = asset.info.modified.millis / 1000;
  const std::string_view caching = attribute(asset, "Cache-Control");
  net::HttpResponse response;
  response.status = status;
  response.set("ETag", tag);
  response.set("Last-Modified", http_date(modified));
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Cache-Control", caching.empty() ? "no-cache" : std::string(caching));
  if (status == 200 && is_not_modified(request, tag, modified)) {
    response.status = 304;
    return response;
  }
  response.set("Content-Type", content_type(asset));
  for (const std::string_view name :
       {"Content-Disposition", "Content-Language", "Content-Encoding"}) {
    const std::string_view value = attribute(asset, name);
    if (!value.empty()) response.set(std::string(name), std::string(value));
  }
  response.shared_body = asset.content;
  if (status == 200) {
    response.set("Accept-Ranges", "bytes");
    send_range(request, tag, modified, response);
  }
  return response;
}

net::HttpResponse redirect_response(int status, std::string location) {
  net::HttpResponse response;
  response.status = status;
  response.set("Location", std::move(location));
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Cache-Control", "no-cache");
  return response;
}

net::HttpResponse plain_page(int status) {
  const std::string title = std::to_string(status) + " " + std::string(net::reason_of(status));
  net::HttpResponse response;
  response.status = status;
  response.set("Content-Type", "text/html; charset=utf-8");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Cache-Control", "no-cache");
  response.body = "<!doctype html>\n<html lang=\"en\">\n<title>" + title + "</title>\n<h1>" + title +
                  "</h1>\n</html>\n";
  return response;
}

}  // namespace restitch::api::hosting
