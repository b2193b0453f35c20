#include <algorithm>
#include <set>

#include "api/admin/entities.h"
#include "api/admin/multipart.h"
#include "api/admin/routes.h"
#include "api/hosting/site_address.h"
#include "app/hosted_files.h"
#include "auth/crypto.h"
#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::api::admin {
namespace {

constexpr Family kAssets{"asset", "", ""};
constexpr std::size_t kMultipartBytes = std::size_t{64} << 10U;  // around an uploaded file

bson::ObjectId app_id(const AdminRequest& request) { return request.app->identity().id; }

// Proves that the address of a file's content was given out by this server.
std::string signature_of(AdminApi& api, const std::string& app, const std::string& path) {
  const std::string text = "hosted asset\n" + app + "\n" + path;
  return to_hex(auth::hmac_sha256(api.accounts().realm().signing_key, text).substr(0, 16));
}

bson::Document view(AdminApi& api, const AdminRequest& request, const deployment::FileInfo& info) {
  const std::string app = app_id(request).to_hex();
  bson::Builder out;
  out.append("appId", app).append("path", info.name).append("hash", info.md5);
  out.append("size", info.size).append("last_modified", info.modified.millis / 1000);
  out.append("attrs", app::to_value(deployment::attributes_of(info)));
  out.append("url", request.base_url + "/api/admin/v3.0/hosted_assets/" + app +
                        "?path=" + percent_encode(info.name) +
                        "&signature=" + signature_of(api, app, info.name));
  return std::move(out).finish();
}

bson::Document view_folder(const AdminRequest& request, const std::string& path) {
  bson::Builder out;
  out.append("appId", app_id(request).to_hex()).append("path", path);
  out.append("size", std::int64_t{0}).open_array("attrs").close();
  return std::move(out).finish();
}

Result<std::string> path_in_query(const AdminRequest& request) {
  std::string path = app::asset_path(request.query_value("path").value_or(""));
  if (path.empty()) return Error(ErrorCode::kMissingParameter, "the query parameter 'path' is missing");
  return path;
}

Result<app::HostedAttributes> sent_attributes(bson::ValueView list) {
  if (list.is_nullish()) return app::HostedAttributes();
  const auto array = list.as_array();
  app::HostedAttributes attributes = app::hosted_attributes(list);
  if (!array || attributes.size() != app::elements_of(list).size()) {
    return Error(ErrorCode::kInvalidArgument,
                 "attributes must be an array of objects with the strings 'name' and 'value'");
  }
  return attributes;
}

Task<AdminReply> list_assets(AdminApi& api, AdminRequest& request) {
  std::string prefix = request.query_value("prefix").value_or("");
  const bool is_recursive = request.query_value("recursive").value_or("true") != "false";
  if (!is_recursive && prefix.empty()) prefix = "/";
  RESTITCH_CO_TRY(const auto files, co_await api.hosted_files().list(app_id(request), prefix));
  std::vector<bson::Document> shown;
  std::set<std::string> folders;
  for (const deployment::FileInfo& info : files) {
    const std::size_t slash = info.name.find('/', prefix.size());
    if (is_recursive || slash == std::string::npos) {
      shown.push_back(view(api, request, info));
    } else if (const std::string folder = info.name.substr(0, slash + 1);
               folders.insert(folder).second) {
      shown.push_back(view_folder(request, folder));
    }
  }
  co_return AdminReply::of_list(shown);
}

Task<AdminReply> fetch_asset(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const std::string path, path_in_query(request));
  RESTITCH_CO_TRY(const auto info, co_await api.hosted_files().find(app_id(request), path));
  if (!info) co_return Error(ErrorCode::kNotFound, "asset not found: '" + path + "'");
  co_return AdminReply::of(view(api, request, *info));
}

struct Upload {
  std::string path, hash;
  app::HostedAttributes attributes;
  std::string_view content;  // of the request's body
};

Result<Upload> uploaded(const AdminRequest& request) {
  RESTITCH_TRY(const auto parts,
               parse_multipart(request.http.header("Content-Type"), request.http.body()));
  const auto part = [&parts](std::string_view name) {
    return std::find_if(parts.begin(), parts.end(), [&](const Part& one) { return one.name == name; });
  };
  const auto meta = part("meta");
  const auto file = part("file");
  if (meta == parts.end() || file == parts.end()) {
    return Error(ErrorCode::kMissingParameter,
                 "the multipart body must have the parts 'meta' and 'file'");
  }
  bson::JsonOptions plain;
  plain.extended = false;
  const auto parsed = bson::parse_json_with(meta->content, plain);
  const auto described = parsed ? parsed->value.view().as_object() : std::nullopt;
  if (!described) return Error(ErrorCode::kBadRequest, "the part 'meta' must be a JSON object");
  Upload upload;
  upload.path = app::asset_path(text_or_empty(*described, "path"));
  if (upload.path.empty()) upload.path = app::asset_path(request.query_value("path").value_or(""));
  if (upload.path.empty()) return Error(ErrorCode::kMissingParameter, "the asset has no 'path'");
  upload.hash = text_or_empty(*described, "hash");
  RESTITCH_TRY(upload.attributes, sent_attributes((*described)["attrs"]));
  upload.content = file->content;
  const auto size = (*described)["size"].as_integer();
  if (size && *size != static_cast<std::int64_t>(upload.content.size())) {
    return Error(ErrorCode::kInvalidArgument,
                 "the file has " + std::to_string(upload.content.size()) + " bytes, not " +
                     std::to_string(*size));
  }
  return upload;
}

Task<AdminReply> put_asset(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(Upload upload, uploaded(request));
  RESTITCH_CO_CHECK(co_await api.hosted_files().put(
      app_id(request), std::move(upload.path), std::string(upload.content),
      std::move(upload.attributes), std::move(upload.hash)));
  co_return AdminReply::empty();
}

