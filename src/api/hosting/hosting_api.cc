#include "api/hosting/hosting_api.h"

#include <algorithm>

#include "api/client_view.h"
#include "api/hosting/asset_response.h"
#include "api/hosting/site_address.h"
#include "api/http_error.h"
#include "base/encoding.h"
#include "base/log.h"

namespace restitch::api::hosting {
namespace {

constexpr std::string_view kIndex = "index.html";
constexpr std::string_view kWww = "www.";

}  // namespace

HostingApi::HostingApi(const deployment::AppRegistry& apps, deployment::HostedFiles& files,
                       HostingOptions options)
    : apps_(apps), files_(files), options_(std::move(options)) {
  options_.domain = host_name(options_.domain);
}

// Host names are compared without regard to case, client app ids may have upper-case letters.
deployment::DeployedAppPtr HostingApi::app_of_host(const std::string& host, bool& is_site) const {
  const std::string ending = "." + options_.domain;
  if (!options_.domain.empty() && host.size() > ending.size() && host.ends_with(ending)) {
    const std::string label = host.substr(0, host.size() - ending.size());
    is_site = label.find('.') == std::string::npos;
    if (auto app = apps_.find(label); app || !is_site) return app;
    for (const deployment::DeployedAppPtr& app : apps_.all()) {
      if (host_name(app->client_app_id) == label) return app;
    }
    return nullptr;
  }
  auto app = apps_.find_by_custom_domain(host);
  if (!app && host.starts_with(kWww)) app = apps_.find_by_custom_domain(host.substr(kWww.size()));
  is_site = app != nullptr;
  return app;
}

std::optional<SiteRequest> HostingApi::site_of(const net::HttpRequest& request) const {
  const std::string url = client_view(request, options_.trusted_proxies, "").base_url;
  SiteRequest site;
  bool is_site = false;
  site.app = app_of_host(host_name(url.substr(url.find("://") + 3)), is_site);
  site.path = request.path();
  if (is_site) return site;
  site.app = nullptr;
  if (!site.path.starts_with(kPathPrefix)) return std::nullopt;
  const std::string_view rest = site.path.substr(kPathPrefix.size());
  const std::string_view id = rest.substr(0, rest.find('/'));
  site.app = apps_.find(id);
  site.base = std::string(kPathPrefix).append(id);
  site.path = rest.substr(id.size());
  return site;
}

asio::awaitable<net::HttpResponse> HostingApi::handle(const net::HttpRequest& request,
                                                      SiteRequest site) {
  if (!site.app || !site.app->hosting.is_enabled) co_return plain_page(404);
  if (request.method() != "GET" && request.method() != "HEAD") {
    net::HttpResponse refused = plain_page(405);
    refused.set("Allow", "GET, HEAD");
    co_return refused;
  }
  const std::string query = request.query().empty() ? "" : "?" + std::string(request.query());
  if (site.path.empty()) co_return redirect_response(301, site.base + "/" + query);
  auto path = percent_decode(site.path, false);
  if (!path || !is_valid_utf8(*path) || path->find('\0') != std::string::npos) {
    co_return plain_page(404);
  }
  const bson::ObjectId app = site.app->id;
  const auto found = co_await look_up(app, site.app->hosting, std::move(*path));
  if (!found) {
    RESTITCH_LOG(kError, kApi, 4110, "Cannot read a hosted file", {"app", site.app->client_app_id},
                 {"error", found.error().message()});
    co_return plain_page(http_error_of(found.error().code()).status);
  }
  if (found->is_folder) {
    co_return redirect_response(302, site.base + std::string(site.path) + "/" + query);
  }
  if (!found->asset) co_return plain_page(404);
  co_return asset_response(request, *found->asset, found->status, site.base);
}

// The file; a folder's index.html; the page for paths without a file.
Task<HostingApi::Found> HostingApi::look_up(bson::ObjectId app,
                                            deployment::HostingSettings settings,
                                            std::string path) {
  Found found;
  const bool is_folder = path.ends_with('/');
  if (is_folder) path.append(kIndex);
  RESTITCH_CO_TRY(found.asset, co_await files_.read(app, path));
  if (found.asset) co_return found;
  if (!is_folder) {
    RESTITCH_CO_TRY(const auto index, co_await files_.find(app, path + "/" + std::string(kIndex)));
    found.is_folder = index.has_value();
    if (found.is_folder) co_return found;
  }
  if (settings.default_error_path.empty()) co_return found;
  found.status = settings.default_error_status;
  RESTITCH_CO_TRY(found.asset, co_await files_.read(app, settings.default_error_path));
  co_return found;
}

}  // namespace restitch::api::hosting
