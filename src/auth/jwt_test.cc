#include "auth/jwt.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::auth {
namespace {

// The examples of RFC 7515, A.1 and A.3: one payload under a shared secret and under a curve.
const std::string kPayload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";
const std::string kSecret =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const std::string kSecretToken = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + kPayload +
                                 ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const std::string kCurveToken =
    "eyJhbGciOiJFUzI1NiJ9." + kPayload +
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const std::string kCurveJwk =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";

VerificationKey shared_secret() { return VerificationKey::from_secret(*from_base64(kSecret)); }

Result<VerificationKey> key_from(const std::string& jwk) {
  return VerificationKey::from_jwk(*bson::parse_json_document(jwk));
}

TEST(JwtTest, published_examples_verify_and_read) {
  const auto by_secret = parse_jwt(kSecretToken);
  const auto by_curve = parse_jwt(kCurveToken);
  const auto key = key_from(kCurveJwk);
  ASSERT_TRUE(by_secret && by_curve && key);
  EXPECT_TRUE(shared_secret().verifies(*by_secret));
  EXPECT_TRUE(key->verifies(*by_curve));
  EXPECT_EQ(by_secret->claims["iss"].as_string(), "joe");
}

TEST(JwtTest, a_key_never_verifies_another_family_or_a_changed_text) {
  auto by_secret = *parse_jwt(kSecretToken);
  auto by_curve = *parse_jwt(kCurveToken);
  const auto key = *key_from(kCurveJwk);
  EXPECT_FALSE(shared_secret().verifies(by_curve));
  EXPECT_FALSE(key.verifies(by_secret));
  by_secret.algorithm = "none";
  EXPECT_FALSE(shared_secret().verifies(by_secret));
  by_curve.algorithm = "ES512";
  EXPECT_FALSE(key.verifies(by_curve));
  by_curve.algorithm = "ES256";
  by_curve.signed_part.back() ^= 1;
  EXPECT_FALSE(key.verifies(by_curve));
  by_curve.signature.clear();
  EXPECT_FALSE(key.verifies(by_curve));
}

TEST(JwtTest, a_key_that_names_its_algorithm_verifies_no_other) {
  const auto bound = key_from(kCurveJwk.substr(0, kCurveJwk.size() - 1) + R"(,"alg":"ES384"})");
  ASSERT_TRUE(bound);
  EXPECT_FALSE(bound->verifies(*parse_jwt(kCurveToken)));
}

TEST(JwtTest, keys_that_are_none_are_refused) {
  EXPECT_FALSE(key_from(R"({"kty":"oct","k":"AAAA"})"));
  EXPECT_FALSE(key_from(R"({"kty":"RSA","n":"AQAB"})"));
  EXPECT_FALSE(key_from(R"({"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"})"));
  EXPECT_FALSE(
      VerificationKey::from_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
  EXPECT_FALSE(VerificationKey::from_pem(""));
}

TEST(JwtTest, texts_that_are_no_token_are_refused) {
  for (const std::string text :
       {"", "a", "a.b", "a.b.c", "e30.e30.e30.e30", "e30.W10.AA", "W10.e30.AA", "e30.e30.!"}) {
    EXPECT_FALSE(parse_jwt(text)) << text;
  }
  EXPECT_TRUE(parse_jwt("e30.e30."));
}

bson::Document claims_of(const char* json) { return *bson::parse_json_document(json); }

TEST(JwtTest, times_are_checked_against_the_clock) {
  EXPECT_TRUE(check_times(claims_of(R"({"exp":101,"nbf":100,"iat":100})"), 100));
  EXPECT_FALSE(check_times(claims_of(R"({"exp":100})"), 100));
  EXPECT_FALSE(check_times(claims_of(R"({"exp":"101"})"), 100));
  EXPECT_FALSE(check_times(claims_of("{}"), 100));
  EXPECT_FALSE(check_times(claims_of(R"({"exp":900,"nbf":161})"), 100));
  EXPECT_FALSE(check_times(claims_of(R"({"exp":900,"iat":161})"), 100));
}

TEST(JwtTest, audiences_are_asked_for_all_or_any) {
  const auto two = claims_of(R"({"aud":["a","b"]})");
  EXPECT_TRUE(has_audience(two, {"a", "b"}, false));
  EXPECT_FALSE(has_audience(two, {"a", "c"}, false));
  EXPECT_TRUE(has_audience(two, {"a", "c"}, true));
  EXPECT_TRUE(has_audience(claims_of(R"({"aud":"a"})"), {"a"}, false));
  EXPECT_FALSE(has_audience(claims_of(R"({"aud":["ab"]})"), {"a"}, true));
  EXPECT_FALSE(has_audience(claims_of("{}"), {"a"}, true));
}

}  // namespace
}  // namespace restitch::auth
