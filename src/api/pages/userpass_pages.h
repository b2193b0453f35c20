#pragma once

#include <optional>
#include <string_view>

#include "net/http.h"

namespace restitch::api::pages {

// The server's own pages for links in messages, `/app/<client app id>/confirm` and `/app/<client
// app id>/reset`: for apps that have no page of their own to take the token (spec: client-api §9).
// Nothing for any other path. They are static: the script reads app, token and id from the address
// and calls the client API.
std::optional<net::HttpResponse> userpass_page(std::string_view method, std::string_view path);

}  // namespace restitch::api::pages
