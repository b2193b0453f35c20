#include "auth/external_login.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "auth/credential.h"
#include "auth/metadata.h"
#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::auth {
namespace {

using bson::Document;
using bson::View;

constexpr std::array<std::string_view, 4> kTypes{"custom-token", "oauth2-google", "oauth2-facebook",
                                                 "oauth2-apple"};

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Error unauthorized(std::string detail) {
  return Error(ErrorCode::kInvalidSession, "unauthorized").with_detail(std::move(detail));
}

// A text or the texts of an array.
std::vector<std::string> texts_of(bson::ValueView value) {
  std::vector<std::string> texts;
  if (const auto text = value.as_string(); text && !text->empty()) texts.emplace_back(*text);
  if (const auto list = value.as_array()) {
    for (const bson::Element& element : *list) {
      if (const auto text = element.value.as_string()) texts.emplace_back(*text);
    }
  }
  return texts;
}

std::string text_of(View document, std::string_view name) {
  return std::string(document[name].as_string().value_or(""));
}

// A query or form from names and values.
std::string form_of(std::initializer_list<std::pair<std::string_view, std::string>> members) {
  std::string form;
  for (const auto& [name, value] : members) {
    if (!form.empty()) form.push_back('&');
    form.append(name).append("=").append(percent_encode(value));
  }
  return form;
}

// The keys that the configuration holds itself.
std::vector<VerificationKey> configured_keys(const ExternalAttempt& attempt,
                                             std::string_view algorithm) {
  std::vector<std::string> texts = texts_of(attempt.secrets["signingKeys"]);
  if (const auto inlined = attempt.provider.config["signingKey"].as_string())
    texts.emplace_back(*inlined);
  std::vector<VerificationKey> keys;
  for (std::string& text : texts) {
    if (algorithm.starts_with("HS")) {
      keys.push_back(VerificationKey::from_secret(std::move(text)));
    } else if (auto key = VerificationKey::from_pem(text)) {
      keys.push_back(std::move(*key));
    }
  }
  return keys;
}

// Identity metadata under the names that the platform documents.
Document google_claims(View info) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kNames{
      {{"name", "name"},
       {"given_name", "first_name"},
       {"family_name", "last_name"},
       {"picture", "picture"},
       {"email", "email"}}};
  bson::Builder claims;
  for (const auto& [theirs, ours] : kNames) claims.append(ours, info[theirs]);
  return std::move(claims).finish();
}

Document facebook_claims(View info) {
  bson::Builder claims;
  for (const std::string_view name :
       {"name", "first_name", "last_name", "gender", "birthday", "email"}) {
    claims.append(name, info[name]);
  }
  claims.append("picture", info.find_path("picture.data.url"));
  claims.append("min_age", info.find_path("age_range.min"));
  claims.append("max_age", info.find_path("age_range.max"));
  return std::move(claims).finish();
}

// The fields to ask Facebook for.
std::string facebook_fields(const std::vector<Document>& metadata_fields) {
  std::string fields = "id";
  bool has_age = false;
  for (const Document& field : metadata_fields) {
    const std::string name = text_of(field, "name");
    if (name == "min_age" || name == "max_age") {
      if (!has_age) fields.append(",age_range");
      has_age = true;
    } else {
      fields.append("," + name);
    }
  }
  return fields;
}

bool has_field(const std::vector<Document>& metadata_fields, std::string_view name) {
  return std::any_of(metadata_fields.begin(), metadata_fields.end(),
                     [&](const Document& field) { return field["name"].as_string() == name; });
}

std::string google_scope(const std::vector<Document>& metadata_fields) {
  std::string scope = "openid";
  if (has_field(metadata_fields, "email")) scope.append(" email");
  const bool has_other = std::any_of(
      metadata_fields.begin(), metadata_fields.end(),
      [](const Document& field) { return field["name"].as_string() != "email"; });
  if (has_other) scope.append(" profile");
  return scope;
}

