#include <algorithm>

#include "api/client/handlers.h"
#include "base/encoding.h"
#include "bson/extended_json.h"
#include "net/http.h"

namespace restitch::api::client {
namespace {

constexpr std::string_view kCallbackPath = "/api/client/v2.0/auth/callback";
constexpr std::size_t kMaxAnswer = 64 * 1024;

std::string parameter(std::string_view query, std::string_view name) {
  for (const auto& [key, value] : net::parse_query(query)) {
    if (key == name) return value;
  }
  return {};
}

// The "device" of the query: JSON in base64. Whatever it holds, nobody is kept from signing in.
auth::Device device_in(std::string encoded) {
  std::replace(encoded.begin(), encoded.end(), ' ', '+');
  const auto text = from_base64(encoded);
  const auto device = text ? bson::parse_json_document(*text)
                           : Result<bson::Document>(Error(ErrorCode::kInvalidArgument, ""));
  if (!device) return {};
  const bson::Document holder = bson::make_document("device", *device);
  return auth::device_from(holder["device"]);
}

std::string cookie_of(const net::HttpRequest& http, std::string_view name) {
  std::string_view cookies = http.header("Cookie");
  while (!cookies.empty()) {
    const std::size_t end = cookies.find(';');
    std::string_view pair = cookies.substr(0, end);
    cookies = end == std::string_view::npos ? std::string_view() : cookies.substr(end + 1);
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
      return std::string(pair.substr(name.size() + 1));
  }
  return {};
}

// Browsers take a cookie from an answer to another site's page, and send it with a form from there,
// only as SameSite=None, which they allow over TLS alone.
std::string set_cookie(const RequestContext& context, const std::string& name,
                       const std::string& value, int seconds) {
  const bool is_secure = context.base_url.starts_with("https://");
  return name + "=" + value + "; Path=" + std::string(kCallbackPath) +
         "; Max-Age=" + std::to_string(seconds) +
         "; HttpOnly; SameSite=" + (is_secure ? "None; Secure" : "Lax");
}

Task<Reply> begin(ClientApi& api, RequestContext& context) {
  const std::string_view query = context.http.query();
  auth::RedirectRequest request;
  request.provider = context.parameters.at(0);
  request.client_state = parameter(query, "state");
  request.return_to = parameter(query, "redirect");
  if (request.return_to.empty()) request.return_to = std::string(context.http.header("Referer"));
  request.device = device_in(parameter(query, "device"));
  request.callback_url = context.base_url + std::string(kCallbackPath);
  if (parameter(query, "link") == "true") {
    request.access_token = std::string(bearer_token(context.http));
    if (request.access_token.empty()) co_return Error(ErrorCode::kUnauthenticated, "unauthorized");
  }
  RESTITCH_CO_TRY(const auth::RedirectAway away,
                  co_await api.auth().begin_redirect(context.app->auth, std::move(request)));
  const bool by_header = parameter(query, "providerRedirectHeader") == "true";
  Reply reply;
  reply.status = by_header ? 200 : 302;
  reply.headers.emplace_back(by_header ? "X-BAAS-Location" : "Location", away.url);
  reply.headers.emplace_back("Set-Cookie",
                             set_cookie(context, away.cookie_name, away.cookie_value, 600));
  co_return reply;
}

Task<Reply> callback(ClientApi& api, RequestContext& context) {
  const std::string_view answer = oauth_answer(context.http);
  auth::RedirectReturn back;
  back.state = parameter(answer, "state");
  back.code = parameter(answer, "code");
  back.error = parameter(answer, "error_description");
  if (back.error.empty()) back.error = parameter(answer, "error");
  const std::string cookie = auth::AuthService::redirect_cookie_name(back.state);
  back.cookie_value = cookie_of(context.http, cookie);
  RESTITCH_CO_TRY(const std::string page,
                  co_await api.auth().finish_redirect(context.app->auth, std::move(back),
                                                      context.client_address));
  Reply reply;
  reply.status = 302;
  reply.headers.emplace_back("Location", page);
  reply.headers.emplace_back("Set-Cookie", set_cookie(context, cookie, "", 0));
  reply.headers.emplace_back("Referrer-Policy", "no-referrer");
  co_return reply;
}

}  // namespace

std::string_view oauth_answer(const net::HttpRequest& http) {
  const std::string_view answer = http.method() == "POST" ? http.body() : http.query();
  return answer.substr(0, kMaxAnswer);
}

std::string oauth_state(const net::HttpRequest& http) {
  return parameter(oauth_answer(http), "state");
}

std::vector<Route> oauth_routes() {
  return {
      {"GET", PathPattern("/app/{app}/auth/providers/{provider}/login"), AppFrom::kPath, &begin},
      {"GET", PathPattern("/auth/callback"), AppFrom::kOauthState, &callback},
      {"POST", PathPattern("/auth/callback"), AppFrom::kOauthState, &callback},
  };
}

}  // namespace restitch::api::client
