#include "api/request_values.h"

#include <utility>

namespace restitch::api {
namespace {

// "content-type" as "Content-Type".
void canonicalize(std::string& name) {
  bool starts_word = true;
  for (char& c : name) {
    if (starts_word && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (!starts_word && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    starts_word = c == '-';
  }
}

}  // namespace

bson::Document header_document(const net::HttpRequest& request, Authorization authorization) {
  bson::Builder out;
  std::string open, name;  // open: the header whose values are being listed
  request.for_each_header([&](std::string_view sent_name, std::string_view value) {
    name.assign(sent_name);
    canonicalize(name);
    if (name == "Authorization" && authorization == Authorization::kHidden) return;
    if (name != open) {
      if (!open.empty()) out.close();
      out.open_array(name);
      open.swap(name);
    }
    out.push(value);
  });
  if (!open.empty()) out.close();
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