std::string facebook_scope(const std::vector<Document>& metadata_fields) {
  std::string scope = "public_profile";
  if (has_field(metadata_fields, "email")) scope.append(",email");
  if (has_field(metadata_fields, "gender")) scope.append(",user_gender");
  if (has_field(metadata_fields, "birthday")) scope.append(",user_birthday");
  return scope;
}

Result<ExternalIdentity> identity_from(const ExternalAttempt& attempt, std::string id,
                                       View claims) {
  if (id.empty()) return unauthorized("the provider names no person");
  ExternalIdentity identity;
  identity.id = std::move(id);
  RESTITCH_TRY(identity.data, map_metadata(attempt.provider.metadata_fields, claims));
  const std::vector<std::string>& domains = attempt.provider.domain_restrictions;
  if (domains.empty()) return identity;
  const std::string email = text_of(claims, "email");
  const std::string domain = email.substr(std::min(email.size(), email.rfind('@') + 1));
  if (std::find(domains.begin(), domains.end(), domain) == domains.end()) {
    return unauthorized("the e-mail's domain is not allowed");
  }
  return identity;
}

}  // namespace

bool ExternalLogin::serves(std::string_view provider_type) {
  return std::find(kTypes.begin(), kTypes.end(), provider_type) != kTypes.end();
}

Task<ExternalIdentity> ExternalLogin::verify(const ExternalAttempt& attempt) {
  const std::string& type = attempt.provider.type;
  if (type == "custom-token") {
    auto identity = co_await verify_custom_token(attempt);
    co_return identity;
  }
  if (type == "oauth2-facebook") {
    RESTITCH_CO_TRY(std::string token, text_member(attempt.credential, "accessToken"));
    auto identity = co_await verify_facebook(attempt, std::move(token));
    co_return identity;
  }
  const View credential = attempt.credential;
  const bool is_google = type == "oauth2-google";
  if (is_google && !attempt.provider.config["openId"].truthy()) {
    if (credential.contains("id_token")) co_return unauthorized("OpenID Connect is off");
    RESTITCH_CO_TRY(std::string code, text_member(credential, "authCode"));
    auto identity = co_await verify_google_code(attempt, std::move(code));
    co_return identity;
  }
  RESTITCH_CO_TRY(std::string token, text_member(credential, "id_token"));
  auto identity = co_await id_token_person(attempt, std::move(token));
  co_return identity;
}

Task<ExternalIdentity> ExternalLogin::id_token_person(const ExternalAttempt& attempt,
                                                      std::string token) {
  const bool is_google = attempt.provider.type == "oauth2-google";
  const std::string keys_url = is_google ? endpoints_.google_keys : endpoints_.apple_keys;
  std::vector<std::string> issuers{"https://appleid.apple.com"};
  if (is_google) issuers = {"https://accounts.google.com", "accounts.google.com"};
  RESTITCH_CO_TRY(const Document claims,
                  co_await verify_id_token(std::move(token), keys_url, std::move(issuers),
                                           text_of(attempt.provider.config, "clientId")));
  co_return identity_from(attempt, text_of(claims, "sub"), claims);
}

