#include <algorithm>

#include "api/admin/entities.h"
#include "api/admin/routes.h"
#include "bson/extended_json.h"
#include "net/address_set.h"

namespace restitch::api::admin {
namespace {

constexpr Family kSecurity{};
constexpr const char* kTokenSeconds = "refresh_token_seconds";
constexpr std::int64_t kMinTokenSeconds = 1800;
constexpr std::int64_t kMaxTokenSeconds = 157680000;
constexpr std::int64_t kTokenSecondsDefault = 5184000;

bson::ObjectId app_id(const AdminRequest& request) { return request.app->identity().id; }

Task<AdminReply> fetch_origins(AdminApi&, AdminRequest& request) {
  const Members settings(request.config()->settings(deployment::kAppSettings));
  const bson::Value origins = settings["allowed_request_origins"].as_array()
                                  ? bson::Value(settings["allowed_request_origins"])
                                  : bson::Value::array(bson::Document());
  co_return AdminReply{200, bson::to_json(origins.view(), bson::JsonMode::kRelaxed)};
}

Task<AdminReply> put_origins(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Value body, json_body(request.http));
  const bson::Value origins =
      body.view().is_nullish() ? bson::Value::array(bson::Document()) : body;
  if (!origins.view().as_array()) {
    co_return Error(ErrorCode::kBadRequest, "the request body must be an array of origins");
  }
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    Members settings(config.settings(deployment::kAppSettings));
    settings.set("allowed_request_origins", origins);
    settings.remove_if_empty("allowed_request_origins");
    config.set_settings(deployment::kAppSettings, settings.value());
    return {};
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

using Entries = std::vector<deployment::AllowedAddress>;

Task<Entries> entries(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const deployment::AppIdentity app,
                  co_await api.apps().store().find(app_id(request)));
  co_return app.access_list;
}

bson::Document shown(const deployment::AllowedAddress& entry, const std::string& current) {
  net::AddressSet set;
  const bool includes = entry.address == deployment::kAnyAddress ||
                        (set.add(entry.address).has_value() && set.contains(current));
  bson::Builder out;
  out.append("_id", entry.id.to_hex()).append("address", entry.address);
  out.append("comment", entry.comment).append("includes_current", includes);
  return std::move(out).finish();
}

Error unknown_address(const std::string& id) {
  return Error(ErrorCode::kNotFound, "allowed IP not found: 'ObjectID(\"" + id + "\")'");
}

Task<AdminReply> fetch_list(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const Entries list, co_await entries(api, request));
  const std::string& current = request.client_address;
  bson::Builder out;
  out.open_array("allowed_ips");
  for (const deployment::AllowedAddress& entry : list) out.push(shown(entry, current));
  out.close().append("current_ip", current);
  co_return AdminReply::of(std::move(out).finish());
}

// The command line's --allow-all sends the address without a length.
Result<std::string> address_of(const AdminRequest& request, bson::View body) {
  if (body.find("use_current").as_bool().value_or(false)) return request.client_address;
  RESTITCH_TRY(std::string address, required_text(body, "address"));
  if (address == "0.0.0.0") address = std::string(deployment::kAnyAddress);
  net::AddressSet set;
  if (!set.add(address)) {
    return Error(ErrorCode::kInvalidArgument,
                 "'" + address + "' is no IP address and no network in CIDR notation");
  }
  return address;
}

Task<AdminReply> create_entry(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  deployment::AllowedAddress entry;
  entry.id = bson::ObjectId::generate();
  RESTITCH_CO_TRY(entry.address, address_of(request, body));
  entry.comment = text_or_empty(body, "comment");
  const deployment::AccessListEdit add = [&entry](Entries& list) -> Status {
    list.push_back(entry);
    return {};
  };
  RESTITCH_CO_CHECK(co_await api.apps().edit_access_list(request.app, add));
  co_return AdminReply::of(shown(entry, request.client_address), 201);
}

