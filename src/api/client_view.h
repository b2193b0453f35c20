#pragma once

#include <string>

#include "net/address_set.h"
#include "net/http.h"

namespace restitch::api {

// The client's end of a request: whose address it is, and by which URL it reached the server.
struct ClientView {
  std::string address;
  std::string base_url;  // scheme, host and port
};

// What proxies in front say (X-Forwarded-For, -Proto, -Host) counts only as far as each of them is
// trusted: the address is the last one in the chain that is not. A `public_url` stands above all.
ClientView client_view(const net::HttpRequest& request, const net::AddressSet& trusted_proxies,
                       const std::string& public_url);

}  // namespace restitch::api
