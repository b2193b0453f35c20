#include <openssl/evp.h>

#include <algorithm>

#include "api/admin/entities.h"
#include "api/admin/routes.h"
#include "auth/crypto.h"
#include "base/encoding.h"

namespace restitch::api::admin {
namespace {

constexpr Family kPrivate{};
constexpr const char* kFeatures = "features";
constexpr const char* kSettings = "private_settings";

bson::ObjectId app_id(const AdminRequest& request) { return request.app->identity().id; }

Task<AdminReply> version(AdminApi&, AdminRequest&) {
  co_return AdminReply::of(bson::make_document("version", RESTITCH_VERSION));
}

Task<AdminReply> fetch_features(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Value stored,
                  co_await api.apps().store().extra(app_id(request), kFeatures));
  bson::Builder out;
  out.open_array("enabled");
  for (const bson::Value& feature : app::elements_of(stored.view())) out.push(feature);
  out.close();
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> put_features(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const std::string action = text_or_empty(body, "action");
  if (action != "enable" && action != "disable") {
    co_return Error(ErrorCode::kInvalidArgument, "'action' must be enable or disable");
  }
  RESTITCH_CO_TRY(const bson::Value stored,
                  co_await api.apps().store().extra(app_id(request), kFeatures));
  std::vector<bson::Value> features = app::elements_of(stored.view());
  for (const bson::Value& flag : app::elements_of(body["feature_flags"])) {
    std::erase_if(features, [&](const bson::Value& one) {
      return one.view().as_string() == flag.view().as_string();
    });
    if (action == "enable") features.push_back(flag);
  }
  RESTITCH_CO_CHECK(
      co_await api.apps().store().set_extra(app_id(request), kFeatures, app::array_of(features)));
  co_return AdminReply::empty();
}

Task<AdminReply> fetch_settings(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Value stored,
                  co_await api.apps().store().extra(app_id(request), kSettings));
  co_return AdminReply::of(stored.view().as_object().value_or(bson::View()));
}

Task<AdminReply> patch_settings(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_TRY(const bson::Value stored,
                  co_await api.apps().store().extra(app_id(request), kSettings));
  const bson::Document next = deep_merged(stored.view().as_object().value_or(bson::View()), body);
  RESTITCH_CO_CHECK(
      co_await api.apps().store().set_extra(app_id(request), kSettings, bson::Value::of(next)));
  co_return AdminReply::empty();
}

std::string md5_hex(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr);
  return to_hex({reinterpret_cast<const char*>(digest), size});
}

// The value of `name` in a Digest header: name="value" or name=value.
std::string digest_member(std::string_view header, std::string_view name) {
  std::size_t at = 0;
  while ((at = header.find(name, at)) != std::string_view::npos) {
    const bool is_whole = at == 0 || header[at - 1] == ' ' || header[at - 1] == ',';
    std::string_view rest = header.substr(at + name.size());
    at += name.size();
    if (!is_whole || !rest.starts_with('=')) continue;
    rest.remove_prefix(1);
    if (!rest.starts_with('"')) return std::string(rest.substr(0, rest.find_first_of(", ")));
    rest.remove_prefix(1);
    return std::string(rest.substr(0, rest.find('"')));
  }
  return {};
}

// HTTP Digest with the API key pair, as the Atlas-shaped calls use it (RFC 7616, MD5).
bool is_digest_right(AdminApi& api, const net::HttpRequest& request) {
  const std::string_view header = request.header("Authorization");
  if (!header.starts_with("Digest ")) return false;
  const auto member = [&](std::string_view name) { return digest_member(header.substr(7), name); };
  const std::string user = member("username");
  const std::string secret = api.accounts().private_key_of(user);
  if (secret.empty() || member("uri") != request.target()) return false;
  const std::string a1 = md5_hex(user + ":" + member("realm") + ":" + secret);
  const std::string a2 =
      md5_hex(std::string(request.method()) + ":" + std::string(request.target()));
  const std::string qop = member("qop");
  const std::string middle =
      qop.empty() ? member("nonce")
                  : member("nonce") + ":" + member("nc") + ":" + member("cnonce") + ":" + qop;
  return auth::equal_in_constant_time(md5_hex(a1 + ":" + middle + ":" + a2), member("response"));
}

