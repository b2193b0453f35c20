#include <algorithm>
#include <chrono>

#include "auth/auth_service.h"
#include "auth/crypto.h"
#include "base/encoding.h"
#include "base/log.h"

namespace restitch::auth {
namespace {

constexpr std::string_view kKind = "oauth2";
constexpr std::int64_t kFlowSeconds = 600;
constexpr std::size_t kNonceBytes = 24;
constexpr std::size_t kMaxClientState = 256;

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string text_of(bson::View document, std::string_view name) {
  return std::string(document[name].as_string().value_or(""));
}

bool has_page(std::string_view type) {
  return type == "oauth2-google" || type == "oauth2-facebook" || type == "oauth2-apple";
}

Result<const Provider*> provider_of(const AppAuth& app, std::string_view type) {
  const auto found = app.providers.find(type);
  if (found == app.providers.end() || found->second.config.disabled || !has_page(type))
    return Error(ErrorCode::kAuthProviderNotFound, "authentication provider not found");
  return &found->second;
}

Device device_in(const bson::Document& state) {
  Device device = device_from(state["device"]);
  device.id = state["device_id"].as_object_id();
  return device;
}

// Appends name and value under today's prefix and that of the Stitch SDKs.
void append_field(std::string& fragment, std::string_view name, std::string_view value) {
  const std::string encoded = percent_encode(value);
  for (const std::string_view prefix : {"_baas_", "_stitch_"}) {
    if (!fragment.empty()) fragment.push_back('&');
    fragment.append(prefix).append(name).append("=").append(encoded);
  }
}

std::string page_with(const bson::Document& state, const std::string& fragment) {
  std::string url = text_of(state, "return_to");
  url.resize(std::min(url.size(), url.find('#')));
  return url + "#" + fragment;
}

}  // namespace

// Several sign-ins of one browser may be under way at once, each with a cookie of its own.
std::string AuthService::redirect_cookie_name(std::string_view state) {
  return "restitch_oauth2_" + to_hex(sha256(state)).substr(0, 16);
}

Task<RedirectAway> AuthService::begin_redirect(AppPtr app, RedirectRequest request) {
  RESTITCH_CO_TRY(const Provider* provider, provider_of(*app, request.provider));
  const std::vector<std::string>& pages = provider->config.redirect_uris;
  if (std::find(pages.begin(), pages.end(), request.return_to) == pages.end()) {
    co_return Error(ErrorCode::kInvalidArgument,
                    "'" + request.return_to + "' is none of the provider's redirect URIs");
  }
  if (request.client_state.size() > kMaxClientState)
    co_return Error(ErrorCode::kInvalidArgument, "'state' is too long");
  bson::Builder claims;
  claims.append("provider", request.provider).append("return_to", request.return_to);
  claims.append("client_state", request.client_state).append("device", request.device.fields);
  if (request.device.id) claims.append("device_id", *request.device.id);
  claims.append("callback", request.callback_url);
  if (!request.access_token.empty()) {
    RESTITCH_CO_TRY(const AuthenticatedUser bearer,
                    co_await authenticate(app, request.access_token));
    claims.append("link", bearer.user->record.id);
  }
  const std::string nonce = to_hex(random_bytes(kNonceBytes));
  claims.append("nonce_hash", to_hex(sha256(nonce)));
  const bson::Document document = std::move(claims).finish();
  const std::string state =
      sign_claims(app->realm, kKind, document.view(), now_seconds() + kFlowSeconds);
  RedirectAway away;
  away.url = external_.authorization_url(provider->config, request.callback_url, state);
  away.cookie_name = redirect_cookie_name(state);
  away.cookie_value = nonce;
  co_return away;
}

Task<std::string> AuthService::finish_redirect(AppPtr app, RedirectReturn back,
                                               std::string address) {
  const auto state = verify_claims(app->realm, kKind, back.state, now_seconds());
  if (!state) {
    co_return Error(ErrorCode::kBadRequest, "the sign-in has expired or was not begun here")
        .with_detail(state.error().message());
  }
  auto outcome = co_await come_back(app, *state, std::move(back), std::move(address));
  std::string fragment;
  append_field(fragment, "client_app_id", app->client_app_id);
  append_field(fragment, "state", text_of(*state, "client_state"));
  if (!outcome) {
    RESTITCH_LOG(kInfo, kAuth, 3310, "Sign-in on a provider's page failed",
                 {"app", app->client_app_id}, {"provider", text_of(*state, "provider")},
                 {"error", outcome.error().message()}, {"detail", outcome.error().detail()});
    append_field(fragment, "error", outcome.error().message());
    co_return page_with(*state, fragment);
  }
  if (state->view().contains("link")) append_field(fragment, "link", "ok");
  append_field(fragment, "ua",
               outcome->access_token + "$" + outcome->refresh_token + "$" + outcome->user_id + "$" +
                   outcome->device_id);
  co_return page_with(*state, fragment);
}

Task<LoginResult> AuthService::come_back(AppPtr app, bson::Document state, RedirectReturn back,
                                         std::string address) {
  // Only the browser that began may end it: nobody is signed in as somebody else by a link.
  if (!equal_in_constant_time(to_hex(sha256(back.cookie_value)), text_of(state, "nonce_hash")))
    co_return Error(ErrorCode::kBadRequest, "another browser began this sign-in");
  if (!back.error.empty()) co_return Error(ErrorCode::kAuthFailed, back.error);
  if (back.code.empty()) co_return Error(ErrorCode::kMissingParameter, "missing parameter 'code'");
  RESTITCH_CO_TRY(const Provider* provider, provider_of(*app, text_of(state, "provider")));
  const Attempt attempt{app->app_id, "", std::move(address)};
  RESTITCH_CO_CHECK(limits_.begin_sign_in(attempt));
  const bson::Document no_credential;
  const ExternalAttempt external{provider->config, provider->secrets, no_credential,
                                 app->client_app_id};
  RedirectCode code{std::move(back.code), text_of(state, "callback")};
  RESTITCH_CO_TRY(ExternalIdentity person, co_await external_.redeem(external, std::move(code)));
  limits_.sign_in_not_refused(attempt);
  Identity identity{std::move(person.id), provider->config.type, provider->id,
                    std::move(person.data)};
  if (const auto link_to = state["link"].as_object_id()) {
    RESTITCH_CO_TRY(CachedUserPtr user, co_await load_user(app->app_id, *link_to));
    if (!user || user->record.disabled)
      co_return Error(ErrorCode::kInvalidSession, "invalid session");
    co_return co_await link_identity(app, std::move(identity), std::move(user), device_in(state));
  }
  RESTITCH_CO_TRY(SignedIn signed_in, co_await sign_in_as(app, std::move(identity)));
  if (signed_in.user->record.disabled) co_return Error(ErrorCode::kUserDisabled, "unauthorized");
  co_return co_await open_session(app, std::move(signed_in), device_in(state), true);
}

}  // namespace restitch::auth
