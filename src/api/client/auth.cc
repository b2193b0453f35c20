#include <chrono>

#include "api/client/handlers.h"
#include "api/client/request_log.h"
#include "net/http.h"

namespace restitch::api::client {
namespace {

bool wants_link(const net::HttpRequest& request) {
  for (const auto& [name, value] : net::parse_query(request.query())) {
    if (name == "link") return value == "true";
  }
  return false;
}

Reply login_reply(const auth::LoginResult& result) {
  bson::Builder body;
  body.append("access_token", result.access_token).append("refresh_token", result.refresh_token);
  body.append("user_id", result.user_id).append("device_id", result.device_id);
  return Reply::of(std::move(body).finish());
}

// Every sign-in is in the app's logs, a refused one too; but not what is over a limit, or an attack would fill the disk.
void note_login(ClientApi& api, const RequestContext& context, const std::string& provider,
                const bson::Document& device, std::chrono::steady_clock::time_point begun,
                const Result<auth::LoginResult>& result) {
  if (api.logs() == nullptr) return;
  if (!result && result.error().code() == ErrorCode::kTooManyRequests) return;
  bson::Builder fields;
  append_request(fields, context);
  append_device(fields, device);
  fields.open_object("auth_event").append("type", "LOGIN").append("provider", provider);
  fields.append("failed", !result.has_value()).close();
  append_outcome(fields, result ? nullptr : &result.error());
  if (result) fields.append("user_id", result->user_id);
  const std::string_view type = provider == "api-key" ? "API_KEY" : "AUTH";
  api.logs()->add_entry(context.app->id, context.app->group_id, type, std::move(fields).finish(),
                        std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::steady_clock::now() - begun));
}

Task<Reply> login(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(bson::Document credential, json_body(context.http));
  const std::string provider = context.parameters.at(0);
  if (!wants_link(context.http)) {
    const bson::Document device = device_of(credential);
    const auto begun = std::chrono::steady_clock::now();
    const auto result = co_await api.auth().login(context.app->auth, provider,
                                                  std::move(credential), context.client_address);
    note_login(api, context, provider, device, begun, result);
    RESTITCH_CO_CHECK(result);
    co_return login_reply(*result);
  }
  const std::string token(bearer_token(context.http));
  if (token.empty()) co_return Error(ErrorCode::kUnauthenticated, "unauthorized");
  RESTITCH_CO_TRY(
      const auth::LoginResult result,
      co_await api.auth().link(context.app->auth, provider, std::move(credential), token,
                               context.client_address));
  co_return login_reply(result);
}

Result<std::string> text_member(const bson::Document& body, std::string_view name) {
  const bson::ValueView value = body[name];
  if (value.is_missing()) return std::string();
  const auto text = value.as_string();
  if (!text)
    return Error(ErrorCode::kInvalidArgument, "'" + std::string(name) + "' must be a string");
  return std::string(*text);
}

Task<Reply> register_login(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(const bson::Document body, json_body(context.http));
  RESTITCH_CO_TRY(std::string email, text_member(body, "email"));
  RESTITCH_CO_TRY(std::string password, text_member(body, "password"));
  RESTITCH_CO_CHECK(
      co_await api.auth().register_login(context.app->auth, std::move(email), std::move(password),
                                         context.client_address));
  co_return Reply{201, "{}"};
}

Task<Reply> refresh(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(
      const std::string token,
      co_await api.auth().refresh(context.app->auth, std::string(bearer_token(context.http))));
  co_return Reply::of(bson::make_document("access_token", token), 201);
}

Task<Reply> logout(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_CHECK(
      co_await api.auth().logout(context.app->auth, std::string(bearer_token(context.http))));
  co_return Reply::empty();
}

Task<Reply> profile(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(const auth::AuthenticatedUser bearer, co_await bearer_of(api, context));
  const auth::UserRecord& user = bearer.user->record;
  bson::Builder body;
  body.append("user_id", user.id.to_hex())
      .append("domain_id", context.app->auth->realm.domain_id.to_hex());
  body.open_array("identities");
  for (const auth::Identity& identity : user.identities) {
    body.push_object().append("id", identity.id).append("provider_type", identity.provider_type);
    body.append("provider_id", identity.provider_id.to_hex())
        .append("provider_data", identity.data)
        .close();
  }
  body.close();
  body.append("data", bearer.user->data).append("type", user.type);
  co_return Reply::of(std::move(body).finish());
}

Task<Reply> delete_user(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(const auth::AuthenticatedUser bearer, co_await bearer_of(api, context));
  RESTITCH_CO_CHECK(co_await api.auth().delete_user(context.app->auth, bearer.user->record.id));
  co_return Reply::empty();
}

struct TokenPair {
  std::string token, id;
};

Result<TokenPair> token_of(const RequestContext& context) {
  RESTITCH_TRY(const bson::Document body, json_body(context.http));
  TokenPair pair;
  RESTITCH_TRY(pair.token, text_member(body, "token"));
  RESTITCH_TRY(pair.id, text_member(body, "tokenId"));
  return pair;
}

Result<std::string> email_of(const RequestContext& context) {
  RESTITCH_TRY(const bson::Document body, json_body(context.http));
  return text_member(body, "email");
}

Task<Reply> confirm(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(TokenPair pair, token_of(context));
  RESTITCH_CO_CHECK(co_await api.auth().use_confirmation_token(
      context.app->auth, std::move(pair.token), std::move(pair.id)));
  co_return Reply{200, "{}"};
}

Task<Reply> reset(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(TokenPair pair, token_of(context));
  RESTITCH_CO_TRY(const bson::Document body, json_body(context.http));
  RESTITCH_CO_TRY(std::string password, text_member(body, "password"));
  RESTITCH_CO_CHECK(co_await api.auth().use_reset_token(
      context.app->auth, std::move(pair.token), std::move(pair.id), std::move(password)));
  co_return Reply{200, "{}"};
}

Task<Reply> call_reset(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(const bson::Document body, json_body(context.http));
  RESTITCH_CO_TRY(std::string email, text_member(body, "email"));
  RESTITCH_CO_TRY(std::string password, text_member(body, "password"));
  bson::Document arguments;
  if (const auto list = body["arguments"].as_array()) arguments = bson::Document(*list);
  RESTITCH_CO_CHECK(co_await api.auth().call_reset(context.app->auth, std::move(email),
                                                   std::move(password), std::move(arguments),
                                                   context.client_address));
  co_return Reply{200, "{}"};
}

using EmailAction = Task<void> (auth::AuthService::*)(std::shared_ptr<const auth::AppAuth>,
                                                      std::string, std::string);

// An action that takes nothing but the e-mail.
template <EmailAction action>
Task<Reply> for_email(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(std::string email, email_of(context));
  RESTITCH_CO_CHECK(co_await (api.auth().*action)(context.app->auth, std::move(email),
                                                     context.client_address));
  co_return Reply{200, "{}"};
}

}  // namespace

