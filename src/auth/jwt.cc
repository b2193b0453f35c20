#include "auth/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <optional>

#include "auth/crypto.h"
#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::auth {
namespace {

constexpr std::size_t kMaxTokenLength = 1'000'000;
constexpr std::int64_t kClockTolerance = 60;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using NumberPtr = std::unique_ptr<BIGNUM, Freer<BN_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using ParamBuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, Freer<OSSL_PARAM_BLD_free>>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, Freer<OSSL_PARAM_free>>;
using CertificatePtr = std::unique_ptr<X509, Freer<X509_free>>;
using EcdsaPtr = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;
using KeyPtr = std::shared_ptr<EVP_PKEY>;

KeyPtr own(EVP_PKEY* key) { return KeyPtr(key, EVP_PKEY_free); }

Error malformed() { return Error(ErrorCode::kInvalidToken, "the token is malformed"); }

Result<bson::Document> plain_json(std::string_view encoded) {
  const auto text = from_base64(encoded);
  if (!text) return malformed();
  bson::JsonOptions options;
  options.extended = false;
  auto parsed = bson::parse_json_with(*text, options);
  if (!parsed) return malformed();
  const auto object = parsed->value.view().as_object();
  if (!object) return malformed();
  return bson::Document(*object);
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// The digest that an algorithm's number names: HS256 → SHA-256.
const EVP_MD* digest_of(std::string_view algorithm) {
  const std::string_view number = algorithm.size() == 5 ? algorithm.substr(2) : "";
  if (number == "256") return EVP_sha256();
  if (number == "384") return EVP_sha384();
  if (number == "512") return EVP_sha512();
  return nullptr;
}

bool verify_secret(const std::string& secret, const EVP_MD* digest, const Jwt& token) {
  unsigned char expected[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(digest, secret.data(), static_cast<int>(secret.size()), bytes_of(token.signed_part),
       token.signed_part.size(), expected, &size);
  return equal_in_constant_time({reinterpret_cast<const char*>(expected), size}, token.signature);
}

bool verify_public(EVP_PKEY* key, const EVP_MD* digest, std::string_view text,
                   std::string_view signature) {
  const DigestPtr context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text),
                          text.size()) == 1;
}

// ES… tokens hold r ‖ s; OpenSSL wants them as ASN.1. Nothing when the length does not fit the
// curve.
std::optional<std::string> to_asn1(EVP_PKEY* key, std::string_view signature) {
  const auto half = static_cast<std::size_t>((EVP_PKEY_get_bits(key) + 7) / 8);
  if (signature.size() != 2 * half) return std::nullopt;
  const EcdsaPtr pair(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(bytes_of(signature), static_cast<int>(half), nullptr);
  BIGNUM* s = BN_bin2bn(bytes_of(signature) + half, static_cast<int>(half), nullptr);
  ECDSA_SIG_set0(pair.get(), r, s);
  unsigned char* encoded = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &encoded);
  if (size <= 0) return std::nullopt;
  std::string result(reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size));
  OPENSSL_free(encoded);
  return result;
}

// The one curve of an ES algorithm.
int bits_of_curve(std::string_view algorithm) {
  if (algorithm == "ES256") return 256;
  return algorithm == "ES384" ? 384 : 521;
}

KeyPtr build_key(const char* type, OSSL_PARAM_BLD* builder) {
  const ParamsPtr params(OSSL_PARAM_BLD_to_param(builder));
  const ContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return own(key);
}

std::optional<std::string> member_bytes(bson::View jwk, std::string_view name) {
  const auto text = jwk[name].as_string();
  auto bytes = text ? from_base64(*text) : std::nullopt;
  if (!bytes || bytes->empty()) return std::nullopt;
  return bytes;
}

KeyPtr rsa_key(bson::View jwk) {
  const auto modulus = member_bytes(jwk, "n");
  const auto exponent = member_bytes(jwk, "e");
  if (!modulus || !exponent) return nullptr;
  const NumberPtr n(BN_bin2bn(bytes_of(*modulus), static_cast<int>(modulus->size()), nullptr));
  const NumberPtr e(BN_bin2bn(bytes_of(*exponent), static_cast<int>(exponent->size()), nullptr));
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  return build_key("RSA", builder.get());
}

KeyPtr ec_key(bson::View jwk) {
  const auto x = member_bytes(jwk, "x");
  const auto y = member_bytes(jwk, "y");
  const std::string curve(jwk["crv"].as_string().value_or(""));
  if (!x || !y || x->size() != y->size() ||
      (curve != "P-256" && curve != "P-384" && curve != "P-521"))
    return nullptr;
  const std::string point = "\x04" + *x + *y;  // uncompressed
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.c_str(), 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  return build_key("EC", builder.get());
}

}  // namespace

