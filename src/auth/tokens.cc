#include "auth/tokens.h"

#include <algorithm>

#include "auth/crypto.h"
#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::auth {
namespace {

constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";

void append_text(std::string& json, std::string_view name, std::string_view value) {
  bson::append_json(json, bson::Value::of(name));
  json.push_back(':');
  bson::append_json(json, bson::Value::of(value));
}

void append_both(std::string& json, std::string_view baas, std::string_view stitch,
                 std::string_view value) {
  append_text(json, baas, value);
  json.push_back(',');
  append_text(json, stitch, value);
  json.push_back(',');
}

std::string identity_json(const TokenIdentity& identity) {
  std::string json = "{";
  append_text(json, "id", identity.id);
  json.push_back(',');
  append_text(json, "provider_type", identity.provider_type);
  json.push_back(',');
  append_text(json, "provider_id", identity.provider_id.to_hex());
  json.push_back('}');
  return json;
}

std::string sign(const TokenRealm& realm, std::string_view payload) {
  static const std::string kEncodedHeader = to_base64url(kHeader) + ".";
  std::string token = kEncodedHeader + to_base64url(payload);
  const std::string signature = hmac_sha256(realm.signing_key, token);
  token.push_back('.');
  token.append(to_base64url(signature));
  return token;
}

struct TokenParts {
  std::string_view signed_part, payload, signature;
};

Error malformed() {
  return Error(ErrorCode::kInvalidToken, "token contains an invalid number of segments");
}

Result<TokenParts> split(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return malformed();
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return malformed();
  const TokenParts parts{token.substr(0, second), token.substr(first + 1, second - first - 1),
                         token.substr(second + 1)};
  if (first == 0 || parts.payload.empty() || parts.signature.empty()) return malformed();
  return parts;
}

Result<bson::Document> payload_of(const TokenParts& parts) {
  const auto json = from_base64(parts.payload);
  if (!json) return Error(ErrorCode::kInvalidToken, "illegal base64 data in the token's payload");
  auto document = bson::parse_json_document(*json);
  if (!document) return Error(ErrorCode::kInvalidToken, "the token's payload is not a JSON object");
  return document;
}

Result<bson::Document> verified_payload(const TokenRealm& realm, std::string_view token) {
  RESTITCH_TRY(const TokenParts parts, split(token));
  RESTITCH_TRY(bson::Document payload, payload_of(parts));
  // Before the signature, as each app signs with a key of its own: a client must not try to refresh
  // this token.
  const auto domain = payload["baas_domain_id"].as_string();
  if (domain && *domain != realm.domain_id.to_hex())
    return Error(ErrorCode::kAppMismatch, "invalid session");
  // The header decides nothing: only HS256 under this app's keys is ever accepted.
  const auto signature = from_base64(parts.signature);
  const auto is_signed_with = [&](const std::string& key) {
    return equal_in_constant_time(*signature, hmac_sha256(key, parts.signed_part));
  };
  if (!signature || !(is_signed_with(realm.signing_key) ||
                      std::any_of(realm.former_keys.begin(), realm.former_keys.end(), is_signed_with))) {
    return Error(ErrorCode::kInvalidToken, "signature is invalid");
  }
  if (!domain) return Error(ErrorCode::kInvalidToken, "the token lacks a claim");
  return payload;
}

Result<std::string> text_claim(const bson::Document& payload, std::string_view name) {
  const auto text = payload[name].as_string();
  if (!text) return Error(ErrorCode::kInvalidToken, "the token lacks a claim");
  return std::string(*text);
}

Result<bson::ObjectId> id_claim(const bson::Document& payload, std::string_view name) {
  const auto text = payload[name].as_string();
  const auto id = text ? bson::ObjectId::from_hex(*text) : std::nullopt;
  if (!id) return Error(ErrorCode::kInvalidToken, "the token lacks a claim");
  return *id;
}

}  // namespace

std::string sign_claims(const TokenRealm& realm, std::string_view kind, bson::View claims,
                        std::int64_t expires_at) {
  bson::Builder payload;
  payload.append_all(claims);
  payload.append("baas_domain_id", realm.domain_id.to_hex()).append("typ", kind);
  payload.append("exp", expires_at);
  const bson::Document document = std::move(payload).finish();
  return sign(realm, bson::to_json(document.view()));
}

Result<bson::Document> verify_claims(const TokenRealm& realm, std::string_view kind,
                                     std::string_view token, std::int64_t now) {
  RESTITCH_TRY(bson::Document payload, verified_payload(realm, token));
  if (payload["typ"].as_string() != kind || payload["exp"].as_integer().value_or(0) <= now)
    return Error(ErrorCode::kInvalidToken, "the token is of another kind or expired");
  return payload;
}