AdminReply challenge() {
  AdminReply reply = AdminReply::of(bson::make_document("detail", "You are not authorized."), 401);
  reply.headers.emplace_back("WWW-Authenticate",
                             "Digest realm=\"MMS Public API\", domain=\"\", nonce=\"" +
                                 to_hex(auth::random_bytes(16)) +
                                 "\", algorithm=MD5, qop=\"auth\", stale=false");
  return reply;
}

bool is_admin(AdminApi& api, const net::HttpRequest& request) {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view header = request.header("Authorization");
  if (header.starts_with(kBearer)) {
    return api.accounts().authenticate(header.substr(kBearer.size())).has_value();
  }
  return is_digest_right(api, request);
}

AdminReply not_this_group(const std::string& group) {
  return AdminReply::of(bson::make_document("detail", "No group with ID \"" + group + "\" exists."),
                        404);
}

Task<AdminReply> groups(AdminApi& api, AdminRequest& request) {
  if (!is_admin(api, request.http)) co_return challenge();
  bson::Builder out;
  out.open_array("results").push_object();
  out.append("id", api.apps().group_id()).append("name", "Restitch").close().close();
  out.open_array("links").close();
  co_return AdminReply::of(std::move(out).finish());
}

std::vector<bson::Document> instances(const std::vector<std::string>& names, const char* state) {
  std::vector<bson::Document> list;
  for (const std::string& name : names) {
    bson::Builder out;
    out.append("id", to_hex(auth::sha256(name).substr(0, 12))).append("name", name);
    out.append(state, state == std::string_view("state") ? "ACTIVE" : "IDLE");
    list.push_back(std::move(out).finish());
  }
  return list;
}

AdminReply results(const std::vector<bson::Document>& list) {
  bson::Builder out;
  out.open_array("results");
  for (const bson::Document& one : list) out.push(one);
  out.close();
  return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> clusters(AdminApi& api, AdminRequest& request) {
  if (!is_admin(api, request.http)) co_return challenge();
  if (request.parameters.at(0) != api.apps().group_id()) {
    co_return not_this_group(request.parameters.at(0));
  }
  std::vector<std::string> names = api.options().clusters;
  if (std::find(names.begin(), names.end(), "Cluster0") == names.end()) {
    names.insert(names.begin(), "Cluster0");  // the embedded one
  }
  co_return results(instances(names, "stateName"));
}

Task<AdminReply> serverless(AdminApi& api, AdminRequest& request) {
  if (!is_admin(api, request.http)) co_return challenge();
  if (request.parameters.at(0) != api.apps().group_id()) {
    co_return not_this_group(request.parameters.at(0));
  }
  co_return results(instances(api.options().serverless, "stateName"));
}

Task<AdminReply> data_lakes(AdminApi& api, AdminRequest& request) {
  if (!is_admin(api, request.http)) co_return challenge();
  if (request.parameters.at(0) != api.apps().group_id()) {
    co_return not_this_group(request.parameters.at(0));
  }
  co_return AdminReply::of_list(instances(api.options().federated, "state"));
}

Route private_route(std::string_view method, const std::string& path, AdminHandler handler) {
  return {method, PathPattern("/private/v1.0/groups/{group}/apps/{app}" + path), Scope::kApp,
          &kPrivate, handler};
}

Route open_route(std::string_view path, AdminHandler handler) {
  return {"GET", PathPattern(path), Scope::kPublic, &kPrivate, handler};
}

}  // namespace

std::vector<Route> private_routes() {
  return {
      open_route("/private/v1.0/version", &version),
      private_route("GET", "/features", &fetch_features),
      private_route("POST", "/features", &put_features),
      private_route("GET", "/settings", &fetch_settings),
      private_route("PATCH", "/settings", &patch_settings),
      open_route("/public/v1.0/groups", &groups),
      open_route("/atlas/v1.0/groups/{group}/clusters", &clusters),
      open_route("/atlas/v1.0/groups/{group}/serverless", &serverless),
      open_route("/atlas/v1.0/groups/{group}/dataLakes", &data_lakes),
  };
}

}  // namespace restitch::api::admin