Result<Jwt> parse_jwt(std::string_view token) {
  if (token.size() > kMaxTokenLength)
    return Error(ErrorCode::kInvalidToken, "the token is too long");
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return malformed();
  RESTITCH_TRY(const bson::Document header, plain_json(token.substr(0, first)));
  Jwt result;
  RESTITCH_TRY(result.claims, plain_json(token.substr(first + 1, second - first - 1)));
  auto signature = from_base64(token.substr(second + 1));
  if (!signature) return malformed();
  if (header.view().contains("crit"))
    return Error(ErrorCode::kInvalidToken, "the token needs an unknown extension");
  result.algorithm = std::string(header["alg"].as_string().value_or(""));
  result.key_id = std::string(header["kid"].as_string().value_or(""));
  result.signed_part = std::string(token.substr(0, second));
  result.signature = std::move(*signature);
  return result;
}

VerificationKey VerificationKey::from_secret(std::string secret) {
  VerificationKey key;
  key.secret_ = std::move(secret);
  return key;
}

Result<VerificationKey> VerificationKey::from_pem(std::string_view pem) {
  const BioPtr text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  KeyPtr public_key = own(PEM_read_bio_PUBKEY(text.get(), nullptr, nullptr, nullptr));
  if (!public_key) {
    BIO_reset(text.get());
    const CertificatePtr certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
    if (certificate) public_key = own(X509_get_pubkey(certificate.get()));
  }
  if (!public_key) return Error(ErrorCode::kInvalidArgument, "no public key in PEM form");
  VerificationKey key;
  key.family_ = EVP_PKEY_is_a(public_key.get(), "EC") == 1 ? Family::kEc : Family::kRsa;
  if (key.family_ == Family::kRsa && EVP_PKEY_is_a(public_key.get(), "RSA") != 1) {
    return Error(ErrorCode::kInvalidArgument, "neither an RSA nor an EC key");
  }
  key.public_key_ = std::move(public_key);
  return key;
}

Result<VerificationKey> VerificationKey::from_jwk(bson::View jwk) {
  const auto type = jwk["kty"].as_string();
  VerificationKey key;
  key.family_ = type == "EC" ? Family::kEc : Family::kRsa;
  if (type == "RSA") key.public_key_ = rsa_key(jwk);
  if (type == "EC") key.public_key_ = ec_key(jwk);
  if (!key.public_key_) return Error(ErrorCode::kInvalidArgument, "no usable RSA or EC key");
  key.id_ = std::string(jwk["kid"].as_string().value_or(""));
  key.algorithm_ = std::string(jwk["alg"].as_string().value_or(""));
  return key;
}

bool VerificationKey::verifies(const Jwt& token) const {
  const EVP_MD* digest = digest_of(token.algorithm);
  if (digest == nullptr || (!algorithm_.empty() && token.algorithm != algorithm_)) return false;
  const std::string_view family = std::string_view(token.algorithm).substr(0, 2);
  switch (family_) {
    case Family::kSecret:
      return family == "HS" && verify_secret(secret_, digest, token);
    case Family::kRsa:
      return family == "RS" &&
             verify_public(public_key_.get(), digest, token.signed_part, token.signature);
    case Family::kEc: {
      if (family != "ES" || EVP_PKEY_get_bits(public_key_.get()) != bits_of_curve(token.algorithm))
        return false;
      const auto signature = to_asn1(public_key_.get(), token.signature);
      return signature && verify_public(public_key_.get(), digest, token.signed_part, *signature);
    }
  }
  return false;
}

Status check_times(bson::View claims, std::int64_t now) {
  const auto expires = claims["exp"].as_double();
  if (!expires) return Error(ErrorCode::kInvalidToken, "the token has no expiry");
  if (*expires <= static_cast<double>(now))
    return Error(ErrorCode::kInvalidToken, "the token has expired");
  const auto latest = static_cast<double>(now + kClockTolerance);
  if (claims["nbf"].as_double().value_or(0) > latest)
    return Error(ErrorCode::kInvalidToken, "the token is not valid yet");
  if (claims["iat"].as_double().value_or(0) > latest)
    return Error(ErrorCode::kInvalidToken, "the token is of the future");
  return {};
}

bool has_audience(bson::View claims, const std::vector<std::string>& audiences, bool any) {
  const bson::ValueView claim = claims["aud"];
  const auto list = claim.as_array();
  const auto names = [&](const std::string& audience) {
    if (claim.as_string() == audience) return true;
    return list && std::any_of(list->begin(), list->end(), [&](const bson::Element& element) {
             return element.value.as_string() == audience;
           });
  };
  return any ? std::any_of(audiences.begin(), audiences.end(), names)
             : std::all_of(audiences.begin(), audiences.end(), names);
}

}  // namespace restitch::auth
