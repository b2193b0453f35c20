#include "api/request_values.h"

#include <utility>
#include <vector>

namespace restitch::api {
namespace {

// "content-type" as "Content-Type".
std::string canonical_header_name(std::string_view name) {
  std::string out(name);
  bool start = true;
  for (char& c : out) {
    if (start && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (!start && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    start = c == '-';
  }
  return out;
}

}  // namespace

bson::Document header_document(const net::HttpRequest& request, Authorization authorization) {
  std::vector<std::pair<std::string, std::vector<std::string>>> grouped;
  request.for_each_header([&grouped](std::string_view name, std::string_view value) {
    const std::string canonical = canonical_header_name(name);
    for (auto& [known, values] : grouped) {
      if (known == canonical) return values.emplace_back(value), void();
    }
    grouped.emplace_back(canonical, std::vector<std::string>{std::string(value)});
  });
  bson::Builder out;
  for (const auto& [name, values] : grouped) {
    if (name == "Authorization" && authorization == Authorization::kHidden) continue;
    out.open_array(name);
    for (const std::string& value : values) out.push(value);
    out.close();
  }
  return std::move(out).finish();
}

std::string public_query(std::string_view query) {
  std::string out;
  while (!query.empty()) {
    const std::size_t amp = query.find('&');
    const std::string_view pair = query.substr(0, amp);
    query = amp == std::string_view::npos ? std::string_view() : query.substr(amp + 1);
    const std::string_view key = pair.substr(0, pair.find('='));
    if (key == "secret" || key == "baas_at" || key == "stitch_at") continue;
    if (!out.empty()) out.push_back('&');
    out.append(pair);
  }
  return out;
}

std::string logs_link(const std::string& base_url, const deployment::DeployedApp& app,
                      const std::string& request_id) {
  return base_url + "/groups/" + app.group_id + "/apps/" + app.id.to_hex() +
         "/logs?co_id=" + request_id;
}

}  // namespace restitch::api
