#include "api/cors.h"

#include <algorithm>
#include <array>

#include "api/lower_case.h"

namespace restitch::api {
namespace {

constexpr std::array<std::string_view, 5> kCredentialHeaders{"email", "password", "apikey",
                                                             "api-key", "jwttokenstring"};

std::string normalized(std::string_view origin) {
  std::string text = lower_case(origin);
  while (!text.empty() && text.back() == '/') text.pop_back();
  const auto drop_port = [&text](std::string_view scheme, std::string_view port) {
    if (text.starts_with(scheme) && text.ends_with(port)) text.resize(text.size() - port.size());
  };
  drop_port("http://", ":80");
  drop_port("https://", ":443");
  return text;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string without_credentials(std::string_view names) {
  std::string out;
  while (!names.empty()) {
    const std::size_t comma = names.find(',');
    const std::string_view name = trim(names.substr(0, comma));
    names = comma == std::string_view::npos ? std::string_view() : names.substr(comma + 1);
    const std::string folded = lower_case(name);
    if (name.empty() || std::find(kCredentialHeaders.begin(), kCredentialHeaders.end(), folded) !=
                            kCredentialHeaders.end()) {
      continue;
    }
    if (!out.empty()) out.append(", ");
    out.append(name);
  }
  return out;
}

}  // namespace

bool is_origin_allowed(std::string_view origin, const std::vector<std::string>& allowed) {
  if (origin.empty() || allowed.empty()) return true;
  const std::string wanted = normalized(origin);
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& entry) { return normalized(entry) == wanted; });
}

void add_cors_headers(net::HttpResponse& response, std::string_view origin) {
  response.set("Vary", "Origin");
  if (origin.empty()) return;
  response.set("Access-Control-Allow-Origin", std::string(origin));
  response.set("Access-Control-Allow-Credentials", "true");
  response.set("Access-Control-Expose-Headers", "x-baas-location, x-appservices-request-id");
}

net::HttpResponse preflight_response(const net::HttpRequest& request) {
  net::HttpResponse response;
  response.status = 204;
  response.set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS");
  const std::string headers = without_credentials(request.header("Access-Control-Request-Headers"));
  if (!headers.empty()) response.set("Access-Control-Allow-Headers", headers);
  response.set("Access-Control-Max-Age", "600");
  return response;
}

}  // namespace restitch::api