Task<ExternalIdentity> ExternalLogin::verify_custom_token(const ExternalAttempt& attempt) {
  const View config = attempt.provider.config;
  RESTITCH_CO_TRY(const std::string text, text_member(attempt.credential, "token"));
  const auto token = parse_jwt(text);
  if (!token) co_return unauthorized(token.error().message());
  const std::string algorithm = text_of(config, "signingAlgorithm");
  std::vector<VerificationKey> keys;
  if (config["useJWKURI"].truthy()) {
    auto found = co_await key_sets_.find(text_of(config, "jwkURI"), token->key_id);
    if (!found) co_return unauthorized(found.error().message());
    keys = std::move(*found);
  } else {
    if (token->algorithm != algorithm)
      co_return unauthorized("another signing algorithm than the configured one");
    keys = configured_keys(attempt, algorithm);
  }
  const bool is_signed = std::any_of(
      keys.begin(), keys.end(), [&](const VerificationKey& key) { return key.verifies(*token); });
  if (!is_signed) co_return unauthorized("no key verifies the signature");
  const View claims = token->claims;
  if (const Status in_time = check_times(claims, now_seconds()); !in_time)
    co_return unauthorized(in_time.error().message());
  std::vector<std::string> audiences = texts_of(config["audience"]);
  if (audiences.empty()) audiences.push_back(attempt.client_app_id);
  if (!has_audience(claims, audiences, config["requireAnyAudience"].truthy()))
    co_return unauthorized("another audience");
  const std::vector<std::string> issuers = texts_of(config["issuer"]);
  if (!issuers.empty() &&
      std::find(issuers.begin(), issuers.end(), text_of(claims, "iss")) == issuers.end()) {
    co_return unauthorized("another issuer");
  }
  co_return identity_from(attempt, text_of(claims, "sub"), claims);
}

Task<Document> ExternalLogin::verify_id_token(std::string text, std::string keys_url,
                                              std::vector<std::string> issuers,
                                              std::string audience) {
  const auto token = parse_jwt(text);
  if (!token) co_return unauthorized(token.error().message());
  if (token->algorithm != "RS256") co_return unauthorized("not signed with RS256");
  auto keys = co_await key_sets_.find(std::move(keys_url), token->key_id);
  if (!keys) co_return unauthorized(keys.error().message());
  const bool is_signed = std::any_of(
      keys->begin(), keys->end(), [&](const VerificationKey& key) { return key.verifies(*token); });
  if (!is_signed) co_return unauthorized("no key verifies the signature");
  const View claims = token->claims;
  if (const Status in_time = check_times(claims, now_seconds()); !in_time)
    co_return unauthorized(in_time.error().message());
  if (std::find(issuers.begin(), issuers.end(), text_of(claims, "iss")) == issuers.end()) {
    co_return unauthorized("another issuer");
  }
  if (audience.empty() || !has_audience(claims, {audience}, false))
    co_return unauthorized("another audience");
  co_return token->claims;
}

Task<Document> ExternalLogin::fetch_json(net::OutboundRequest request) {
  auto response = co_await outbound_.send(std::move(request));
  if (!response) co_return unauthorized(response.error().message());
  if (response->status != 200)
    co_return unauthorized("the provider answered " + std::to_string(response->status));
  bson::JsonOptions options;
  options.extended = false;
  auto parsed = bson::parse_json_with(response->body, options);
  const auto object = parsed ? parsed->value.view().as_object() : std::nullopt;
  if (!object) co_return unauthorized("the provider's answer is no JSON object");
  co_return Document(*object);
}

Task<Document> ExternalLogin::exchange(const ExternalAttempt& attempt, const std::string& url,
                                       RedirectCode code) {
  net::OutboundRequest request;
  request.url = url;
  request.form = form_of({{"grant_type", "authorization_code"},
                          {"code", code.code},
                          {"client_id", text_of(attempt.provider.config, "clientId")},
                          {"client_secret", text_of(attempt.secrets, "clientSecret")},
                          {"redirect_uri", code.redirect_uri}});
  auto answer = co_await fetch_json(std::move(request));
  co_return answer;
}

// Codes of native SDKs are redeemed without a redirect URI, those of the browser's pop-up flow with
// "postmessage".
Task<ExternalIdentity> ExternalLogin::verify_google_code(const ExternalAttempt& attempt,
                                                         std::string code) {
  RedirectCode native{code, ""};
  auto tokens = co_await exchange(attempt, endpoints_.google_token, std::move(native));
  if (!tokens) {
    RedirectCode popup{code, "postmessage"};
    tokens = co_await exchange(attempt, endpoints_.google_token, std::move(popup));
  }
  if (!tokens) co_return std::move(tokens).error();
  auto person = co_await google_person(attempt, text_of(*tokens, "access_token"));
  co_return person;
}

