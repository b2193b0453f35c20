#include "api/endpoints/caller.h"

#include <algorithm>
#include <optional>

#include "bson/extended_json.h"
#include "deployment/users.h"

namespace restitch::api::endpoints {
namespace {

struct Credentials {
  std::string email, password, api_key, jwt;

  bool has_any() const {
    return !email.empty() || !password.empty() || !api_key.empty() || !jwt.empty();
  }
};

// What AuthService::identify takes.
struct Credential {
  std::string provider;
  bson::Document document;
};

Credentials header_credentials(const net::HttpRequest& request) {
  Credentials found;
  found.email = std::string(request.header("email"));
  found.password = std::string(request.header("password"));
  found.api_key = std::string(request.header("apiKey"));
  if (found.api_key.empty()) found.api_key = std::string(request.header("api-key"));
  found.jwt = std::string(request.header("jwtTokenString"));
  return found;
}

Credentials body_credentials(const net::HttpRequest& request) {
  Credentials found;
  const auto body = bson::parse_json(request.body());
  const auto object = body ? body->view().as_object() : std::nullopt;
  if (!object) return found;
  const auto text = [&object](std::string_view name) {
    return std::string((*object)[name].as_string().value_or(""));
  };
  found.email = text("email");
  found.password = text("password");
  found.api_key = text("apiKey");
  if (found.api_key.empty()) found.api_key = text("api-key");
  found.jwt = text("jwtTokenString");
  // An endpoint's body may hold an e-mail address or a password of its own meaning.
  if (found.email.empty() || found.password.empty()) found.email = found.password = {};
  return found;
}

Result<Credential> credential_of(const net::HttpRequest& request) {
  Credentials found = header_credentials(request);
  const Credentials in_body = body_credentials(request);
  if (found.has_any() && in_body.has_any()) {
    return Error(ErrorCode::kInvalidArgument,
                 "authentication must be in the request header or in the body, not in both");
  }
  if (!found.has_any()) found = in_body;
  if (!found.has_any()) {
    return Error(ErrorCode::kInvalidArgument, "no authentication methods were specified");
  }
  if (!found.email.empty() && !found.password.empty()) {
    bson::Builder document;
    document.append("username", found.email).append("password", found.password);
    return Credential{"local-userpass", std::move(document).finish()};
  }
  if (!found.api_key.empty()) {
    return Credential{"api-key", bson::make_document("key", found.api_key)};
  }
  if (!found.jwt.empty()) {
    return Credential{"custom-token", bson::make_document("token", found.jwt)};
  }
  return Error(ErrorCode::kMissingParameter,
               "must specify some form of authentication (either email+password, api-key, or jwt) "
               "in the request header or body");
}

// The token behind the Bearer scheme, whose name may be written in any case.
std::optional<std::string> bearer_of(const net::HttpRequest& request) {
  constexpr std::string_view kScheme = "bearer";
  const std::string_view header = request.header("Authorization");
  if (header.size() < kScheme.size()) return std::nullopt;
  if (header.size() > kScheme.size() && header[kScheme.size()] != ' ') return std::nullopt;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char c = header[i];
    const char folded = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (folded != kScheme[i]) return std::nullopt;
  }
  return std::string(header.substr(std::min(header.size(), kScheme.size() + 1)));
}

Task<auth::CachedUserPtr> calling_user(auth::AuthService& auth, const deployment::DeployedApp& app,
                                       const deployment::Endpoint& endpoint,
                                       const net::HttpRequest& request,
                                  std::string client_address) {
  if (const auto token = bearer_of(request)) {
    auto bearer = co_await auth.authenticate(app.auth, *token);
    if (bearer) co_return bearer->user;
    const ErrorCode code = bearer.error().code();
    if (code == ErrorCode::kSourceUnavailable || code == ErrorCode::kClosing) {
      co_return std::move(bearer).error();
    }
    co_return Error(ErrorCode::kInvalidSession, "invalid session")
        .with_detail(bearer.error().message());
  }
  RESTITCH_CO_TRY(Credential credential, credential_of(request));
  co_return co_await auth.identify(app.auth, std::move(credential.provider),
                                   std::move(credential.document), endpoint.create_user_on_auth,
                                   std::move(client_address));
}

}  // namespace

Task<rules::User> identify_caller(auth::AuthService& auth, const deployment::DeployedApp& app,
                                  const deployment::Endpoint& endpoint,
                                  const net::HttpRequest& request,
                                  std::string client_address) {
  if (!endpoint.needs_user) {
    rules::User system;
    system.type = "system";
    co_return system;
  }
  RESTITCH_CO_TRY(const auth::CachedUserPtr user,
                  co_await calling_user(auth, app, endpoint, request, std::move(client_address)));
  bson::Document custom_data;
  if (endpoint.fetch_custom_user_data && app.auth->custom_data) {
    RESTITCH_CO_TRY(auto found, co_await app.auth->custom_data(user->record.id.to_hex()));
    if (found) custom_data = std::move(*found);
  }
  co_return deployment::to_rules_user(*user, std::move(custom_data));
}

}  // namespace restitch::api::endpoints
