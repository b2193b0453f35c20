#include <algorithm>
#include <array>

#include "api/admin/entities.h"
#include "api/admin/openapi.h"
#include "api/admin/routes.h"
#include "app/names.h"

namespace restitch::api::admin {
namespace {

constexpr Family kApps{"app", "AppNotFound", ""};
constexpr std::array<std::string_view, 6> kEnvironments = {"",        "none", "development",
                                                           "testing", "qa",   "production"};
constexpr std::array<std::string_view, 4> kProducts = {"standard", "atlas", "data-api",
                                                       "device-sync"};

struct Place {
  std::string_view location, region;
};
constexpr std::array kPlaces = {
    Place{"US-VA", "aws-us-east-1"},    Place{"US-OR", "aws-us-west-2"},
    Place{"DE-FF", "aws-eu-central-1"}, Place{"IE", "aws-eu-west-1"},
    Place{"AU", "aws-ap-southeast-2"},  Place{"IN-MB", "aws-ap-south-1"},
    Place{"SG", "aws-ap-southeast-1"},  Place{"BR-SP", "aws-sa-east-1"},
};

struct Region {
  std::string_view id, name, country;
};
constexpr std::array kRegions = {
    Region{"aws-us-east-1", "Virginia", "US"},
    Region{"aws-us-west-2", "Oregon", "US"},
    Region{"aws-us-east-2", "Ohio", "US"},
    Region{"aws-eu-central-1", "Frankfurt", "DE"},
    Region{"aws-eu-west-1", "Ireland", "IE"},
    Region{"aws-eu-west-2", "London", "GB"},
    Region{"aws-ap-southeast-1", "Singapore", "SG"},
    Region{"aws-ap-southeast-2", "Sydney", "AU"},
    Region{"aws-ap-south-1", "Mumbai", "IN"},
    Region{"aws-sa-east-1", "Sao Paulo", "BR"},
    Region{"azure-eastus2", "Virginia", "US"},
    Region{"azure-westus", "California", "US"},
    Region{"azure-westeurope", "Netherlands", "NL"},
    Region{"azure-eastasia", "Hong Kong", "HK"},
    Region{"azure-southeastasia", "Singapore", "SG"},
    Region{"gcp-us-central1", "Iowa", "US"},
    Region{"gcp-us-east4", "Virginia", "US"},
    Region{"gcp-us-west1", "Oregon", "US"},
    Region{"gcp-europe-west1", "Belgium", "BE"},
    Region{"gcp-asia-south1", "Mumbai", "IN"},
};

Error unknown(std::string_view member, const std::string& value) {
  return Error(ErrorCode::kInvalidArgument, "unknown " + std::string(member) + ": '" + value + "'");
}

std::string environment_of(const StoredConfig& config) {
  return Members(config.settings(deployment::kAppSettings)).text("environment");
}

bson::Document view(const deployment::ManagedApp& app, const StoredConfig& config,
                    const std::string& group) {
  const deployment::AppIdentity& identity = app.identity();
  bson::Builder out;
  out.append("_id", identity.id.to_hex()).append("client_app_id", identity.client_app_id);
  out.append("name", identity.name).append("location", identity.location);
  out.append("provider_region", identity.provider_region);
  out.append("deployment_model", identity.deployment_model);
  out.append("domain_id", identity.domain_id.to_hex()).append("group_id", group);
  out.append("last_used", app.modified()).append("last_modified", app.modified());
  out.append("product", identity.product).append("environment", environment_of(config));
  if (!identity.template_id.empty()) out.append("template_id", identity.template_id);
  return std::move(out).finish();
}

Task<AdminReply> list(AdminApi& api, AdminRequest& request) {
  const std::string product = request.query_value("product").value_or("standard");
  std::vector<bson::Document> found;
  for (const auto& app : api.apps().apps()) {
    if (app->identity().product != product) continue;
    const auto config = app->config_for(request.actor.administrator);
    found.push_back(view(*app, *config, api.apps().group_id()));
  }
  co_return AdminReply::of_list(found);
}

template <typename Range>
bool is_among(const Range& range, std::string_view word) {
  return std::find(range.begin(), range.end(), word) != range.end();
}

Status read_place(bson::View body, deployment::NewApp& app) {
  const std::string location = text_or_empty(body, "location");
  const std::string region = text_or_empty(body, "provider_region");
  const auto place = std::find_if(kPlaces.begin(), kPlaces.end(),
                                  [&](const Place& one) { return one.location == location; });
  if (!location.empty() && place == kPlaces.end()) return unknown("location", location);
  if (!location.empty()) {
    app.location = location;
    app.provider_region = std::string(place->region);
  }
  if (region.empty()) return {};
  const bool is_known = std::any_of(kRegions.begin(), kRegions.end(),
                                    [&](const Region& one) { return one.id == region; });
  if (!is_known) return unknown("provider_region", region);
  app.provider_region = region;
  return {};
}

constexpr std::size_t kMaxAppIdLength = 64;

Result<deployment::NewApp> read_new_app(const AdminRequest& request, bson::View body) {
  deployment::NewApp app;
  RESTITCH_TRY(app.name, required_text(body, "name"));
  if (app.name.size() > app::kMaxAppNameLength || !app::has_name_characters(app.name)) {
    return Error(ErrorCode::kInvalidArgument,
                 "an app's name has 1 to 32 ASCII letters, digits, underscores and hyphens");
  }
  // An app that moves here keeps the id that its clients were built with.
  app.client_app_id = text_or_empty(body, "client_app_id");
  if (!app.client_app_id.empty() && (app.client_app_id.size() > kMaxAppIdLength ||
                                     !app::has_name_characters(app.client_app_id))) {
    return Error(ErrorCode::kInvalidArgument,
                 "a client app id has 1 to 64 ASCII letters, digits, underscores and hyphens");
  }
  RESTITCH_CHECK(read_place(body, app));
  const std::string model = text_or_empty(body, "deployment_model");
  if (!model.empty() && model != "GLOBAL" && model != "LOCAL") {
    return unknown("deployment_model", model);
  }
  if (!model.empty()) app.deployment_model = model;
  const std::string environment = text_or_empty(body, "environment");
  if (!is_among(kEnvironments, environment)) return unknown("environment", environment);
  app.product = request.query_value("product").value_or("standard");
  if (!is_among(kProducts, app.product)) return unknown("product", app.product);
  app.template_id = text_or_empty(body, "template_id");
  return app;
}

Status set_environment(StoredConfig& config, std::string environment) {
  if (environment == "none") environment.clear();
  Members settings(config.settings(deployment::kAppSettings));
  settings.set("environment", bson::Value::of(environment));
  if (environment.empty()) settings.remove("environment");
  config.set_settings(deployment::kAppSettings, settings.value());
  return {};
}

Task<AdminReply> create(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_TRY(deployment::NewApp wanted, read_new_app(request, body));
  const std::string environment = text_or_empty(body, "environment");
  const auto source = body["data_source"].as_object();
  const deployment::ConfigEdit initial = [&](StoredConfig& config) -> Status {
    if (!environment.empty()) RESTITCH_CHECK(set_environment(config, environment));
    if (source) RESTITCH_CHECK(config.add(EntityKind::kService, *source));
    return {};
  };
  RESTITCH_CO_TRY(request.app,
                  co_await api.apps().create(std::move(wanted), initial, request.findings));
  const auto config = request.config();
  co_return AdminReply::of(view(*request.app, *config, api.apps().group_id()), 201);
}

Task<AdminReply> fetch(AdminApi& api, AdminRequest& request) {
  const auto config = request.config();
  co_return AdminReply::of(view(*request.app, *config, api.apps().group_id()));
}

Task<AdminReply> remove(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(co_await api.triggers().remove_app(request.app->identity().id));
  RESTITCH_CO_CHECK(co_await api.apps().remove(request.app));
  co_return AdminReply::empty();
}

Task<AdminReply> put_environment(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const std::string environment = text_or_empty(body, "environment");
  if (!is_among(kEnvironments, environment)) co_return unknown("environment", environment);
  const deployment::ConfigEdit change = [&](StoredConfig& config) {
    return set_environment(config, environment);
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return co_await fetch(api, request);
}

Task<AdminReply> list_regions(AdminApi&, AdminRequest&) {
  std::vector<bson::Document> regions;
  for (const Region& region : kRegions) {
    const std::string_view provider = region.id.substr(0, region.id.find('-'));
    bson::Builder out;
    out.append("id", region.id).append("name", region.name).append("cloud_provider", provider);
    out.append("country", region.country).open_array("deployment_models");
    out.push("GLOBAL").push("LOCAL").close();
    regions.push_back(std::move(out).finish());
  }
  co_return AdminReply::of_list(regions);
}

Task<AdminReply> get_migration(AdminApi&, AdminRequest& request) {
  const deployment::AppIdentity& identity = request.app->identity();
  bson::Builder out;
  out.append("status", "").append("message", "").append("updated_at", request.app->modified());
  for (const char* side : {"from", "to"}) {
    out.open_object(side).append("deployment_model", identity.deployment_model);
    out.append("provider_region", identity.provider_region).close();
  }
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> put_migration(AdminApi&, AdminRequest&) {
  co_return Error(ErrorCode::kBadRequest, "the app runs where its server runs and stays there");
}

Task<AdminReply> describe_api(AdminApi& api, AdminRequest& request) {
  co_return AdminReply::of(openapi_document(api.routes(), request.base_url));
}

Task<AdminReply> empty_list(AdminApi&, AdminRequest&) { co_return AdminReply::of_list({}); }
Task<AdminReply> no_client(AdminApi&, AdminRequest&) { co_return AdminReply::empty(); }

// The lists of an app's description.
class Description {
 public:
  Description(const AdminRequest& request, const StoredConfig& config)
      : request_(request), config_(config) {}

  Members make(AdminApi& api) {
    const deployment::AppIdentity& identity = request_.app->identity();
    const std::string app =
        request_.base_url + "/groups/" + api.apps().group_id() + "/apps/" + identity.id.to_hex();
    for (const Entity& entity : config_.entities) add(entity);
    Members out;
    out.set("client_app_id", bson::Value::of(identity.client_app_id));
    out.set("name", bson::Value::of(identity.name));
    out.set("realm_url", bson::Value::of(app + "/dashboard"));
    out.set("data_sources", app::array_of(sources_));
    out.set("http_endpoints", app::array_of(endpoints_));
    out.set("services", app::array_of(services_));
    out.set("auth_providers", app::array_of(providers_));
    out.set("custom_user_data", custom_user_data());
    out.set("values", app::array_of(values_));
    out.set("hosting", hosting(api));
    out.set("functions", app::array_of(functions_));
    out.set("sync", sync());
    Members graphql;
    graphql.set("url", bson::Value::of(request_.base_url + "/api/client/v2.0/app/" +
                                       identity.client_app_id + "/graphql"));
    graphql.set("custom_resolvers", app::array_of(resolvers_));
    out.set("graphql", graphql.value());
    out.set("environment", bson::Value::of(environment_of(config_)));
    out.set("event_subscription", app::array_of(triggers_));
    out.set("log_forwarders", app::array_of(forwarders_));
    return out;
  }

 private:
  static void put(Members& out, std::string_view name, const std::string& text) {
    out.set(name, bson::Value::of(text));
  }

  void add(const Entity& entity) {
    const Members body(entity.body);
    const bool is_enabled = !body["disabled"].as_bool().value_or(false);
    Members out;
    put(out, "name", entity.name);
    switch (entity.kind) {
      case EntityKind::kService:
        return add_service(entity, body);
      case EntityKind::kEndpoint: {
        Members endpoint;
        put(endpoint, "route", body.text("route"));
        put(endpoint, "http_method", body.text("http_method"));
        put(endpoint, "url",
            request_.base_url + "/app/" + request_.app->identity().client_app_id + "/endpoint" +
                body.text("route"));
        return endpoints_.push_back(endpoint.value());
      }
      case EntityKind::kAuthProvider:
      case EntityKind::kTrigger:
        put(out, "type", body.text("type"));
        out.set("enabled", bson::Value::of(is_enabled));
        return (entity.kind == EntityKind::kTrigger ? triggers_ : providers_)
            .push_back(out.value());
      case EntityKind::kFunction:
        put(out, "path", entity.path);
        return functions_.push_back(out.value());
      case EntityKind::kValue:
        return values_.push_back(bson::Value::of(entity.name));
      case EntityKind::kResolver:
        return resolvers_.push_back(bson::Value::of(entity.name));
      case EntityKind::kLogForwarder:
        out.set("enabled", bson::Value::of(is_enabled));
        return forwarders_.push_back(out.value());
      default:
        return;
    }
  }

  void add_service(const Entity& entity, const Members& body) {
    const std::string type = body.text("type");
    Members out;
    put(out, "name", entity.name);
    if (type == "mongodb" || type == "mongodb-atlas" || type == "datalake") {
      const Members config(body["config"]);
      put(out, "type", type);
      put(out, "data_source", config.text(type == "datalake" ? "dataLakeName" : "clusterName"));
      return sources_.push_back(out.value());
    }
    std::vector<bson::Value> hooks;
    for (const Entity& hook : config_.entities) {
      if (hook.kind != EntityKind::kWebhook || hook.service != entity.id) continue;
      Members one;
      put(one, "name", hook.name);
      put(one, "url",
          request_.base_url + "/api/client/v2.0/app/" + request_.app->identity().client_app_id +
              "/service/" + entity.name + "/incoming_webhook/" + hook.name);
      hooks.push_back(one.value());
    }
    if (type != "http") put(out, "type", type);
    out.set("webhooks", app::array_of(hooks));
    (type == "http" ? endpoints_ : services_).push_back(out.value());
  }

  bson::Value custom_user_data() const {
    const Members settings(config_.settings(deployment::kCustomUserData));
    Members out;
    out.set("enabled", bson::Value::of(settings["enabled"].as_bool().value_or(false)));
    put(out, "data_source", settings.text("mongo_service_name"));
    put(out, "database", settings.text("database_name"));
    put(out, "collection", settings.text("collection_name"));
    put(out, "user_id_field", settings.text("user_id_field"));
    return out.value();
  }

  bson::Value hosting(const AdminApi& api) const {
    const Members settings(config_.settings(deployment::kHostingConfig));
    const bool is_enabled = settings["enabled"].as_bool().value_or(false);
    Members out;
    out.set("enabled", bson::Value::of(is_enabled));
    put(out, "status", hosting_status(api, request_));
    put(out, "url", is_enabled ? site_url_of(api, request_) : "");
    return out.value();
  }

  bson::Value sync() const {
    const Members settings(config_.settings(deployment::kSyncConfig));
    Members out;
    put(out, "state", settings.text("state"));
    put(out, "data_source", settings.text("service_name"));
    put(out, "database", settings.text("database_name"));
    out.set("development_mode_enabled",
            bson::Value::of(settings["development_mode_enabled"].as_bool().value_or(false)));
    return out.value();
  }

  const AdminRequest& request_;
  const StoredConfig& config_;
  std::vector<bson::Value> sources_, services_, endpoints_, providers_, values_, functions_,
      resolvers_, triggers_, forwarders_;
};

Task<AdminReply> describe(AdminApi& api, AdminRequest& request) {
  const auto config = request.config();
  const Members description = Description(request, *config).make(api);
  co_return AdminReply::of(description.document());
}

}  // namespace

std::vector<Route> app_routes() {
  const auto in_group = [](std::string_view method, std::string_view path, AdminHandler handler) {
    return Route{method, PathPattern(path), Scope::kGroup, &kApps, handler};
  };
  return {
      in_group("GET", "/admin/v3.0/groups/{group}/apps", &list),
      in_group("POST", "/admin/v3.0/groups/{group}/apps", &create),
      app_route("GET", "", kApps, &fetch),
      app_route("DELETE", "", kApps, &remove),
      app_route("GET", "/description", kApps, &describe),
      app_route("PUT", "/environment", kApps, &put_environment),
      app_route("GET", "/deployment_migration", kApps, &get_migration),
      app_route("PUT", "/deployment_migration", kApps, &put_migration),
      app_route("GET", "/templates", kApps, &empty_list),
      app_route("GET", "/templates/{template}/client", kApps, &no_client),
      {"GET", PathPattern("/admin/v3.0/provider_regions"), Scope::kPublic, &kApps, &list_regions},
      {"GET", PathPattern("/admin/v3.0/openapi.json"), Scope::kPublic, &kApps, &describe_api},
      {"GET", PathPattern("/admin/v3.0/templates"), Scope::kAdmin, &kApps, &empty_list},
  };
}

}  // namespace restitch::api::admin
