#include "auth/tokens.h"

#include <gtest/gtest.h>

#include "auth/crypto.h"
#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::auth {
namespace {

constexpr std::int64_t kNow = 1700000000;

TokenRealm make_realm() { return {bson::ObjectId::generate(), random_bytes(64)}; }

AccessClaims make_claims() {
  AccessClaims claims;
  claims.user_id = bson::ObjectId::generate().to_hex();
  claims.session_id = bson::ObjectId::generate();
  claims.device_id = "000000000000000000000000";
  claims.issued_at = kNow;
  claims.expires_at = kNow + kAccessTokenSeconds;
  return claims;
}

RefreshClaims make_refresh_claims() {
  return {bson::ObjectId::generate().to_hex(), bson::ObjectId::generate(), "000000000000000000000000",
          {"login", "local-userpass", bson::ObjectId::generate()}, kNow + 100};
}

bson::Document payload_of(const std::string& token) {
  const std::size_t first = token.find('.');
  const std::string json = *from_base64(std::string_view(token).substr(first + 1, token.rfind('.') - first - 1));
  return *bson::parse_json_document(json);
}

TEST(Tokens, access_token_carries_both_spellings_and_plain_integers) {
  const TokenRealm realm = make_realm();
  const AccessClaims claims = make_claims();
  const std::string token = issue_access_token(realm, claims, nullptr);
  const std::size_t first = token.find('.');
  const std::string json = *from_base64(std::string_view(token).substr(first + 1, token.rfind('.') - first - 1));
  EXPECT_NE(json.find("\"exp\":1700001800,"), std::string::npos) << json;
  EXPECT_NE(json.find("\"iat\":1700000000,"), std::string::npos) << json;
  const bson::Document payload = payload_of(token);
  EXPECT_EQ(payload["baas_domain_id"].as_string(), realm.domain_id.to_hex());
  EXPECT_EQ(payload["stitch_domainId"].as_string(), realm.domain_id.to_hex());
  EXPECT_EQ(payload["iss"].as_string(), claims.session_id.to_hex());
  EXPECT_TRUE(payload["user_data"].is_missing());
}

TEST(Tokens, access_token_round_trips_custom_user_data) {
  const TokenRealm realm = make_realm();
  const bson::Document data = bson::make_document("team", "réd");
  const auto verified = verify_access_token(realm, issue_access_token(realm, make_claims(), &data), kNow);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->user_data, data);
}

TEST(Tokens, expired_access_token_says_so) {
  const TokenRealm realm = make_realm();
  const std::string token = issue_access_token(realm, make_claims(), nullptr);
  const auto verified = verify_access_token(realm, token, kNow + kAccessTokenSeconds);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code(), ErrorCode::kInvalidSession);
  EXPECT_EQ(verified.error().message(), "invalid session: access token expired");
}

TEST(Tokens, changed_signature_or_payload_is_refused) {
  const TokenRealm realm = make_realm();
  std::string token = issue_access_token(realm, make_claims(), nullptr);
  const std::size_t middle = token.find('.') + 10;
  token[middle] = token[middle] == 'A' ? 'B' : 'A';
  const auto verified = verify_access_token(realm, token, kNow);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code(), ErrorCode::kInvalidToken);
  TokenRealm other = realm;
  other.signing_key = random_bytes(64);
  const auto foreign = verify_access_token(other, issue_access_token(realm, make_claims(), nullptr), kNow);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().message(), "signature is invalid");
}

TEST(Tokens, a_former_key_still_verifies_and_signs_no_more) {
  TokenRealm realm = make_realm();
  const std::string before = issue_access_token(realm, make_claims(), nullptr);
  realm.former_keys = {realm.signing_key};
  realm.signing_key = random_bytes(64);
  EXPECT_TRUE(verify_access_token(realm, before, kNow));
  const std::string after = issue_access_token(realm, make_claims(), nullptr);
  EXPECT_TRUE(verify_access_token(realm, after, kNow));
  realm.former_keys.clear();
  EXPECT_FALSE(verify_access_token(realm, before, kNow));
  EXPECT_TRUE(verify_access_token(realm, after, kNow));
}

TEST(Tokens, unsigned_algorithm_is_refused) {
  const TokenRealm realm = make_realm();
  const std::string token = issue_access_token(realm, make_claims(), nullptr);
  const std::string header = to_base64url(R"({"alg":"none","typ":"JWT"})");
  const std::string forged = header + token.substr(token.find('.'), token.rfind('.') - token.find('.')) + ".AA";
  EXPECT_FALSE(verify_access_token(realm, forged, kNow));
}

TEST(Tokens, token_kinds_are_not_interchangeable) {
  const TokenRealm realm = make_realm();
  const std::string refresh = issue_refresh_token(realm, make_refresh_claims(), kNow);
  const auto as_access = verify_access_token(realm, refresh, kNow);
  ASSERT_FALSE(as_access);
  EXPECT_EQ(as_access.error().message(), "invalid session: valid Issuer required");
  const auto as_refresh = verify_refresh_token(realm, issue_access_token(realm, make_claims(), nullptr), kNow);
  ASSERT_FALSE(as_refresh);
  EXPECT_EQ(as_refresh.error().message(), "invalid refresh token: incorrect token type");
}

TEST(Tokens, refresh_token_round_trips_its_identity) {
  const TokenRealm realm = make_realm();
  const RefreshClaims claims = make_refresh_claims();
  const auto verified = verify_refresh_token(realm, issue_refresh_token(realm, claims, kNow), kNow);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->session_id, claims.session_id);
  EXPECT_EQ(verified->identity.provider_id, claims.identity.provider_id);
  EXPECT_EQ(verified->identity.provider_type, "local-userpass");
}

TEST(Tokens, tokens_of_another_app_are_told_apart) {
  const TokenRealm realm = make_realm();
  TokenRealm other = realm;
  other.domain_id = bson::ObjectId::generate();
  const auto verified = verify_access_token(other, issue_access_token(realm, make_claims(), nullptr), kNow);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code(), ErrorCode::kAppMismatch);
}

TEST(Tokens, malformed_tokens_are_refused_without_being_read) {
  const TokenRealm realm = make_realm();
  for (const char* token : {"", "a", "a.b", "..", "a.b.c.d", "a..c", "a.!!.c", "a.e30.c"}) {
    EXPECT_FALSE(verify_access_token(realm, token, kNow)) << token;
    EXPECT_FALSE(claimed_domain(token)) << token;
  }
}

}  // namespace
}  // namespace restitch::auth
