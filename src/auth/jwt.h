#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

struct evp_pkey_st;

namespace restitch::auth {

// A JSON Web Token taken apart; nothing is verified. The claims are plain JSON: no Extended JSON
// wrapper is interpreted.
struct Jwt {
  std::string algorithm, key_id;  // header alg, kid ("" when absent)
  bson::Document claims;
  std::string signed_part;  // what the signature is over
  std::string signature;
};

// kInvalidToken when the text is no token, or longer than 1,000,000 characters.
Result<Jwt> parse_jwt(std::string_view token);

// A key that tokens may be signed with, for algorithms of one family: HS256/384/512 by a shared
// secret, RS256/384/512 and ES256/384/512 by a public key. A key never verifies another family's
// algorithm.
class VerificationKey {
 public:
  static VerificationKey from_secret(std::string secret);
  // A public key (or certificate) in PEM form; kInvalidArgument otherwise.
  static Result<VerificationKey> from_pem(std::string_view pem);
  // A member of a key set (RFC 7517), kty RSA or EC; kInvalidArgument otherwise.
  static Result<VerificationKey> from_jwk(bson::View jwk);

  const std::string& id() const { return id_; }
  // Whether the signature is this key's, under the algorithm that the token names.
  bool verifies(const Jwt& token) const;

 private:
  enum class Family : std::uint8_t { kSecret, kRsa, kEc };

  Family family_ = Family::kSecret;
  std::string id_;         // kid of a JWK
  std::string algorithm_;  // alg of a JWK: no other is accepted; "" = any of the family
  std::string secret_;
  std::shared_ptr<evp_pkey_st> public_key_;
};

// exp (required), nbf and iat against `now` in seconds, with a minute of tolerance for the latter
// two.
Status check_times(bson::View claims, std::int64_t now);
// Whether the claim `aud` (text or array) names the audiences: all of them, or any.
bool has_audience(bson::View claims, const std::vector<std::string>& audiences, bool any);

}  // namespace restitch::auth
