#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "deployment/app_registry.h"
#include "deployment/hosting.h"
#include "net/address_set.h"
#include "net/http.h"
#include "runtime/task.h"

namespace restitch::api::hosting {

struct HostingOptions {
  std::string domain;  // "" = no host names of the form <client app id>.<domain>
  net::AddressSet trusted_proxies;
};

// A request's place among the sites.
struct SiteRequest {
  deployment::DeployedAppPtr app;  // null: the address belongs to no app
  std::string base;                // path of the site's root: "" or "/hosting/<client app id>"
  std::string_view path;           // below it, as sent
};

// Serves the hosted files of apps with hosting enabled: below /hosting/<client app id>/, at
// <client app id>.<hosting domain>, and at an app's custom domain (and its www.). Thread-safe.
class HostingApi {
 public:
  HostingApi(const deployment::AppRegistry& apps, deployment::HostedFiles& files,
             HostingOptions options);

  // Nothing when the request is for no site.
  std::optional<SiteRequest> site_of(const net::HttpRequest& request) const;
  asio::awaitable<net::HttpResponse> handle(const net::HttpRequest& request, SiteRequest site);

 private:
  struct Found {
    std::optional<deployment::HostedAsset> asset;
    bool is_folder = false;  // the path lacks the '/' behind a folder's name
    int status = 200;
  };

  deployment::DeployedAppPtr app_of_host(const std::string& host, bool& is_site) const;
  Task<Found> look_up(bson::ObjectId app, deployment::HostingSettings settings, std::string path);

  const deployment::AppRegistry& apps_;
  deployment::HostedFiles& files_;
  HostingOptions options_;
};

}  // namespace restitch::api::hosting
