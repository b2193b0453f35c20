#include "api/hosting/site_address.h"

namespace restitch::api::hosting {
namespace {

// Where the port begins with its ':'; npos without one.
std::size_t port_of(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const bool is_in_address = host.find(']', colon) != std::string_view::npos;
  return colon == std::string_view::npos || is_in_address ? std::string_view::npos : colon;
}

}  // namespace

std::string site_url(std::string_view base_url, std::string_view hosting_domain,
                     std::string_view client_app_id) {
  std::string url(base_url);
  if (hosting_domain.empty()) return url.append(kPathPrefix).append(client_app_id);
  const std::size_t scheme = base_url.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::string_view host = base_url.substr(begin, base_url.find('/', begin) - begin);
  const std::size_t port = port_of(host);
  url = std::string(base_url.substr(0, begin)).append(client_app_id).append(".");
  url.append(hosting_domain);
  if (port != std::string_view::npos) url.append(host.substr(port));
  return url;
}

std::string host_name(std::string_view host) {
  std::string name(host.substr(0, port_of(host)));
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return name;
}

}  // namespace restitch::api::hosting
