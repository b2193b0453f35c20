#include "auth/verified_tokens.h"

#include <gtest/gtest.h>

namespace restitch::auth {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;

TokenRealm realm_with_key(const std::string& key) {
  TokenRealm realm;
  realm.domain_id = *bson::ObjectId::from_hex("65a000000000000000000001");
  realm.signing_key = key;
  return realm;
}

std::string token_of(const TokenRealm& realm, const std::string& user) {
  AccessClaims claims;
  claims.user_id = user;
  claims.device_id = "device";
  claims.session_id = bson::ObjectId::generate();
  claims.issued_at = kNow;
  claims.expires_at = kNow + kAccessTokenSeconds;
  return issue_access_token(realm, claims, nullptr);
}

TEST(VerifiedTokens, a_token_gives_the_same_claims_again) {
  VerifiedTokens tokens(4);
  const TokenRealm realm = realm_with_key("key");
  const std::string token = token_of(realm, "anna");
  for (int time = 0; time < 2; ++time) {
    const auto claims = tokens.verify(realm, token, kNow);
    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->user_id, "anna");
    EXPECT_EQ(claims->expires_at, kNow + kAccessTokenSeconds);
  }
}

TEST(VerifiedTokens, a_known_token_expires) {
  VerifiedTokens tokens(4);
  const TokenRealm realm = realm_with_key("key");
  const std::string token = token_of(realm, "anna");
  ASSERT_TRUE(tokens.verify(realm, token, kNow));
  const auto late = tokens.verify(realm, token, kNow + kAccessTokenSeconds);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::kInvalidSession);
}

TEST(VerifiedTokens, a_known_token_is_refused_once_the_key_has_changed) {
  VerifiedTokens tokens(4);
  const std::string token = token_of(realm_with_key("key"), "anna");
  ASSERT_TRUE(tokens.verify(realm_with_key("key"), token, kNow));
  const auto refused = tokens.verify(realm_with_key("other"), token, kNow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidToken);
}

TEST(VerifiedTokens, a_token_that_differs_from_a_known_one_is_refused) {
  VerifiedTokens tokens(4);
  const TokenRealm realm = realm_with_key("key");
  std::string token = token_of(realm, "anna");
  ASSERT_TRUE(tokens.verify(realm, token, kNow));
  const std::size_t in_signature = token.size() - 10;
  token[in_signature] = token[in_signature] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(tokens.verify(realm, token, kNow));
}

TEST(VerifiedTokens, more_tokens_than_fit_are_all_answered_rightly) {
  VerifiedTokens tokens(4);
  const TokenRealm realm = realm_with_key("key");
  std::vector<std::string> sent;
  for (int user = 0; user < 20; ++user) sent.push_back(token_of(realm, std::to_string(user)));
  for (int round = 0; round < 3; ++round) {
    for (std::size_t user = 0; user < sent.size(); ++user) {
      const auto claims = tokens.verify(realm, sent[user], kNow);
      ASSERT_TRUE(claims);
      EXPECT_EQ(claims->user_id, std::to_string(user));
    }
  }
}

}  // namespace
}  // namespace restitch::auth