std::vector<Route> auth_routes() {
  const auto userpass = [](std::string_view tail) {
    return PathPattern("/app/{app}/auth/providers/local-userpass/" + std::string(tail));
  };
  return {
      {"POST", PathPattern("/app/{app}/auth/providers/{provider}/login"), AppFrom::kPath, &login},
      {"POST", userpass("register"), AppFrom::kPath, &register_login},
      {"POST", userpass("confirm"), AppFrom::kPath, &confirm},
      {"POST", userpass("confirm/send"), AppFrom::kPath,
       &for_email<&auth::AuthService::send_confirmation>},
      {"POST", userpass("confirm/call"), AppFrom::kPath,
       &for_email<&auth::AuthService::call_confirmation>},
      {"POST", userpass("reset"), AppFrom::kPath, &reset},
      {"POST", userpass("reset/send"), AppFrom::kPath, &for_email<&auth::AuthService::send_reset>},
      {"POST", userpass("reset/call"), AppFrom::kPath, &call_reset},
      {"POST", PathPattern("/auth/session"), AppFrom::kToken, &refresh},
      {"DELETE", PathPattern("/auth/session"), AppFrom::kToken, &logout},
      {"GET", PathPattern("/auth/profile"), AppFrom::kToken, &profile},
      {"DELETE", PathPattern("/auth/delete"), AppFrom::kToken, &delete_user},
  };
}

}  // namespace restitch::api::client
