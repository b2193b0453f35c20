#pragma once

#include <string>
#include <string_view>

#include "deployment/hosting.h"
#include "net/http.h"

namespace restitch::api::hosting {

// The answer that serves a hosted file: its attributes as headers, ETag and Last-Modified; 304, 206
// and 416 as the request's conditions and range ask (status 200 only); 301 for a file that is a
// redirect. `base` is the path of the site's root, "" or "/hosting/<app>".
net::HttpResponse asset_response(const net::HttpRequest& request,
                                 const deployment::HostedAsset& asset, int status,
                                 std::string_view base);

net::HttpResponse redirect_response(int status, std::string location);
// A page that says what the status is.
net::HttpResponse plain_page(int status);

}  // namespace restitch::api::hosting