std::string issue_access_token(const TokenRealm& realm, const AccessClaims& claims,
                               const bson::Document* user_data) {
  std::string json = "{";
  append_both(json, "baas_device_id", "stitch_devId", claims.device_id);
  append_both(json, "baas_domain_id", "stitch_domainId", realm.domain_id.to_hex());
  json.append("\"exp\":").append(std::to_string(claims.expires_at));
  json.append(",\"iat\":").append(std::to_string(claims.issued_at)).push_back(',');
  append_text(json, "iss", claims.session_id.to_hex());
  json.push_back(',');
  append_text(json, "sub", claims.user_id);
  json.append(",\"typ\":\"access\"");
  if (user_data != nullptr) json.append(",\"user_data\":").append(bson::to_json(user_data->view()));
  json.push_back('}');
  return sign(realm, json);
}

std::string issue_refresh_token(const TokenRealm& realm, const RefreshClaims& claims,
                                std::int64_t now) {
  const std::string identity = identity_json(claims.identity);
  std::string json = "{";
  json.append("\"baas_data\":null,\"stitch_data\":null,");
  append_both(json, "baas_device_id", "stitch_devId", claims.device_id);
  append_both(json, "baas_domain_id", "stitch_domainId", realm.domain_id.to_hex());
  append_both(json, "baas_id", "stitch_id", claims.session_id.to_hex());
  json.append("\"baas_identity\":").append(identity);
  json.append(",\"stitch_ident\":").append(identity);
  json.append(",\"exp\":").append(std::to_string(claims.expires_at));
  json.append(",\"iat\":").append(std::to_string(now)).push_back(',');
  append_text(json, "sub", claims.user_id);
  json.append(",\"typ\":\"refresh\"}");
  return sign(realm, json);
}

Result<bson::ObjectId> claimed_domain(std::string_view token) {
  RESTITCH_TRY(const TokenParts parts, split(token));
  RESTITCH_TRY(const bson::Document payload, payload_of(parts));
  return id_claim(payload, "baas_domain_id");
}

Result<AccessClaims> verify_access_token(const TokenRealm& realm, std::string_view token,
                                         std::int64_t now) {
  RESTITCH_TRY(const bson::Document payload, verified_payload(realm, token));
  if (payload["typ"].as_string() != "access" || payload["iss"].is_missing()) {
    return Error(ErrorCode::kWrongTokenType, "invalid session: valid Issuer required");
  }
  AccessClaims claims;
  RESTITCH_TRY(claims.user_id, text_claim(payload, "sub"));
  RESTITCH_TRY(claims.device_id, text_claim(payload, "baas_device_id"));
  RESTITCH_TRY(claims.session_id, id_claim(payload, "iss"));
  claims.issued_at = payload["iat"].as_integer().value_or(0);
  claims.expires_at = payload["exp"].as_integer().value_or(0);
  if (claims.expires_at <= now)
    return Error(ErrorCode::kInvalidSession, "invalid session: access token expired");
  if (const auto data = payload["user_data"].as_object()) claims.user_data = bson::Document(*data);
  return claims;
}

Result<RefreshClaims> verify_refresh_token(const TokenRealm& realm, std::string_view token,
                                           std::int64_t now) {
  RESTITCH_TRY(const bson::Document payload, verified_payload(realm, token));
  if (payload["typ"].as_string() != "refresh") {
    return Error(ErrorCode::kWrongTokenType, "invalid refresh token: incorrect token type");
  }
  RefreshClaims claims;
  RESTITCH_TRY(claims.user_id, text_claim(payload, "sub"));
  RESTITCH_TRY(claims.device_id, text_claim(payload, "baas_device_id"));
  RESTITCH_TRY(claims.session_id, id_claim(payload, "baas_id"));
  claims.expires_at = payload["exp"].as_integer().value_or(0);
  if (const auto identity = payload["baas_identity"].as_object()) {
    claims.identity.id = std::string(identity->find("id").as_string().value_or(""));
    claims.identity.provider_type =
        std::string(identity->find("provider_type").as_string().value_or(""));
    const auto provider =
        bson::ObjectId::from_hex(identity->find("provider_id").as_string().value_or(""));
    if (provider) claims.identity.provider_id = *provider;
  }
  if (claims.expires_at <= now) {
    return Error(ErrorCode::kInvalidSession, "invalid session: failed to find refresh token");
  }
  return claims;
}

}  // namespace restitch::auth