Task<AdminReply> patch_asset(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(std::string path, path_in_query(request));
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_TRY(app::HostedAttributes attributes, sent_attributes(body["attributes"]));
  RESTITCH_CO_CHECK(co_await api.hosted_files().set_attributes(app_id(request), std::move(path),
                                                               std::move(attributes)));
  co_return AdminReply::empty();
}

Task<AdminReply> remove_asset(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(std::string path, path_in_query(request));
  RESTITCH_CO_CHECK(co_await api.hosted_files().remove(app_id(request), std::move(path)));
  co_return AdminReply::empty();
}

Task<AdminReply> move_or_copy(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const bool is_copy = body.view().contains("copy_from") || body.view().contains("copy_to");
  RESTITCH_CO_TRY(const std::string from, required_text(body, is_copy ? "copy_from" : "move_from"));
  RESTITCH_CO_TRY(const std::string to, required_text(body, is_copy ? "copy_to" : "move_to"));
  deployment::HostedFiles& files = api.hosted_files();
  const bson::ObjectId app = app_id(request);
  if (is_copy) {
    RESTITCH_CO_CHECK(co_await files.copy(app, app::asset_path(from), app::asset_path(to)));
  } else {
    RESTITCH_CO_CHECK(co_await files.move(app, app::asset_path(from), app::asset_path(to)));
  }
  co_return AdminReply::empty();
}

// What is served is never stale, so that there is only memory to free.
Task<AdminReply> reset_cache(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const auto app, api.running(request));
  if (!app->hosting.is_enabled) co_return Error(ErrorCode::kRefused, "hosting is disabled");
  api.hosted_files().forget_contents();
  co_return AdminReply::empty();
}

// The content of a file for whoever was given its address, with hosting on or off. It is not to be
// shown by a browser as a page of the server.
Task<AdminReply> send_content(AdminApi& api, AdminRequest& request) {
  const deployment::ManagedAppPtr app = api.apps().find(request.parameters.at(0));
  const std::string path = request.query_value("path").value_or("");
  const std::string sent = request.query_value("signature").value_or("");
  const std::string wanted = signature_of(api, request.parameters.at(0), path);
  if (!app || !auth::equal_in_constant_time(sent, wanted)) {
    co_return Error(ErrorCode::kNotFound, "not found");
  }
  RESTITCH_CO_TRY(const auto asset, co_await api.hosted_files().read(app->identity().id, path));
  if (!asset) co_return Error(ErrorCode::kNotFound, "not found");
  AdminReply reply{200, *asset->content, "application/octet-stream"};
  reply.headers = {{"X-Content-Type-Options", "nosniff"},
                   {"Content-Security-Policy", "sandbox"},
                   {"Content-Disposition", "attachment"}};
  co_return reply;
}

Task<AdminReply> fetch_config(AdminApi& api, AdminRequest& request) {
  Members out(request.config()->settings(deployment::kHostingConfig));
  out.set_default("enabled", bson::Value::of(false));
  out.set("status", bson::Value::of(hosting_status(api, request)));
  const std::string url = site_url_of(api, request);
  Members domain;
  domain.set("app_default_domain", bson::Value::of(url.substr(url.find("://") + 3)));
  Members provider;
  provider.set("provider_type", bson::Value::of("local"));
  provider.set("config", domain.value());
  out.set("default_domain", provider.value());
  co_return AdminReply::of(out.document());
}

Task<AdminReply> patch_config(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const auto enabled = body["enabled"];
  if (!enabled.is_nullish() && !enabled.as_bool()) {
    co_return Error(ErrorCode::kInvalidArgument, "'enabled' must be a boolean");
  }
  Members sent(bson::Value::object(body).view());
  for (const char* shown_only : {"status", "default_domain", "app_default_domain"}) {
    sent.remove(shown_only);
  }
  const bson::Document patch = sent.document();
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    const bson::View former =
        config.settings(deployment::kHostingConfig).as_object().value_or(bson::View());
    config.set_settings(deployment::kHostingConfig, bson::Value::of(merged(former, patch)));
    return {};
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

}  // namespace

std::string site_url_of(const AdminApi& api, const AdminRequest& request) {
  return hosting::site_url(request.base_url, api.options().hosting_domain,
                           request.app->identity().client_app_id);
}

std::string hosting_status(const AdminApi& api, const AdminRequest& request) {
  const Members settings(request.config()->settings(deployment::kHostingConfig));
  if (!settings["enabled"].as_bool().value_or(false)) return "";
  const auto running = api.running(request);
  return running && (*running)->hosting.is_enabled ? "setup_ok" : "change_in_progress";
}

std::vector<Route> hosting_routes() {
  Route upload = app_route("PUT", "/hosting/assets/asset", kAssets, &put_asset);
  upload.max_body_bytes = app::kMaxHostedFileBytes + kMultipartBytes;
  return {
      app_route("GET", "/hosting/config", kAssets, &fetch_config),
      app_route("PATCH", "/hosting/config", kAssets, &patch_config),
      app_route("GET", "/hosting/assets", kAssets, &list_assets),
      app_route("POST", "/hosting/assets", kAssets, &move_or_copy),
      app_route("GET", "/hosting/assets/asset", kAssets, &fetch_asset),
      upload,
      app_route("PATCH", "/hosting/assets/asset", kAssets, &patch_asset),
      app_route("DELETE", "/hosting/assets/asset", kAssets, &remove_asset),
      app_route("PUT", "/hosting/cache", kAssets, &reset_cache),
      {"GET", PathPattern("/admin/v3.0/hosted_assets/{app}"), Scope::kPublic, &kAssets,
       &send_content},
  };
}

}  // namespace restitch::api::admin