Task<ExternalIdentity> ExternalLogin::google_person(const ExternalAttempt& attempt,
                                                    std::string access_token) {
  net::OutboundRequest ask;
  ask.url = endpoints_.google_userinfo;
  ask.headers.push_back("Authorization: Bearer " + access_token);
  RESTITCH_CO_TRY(const Document info, co_await fetch_json(std::move(ask)));
  co_return identity_from(attempt, text_of(info, "sub"), google_claims(info));
}

std::string ExternalLogin::authorization_url(const app::AuthProviderConfig& provider,
                                             const std::string& redirect_uri,
                                             const std::string& state) const {
  const std::string client_id = text_of(provider.config, "clientId");
  const std::string common = form_of({{"client_id", client_id},
                                      {"redirect_uri", redirect_uri},
                                      {"response_type", "code"},
                                      {"state", state}});
  if (provider.type == "oauth2-google") {
    return endpoints_.google_authorize + "?" + common + "&" +
           form_of({{"scope", google_scope(provider.metadata_fields)}});
  }
  if (provider.type == "oauth2-facebook") {
    return endpoints_.facebook_dialog + "?" + common + "&" +
           form_of({{"scope", facebook_scope(provider.metadata_fields)}});
  }
  // Apple gives the e-mail only to pages that take the answer by POST.
  const bool wants_email = has_field(provider.metadata_fields, "email");
  return endpoints_.apple_authorize + "?" + common +
         (wants_email ? "&response_mode=form_post&scope=email" : "&response_mode=query");
}

Task<ExternalIdentity> ExternalLogin::redeem(const ExternalAttempt& attempt, RedirectCode code) {
  const std::string& type = attempt.provider.type;
  std::string url = type == "oauth2-google" ? endpoints_.google_token : endpoints_.apple_token;
  if (type == "oauth2-facebook") url = endpoints_.facebook_graph + "/oauth/access_token";
  RESTITCH_CO_TRY(const Document tokens, co_await exchange(attempt, url, std::move(code)));
  std::string access_token = text_of(tokens, "access_token");
  if (type == "oauth2-facebook") {
    auto person = co_await verify_facebook(attempt, std::move(access_token));
    co_return person;
  }
  if (type == "oauth2-google" && !attempt.provider.config["openId"].truthy()) {
    auto person = co_await google_person(attempt, std::move(access_token));
    co_return person;
  }
  auto person = co_await id_token_person(attempt, text_of(tokens, "id_token"));
  co_return person;
}

// A token of any other app must not sign in here: Facebook says first whose it is.
Task<ExternalIdentity> ExternalLogin::verify_facebook(const ExternalAttempt& attempt,
                                                      std::string token) {
  const std::string client_id = text_of(attempt.provider.config, "clientId");
  net::OutboundRequest inspect;
  inspect.url =
      endpoints_.facebook_graph + "/debug_token?" +
      form_of({{"input_token", token},
               {"access_token", client_id + "|" + text_of(attempt.secrets, "clientSecret")}});
  RESTITCH_CO_TRY(const Document inspected, co_await fetch_json(std::move(inspect)));
  const View verdict = inspected["data"].as_object().value_or(View());
  if (!verdict["is_valid"].truthy() || client_id.empty() ||
      text_of(verdict, "app_id") != client_id) {
    co_return unauthorized("no valid token of this app");
  }
  net::OutboundRequest ask;
  ask.url = endpoints_.facebook_graph + "/me?" +
            form_of({{"fields", facebook_fields(attempt.provider.metadata_fields)},
                     {"access_token", token}});
  RESTITCH_CO_TRY(const Document info, co_await fetch_json(std::move(ask)));
  co_return identity_from(attempt, text_of(info, "id"), facebook_claims(info));
}

}  // namespace restitch::auth