Status change_entry(const AdminRequest& request, bson::View body,
                    deployment::AllowedAddress& entry) {
  if (body.contains("address") || body.contains("use_current")) {
    RESTITCH_TRY(entry.address, address_of(request, body));
  }
  if (const auto comment = body["comment"].as_string()) entry.comment = std::string(*comment);
  return {};
}

Task<AdminReply> patch_entry(AdminApi& api, AdminRequest& request) {
  const std::string id = request.parameters.at(0);
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  deployment::AllowedAddress changed;
  const deployment::AccessListEdit change = [&](Entries& list) -> Status {
    for (deployment::AllowedAddress& entry : list) {
      if (entry.id.to_hex() != id) continue;
      RESTITCH_CHECK(change_entry(request, body, entry));
      changed = entry;
      return {};
    }
    return unknown_address(id);
  };
  RESTITCH_CO_CHECK(co_await api.apps().edit_access_list(request.app, change));
  co_return AdminReply::of(shown(changed, request.client_address));
}

Task<AdminReply> remove_entry(AdminApi& api, AdminRequest& request) {
  const std::string id = request.parameters.at(0);
  const deployment::AccessListEdit remove = [&id](Entries& list) -> Status {
    const auto removed =
        std::erase_if(list, [&](const auto& entry) { return entry.id.to_hex() == id; });
    return removed > 0 ? Status() : Status(unknown_address(id));
  };
  RESTITCH_CO_CHECK(co_await api.apps().edit_access_list(request.app, remove));
  co_return AdminReply::empty();
}

Task<AdminReply> fetch_expiration(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Value stored,
                  co_await api.apps().store().extra(app_id(request), kTokenSeconds));
  const std::int64_t seconds = stored.view().as_integer().value_or(kTokenSecondsDefault);
  co_return AdminReply::of(bson::make_document("expiration_time_seconds", seconds));
}

Task<AdminReply> put_expiration(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const auto seconds = body["expiration_time_seconds"].as_integer();
  if (!seconds || *seconds < kMinTokenSeconds || *seconds > kMaxTokenSeconds) {
    co_return Error(ErrorCode::kInvalidArgument,
                    "'expiration_time_seconds' must be between 1800 and 157680000");
  }
  RESTITCH_CO_CHECK(co_await api.apps().store().set_extra(app_id(request), kTokenSeconds,
                                                          bson::Value::of(*seconds)));
  RESTITCH_CO_CHECK(co_await api.apps().rebuild(request.app));
  co_return AdminReply::empty();
}

Task<AdminReply> empty_list(AdminApi&, AdminRequest&) { co_return AdminReply::of_list({}); }

Task<AdminReply> not_supported(AdminApi&, AdminRequest&) {
  co_return Error(ErrorCode::kBadRequest, "not supported");
}

}  // namespace

std::vector<Route> security_routes() {
  return {
      app_route("GET", "/security/allowed_request_origins", kSecurity, &fetch_origins),
      app_route("POST", "/security/allowed_request_origins", kSecurity, &put_origins),
      app_route("GET", "/security/access_list", kSecurity, &fetch_list),
      app_route("POST", "/security/access_list", kSecurity, &create_entry),
      app_route("PATCH", "/security/access_list/{id}", kSecurity, &patch_entry),
      app_route("DELETE", "/security/access_list/{id}", kSecurity, &remove_entry),
      app_route("GET", "/security/refresh_token_expiration", kSecurity, &fetch_expiration),
      app_route("PUT", "/security/refresh_token_expiration", kSecurity, &put_expiration),
      app_route("GET", "/security/private_endpoints", kSecurity, &empty_list),
      app_route("POST", "/security/private_endpoints", kSecurity, &not_supported),
      app_route("GET", "/security/private_endpoint_service_infos", kSecurity, &empty_list),
      app_route("GET", "/push/notifications", kSecurity, &empty_list),
  };
}

}  // namespace restitch::api::admin
