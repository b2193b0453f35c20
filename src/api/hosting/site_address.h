#pragma once

#include <string>
#include <string_view>

namespace restitch::api::hosting {

inline constexpr std::string_view kPathPrefix = "/hosting/";

// Where an app's hosted files are, without a '/' at the end: "http://<app>.example.com" with a
// hosting domain, else "<base URL>/hosting/<app>". `base_url` is the server's; its port is kept.
std::string site_url(std::string_view base_url, std::string_view hosting_domain,
                     std::string_view client_app_id);

// The host of "host", "host:port" or "[address]:port", in lower case.
std::string host_name(std::string_view host);

}  // namespace restitch::api::hosting
