#include "datasource/embedded/users/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <unicode/usprep.h>
#include <unicode/ustring.h>

#include <charconv>
#include <vector>

#include "base/encoding.h"

namespace restitch::datasource::embedded {

namespace {

using bson::View;

constexpr std::size_t kNonceBytes = 24;
constexpr std::size_t kMaxPayload = 4096;
constexpr std::size_t kMaxPassword = 4096;

struct HashFigures {
  const EVP_MD* (*digest)();
  std::size_t size;
  std::size_t salt;
  std::int32_t iterations;
};

const HashFigures& figures_of(ScramHash hash) {
  static const HashFigures kSha1{EVP_sha1, 20, 16, 10000};
  static const HashFigures kSha256{EVP_sha256, 32, 28, 15000};
  return hash == ScramHash::kSha1 ? kSha1 : kSha256;
}

unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string random_bytes(std::size_t count) {
  std::string out(count, '\0');
  const int done = RAND_bytes(bytes_of(out), static_cast<int>(count));
  RESTITCH_ASSERT(done == 1);
  return out;
}

std::string digest(const EVP_MD* kind, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  const int done = EVP_Digest(text.data(), text.size(), bytes_of(out), &size, kind, nullptr);
  RESTITCH_ASSERT(done == 1);
  out.resize(size);
  return out;
}

std::string hmac(ScramHash hash, std::string_view key, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  const unsigned char* done =
      HMAC(figures_of(hash).digest(), key.data(), static_cast<int>(key.size()), bytes_of(text),
           text.size(), bytes_of(out), &size);
  RESTITCH_ASSERT(done != nullptr);
  out.resize(size);
  return out;
}

std::string exclusive_or(std::string a, std::string_view b) {
  for (std::size_t at = 0; at < a.size() && at < b.size(); ++at) {
    a[at] = static_cast<char>(a[at] ^ b[at]);
  }
  return a;
}

// What goes into the key derivation.
Result<std::string> derived_from(ScramHash hash, std::string_view user, std::string_view password) {
  if (hash == ScramHash::kSha256) return prepared_password(password);
  return to_hex(digest(EVP_md5(), std::string(user) + ":mongo:" + std::string(password)));
}

ScramCredentials derive(ScramHash hash, std::string_view password, std::string salt,
                        std::int32_t iterations) {
  const HashFigures& figures = figures_of(hash);
  std::string salted(figures.size, '\0');
  const int done =
      PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                        bytes_of(std::string_view(salt)), static_cast<int>(salt.size()), iterations,
                        figures.digest(), static_cast<int>(figures.size), bytes_of(salted));
  RESTITCH_ASSERT(done == 1);
  ScramCredentials credentials;
  credentials.iterations = iterations;
  credentials.salt = std::move(salt);
  credentials.stored_key = digest(figures.digest(), hmac(hash, salted, "Client Key"));
  credentials.server_key = hmac(hash, salted, "Server Key");
  return credentials;
}

// "=2C" is a comma, "=3D" an equals sign.
std::optional<std::string> unescaped_name(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '=') {
      out.push_back(text[at]);
    } else if (text.substr(at, 3) == "=2C" || text.substr(at, 3) == "=3D") {
      out.push_back(text[at + 2] == 'C' ? ',' : '=');
      at += 2;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

// The attribute at the front, which must have that letter; takes it and its comma away.
std::optional<std::string_view> take_attribute(std::string_view& message, char letter) {
  if (message.size() < 2 || message[0] != letter || message[1] != '=') return std::nullopt;
  const std::size_t end = message.find(',');
  const std::string_view value = message.substr(2, end == std::string_view::npos ? end : end - 2);
  message = end == std::string_view::npos ? std::string_view() : message.substr(end + 1);
  return value;
}

}  // namespace

Error authentication_failed() { return mongo_error(18, "Authentication failed."); }

std::string fresh_nonce() { return to_base64(random_bytes(kNonceBytes)); }

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<ScramHash> scram_hash_of(std::string_view mechanism) {
  if (mechanism == "SCRAM-SHA-1") return ScramHash::kSha1;
  if (mechanism == "SCRAM-SHA-256") return ScramHash::kSha256;
  return std::nullopt;
}

std::string_view mechanism_of(ScramHash hash) {
  return hash == ScramHash::kSha1 ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
}

bson::Document ScramCredentials::to_document() const {
  bson::Builder builder;
  builder.append("iterationCount", iterations);
  builder.append("salt", to_base64(salt));
  builder.append("storedKey", to_base64(stored_key));
  builder.append("serverKey", to_base64(server_key));
  return std::move(builder).finish();
}

std::optional<ScramCredentials> ScramCredentials::from_document(View document) {
  const auto binary = [&](const char* name) {
    return from_base64(document[name].as_string().value_or("")).value_or("");
  };
  ScramCredentials credentials;
  credentials.iterations =
      static_cast<std::int32_t>(document["iterationCount"].as_integer().value_or(0));
  credentials.salt = binary("salt");
  credentials.stored_key = binary("storedKey");
  credentials.server_key = binary("serverKey");
  if (credentials.iterations < 1 || credentials.salt.empty() || credentials.stored_key.empty() ||
      credentials.server_key.empty()) {
    return std::nullopt;
  }
  return credentials;
}

Result<std::string> prepared_password(std::string_view password) {
  if (password.empty()) {
    return mongo_error(50687,
                       "Error preflighting UTF-8 conversion: U_STRING_NOT_TERMINATED_WARNING");
  }
  if (password.size() > kMaxPassword) return mongo_error(2, "the password is too long");
  bool is_ascii = true;
  for (const char letter : password) is_ascii = is_ascii && letter >= ' ' && letter < 0x7F;
  if (is_ascii) return std::string(password);

  UErrorCode status = U_ZERO_ERROR;
  std::vector<UChar> wide(password.size() + 1);
  std::int32_t length = 0;
  u_strFromUTF8(wide.data(), static_cast<std::int32_t>(wide.size()), &length, password.data(),
                static_cast<std::int32_t>(password.size()), &status);
  if (U_FAILURE(status)) {
    return mongo_error(50687,
                       std::string("Error preflighting UTF-8 conversion: ") + u_errorName(status));
  }
  UStringPrepProfile* profile = usprep_openByType(USPREP_RFC4013_SASLPREP, &status);
  if (U_FAILURE(status)) return mongo_error(50690, u_errorName(status));
  // One character becomes 18 at most.
  std::vector<UChar> prepared(static_cast<std::size_t>(length) * 18 + 1);
  UParseError where{};
  const std::int32_t size =
      usprep_prepare(profile, wide.data(), length, prepared.data(),
                     static_cast<std::int32_t>(prepared.size()), USPREP_DEFAULT, &where, &status);
  usprep_close(profile);
  if (U_FAILURE(status)) {
    return mongo_error(50692,
                       std::string("Error preflighting normalization: ") + u_errorName(status));
  }
  std::string out(static_cast<std::size_t>(size) * 3 + 1, '\0');
  std::int32_t written = 0;
  u_strToUTF8(out.data(), static_cast<std::int32_t>(out.size()), &written, prepared.data(), size,
              &status);
  if (U_FAILURE(status)) return mongo_error(50695, u_errorName(status));
  out.resize(static_cast<std::size_t>(written));
  return out;
}

Result<ScramCredentials> make_credentials(ScramHash hash, std::string_view user,
                                          std::string_view password) {
  const HashFigures& figures = figures_of(hash);
  return derive_credentials(hash, user, password, random_bytes(figures.salt), figures.iterations);
}

Result<ScramCredentials> derive_credentials(ScramHash hash, std::string_view user,
                                            std::string_view password, std::string salt,
                                            std::int32_t iterations) {
  RESTITCH_TRY(const std::string derived, derived_from(hash, user, password));
  return derive(hash, derived, std::move(salt), iterations);
}

bool is_password_of(const ScramCredentials& credentials, ScramHash hash, std::string_view user,
                    std::string_view password) {
  const auto made =
      derive_credentials(hash, user, password, credentials.salt, credentials.iterations);
  return made && equal_in_constant_time(made->stored_key, credentials.stored_key);
}

ScramCredentials fake_credentials(ScramHash hash, std::string_view secret,
                                  std::string_view full_name) {
  const HashFigures& figures = figures_of(hash);
  ScramCredentials credentials;
  credentials.iterations = figures.iterations;
  credentials.salt = hmac(ScramHash::kSha256, secret,
                          std::string(mechanism_of(hash)) + "/" + std::string(full_name))
                         .substr(0, figures.salt);
  credentials.stored_key = random_bytes(figures.size);
  credentials.server_key = random_bytes(figures.size);
  return credentials;
}

Status ScramExchange::read_first(std::string_view payload) {
  if (payload.size() > kMaxPayload) return authentication_failed();
  // n,[a=authzid],n=user,r=nonce[,extensions]
  const std::size_t first = payload.find(',');
  if (first != 1 || (payload[0] != 'n' && payload[0] != 'y')) return authentication_failed();
  const std::size_t second = payload.find(',', first + 1);
  if (second == std::string_view::npos) return authentication_failed();
  gs2_header_ = payload.substr(0, second + 1);
  std::string_view rest = payload.substr(second + 1);
  client_first_ = rest;
  const auto name = take_attribute(rest, 'n');
  const auto nonce = take_attribute(rest, 'r');
  if (!name || !nonce || nonce->empty()) return authentication_failed();
  auto user = unescaped_name(*name);
  if (!user || user->empty() || !is_valid_utf8(*user)) return authentication_failed();
  user_ = std::move(*user);
  nonce_ = *nonce;
  return {};
}

std::string ScramExchange::answer_first(ScramCredentials credentials, std::string_view nonce) {
  credentials_ = std::move(credentials);
  nonce_ += nonce;
  server_first_ = "r=" + nonce_ + ",s=" + to_base64(credentials_.salt) +
                  ",i=" + std::to_string(credentials_.iterations);
  return server_first_;
}

Result<std::string> ScramExchange::finish(std::string_view payload) {
  if (payload.size() > kMaxPayload) return authentication_failed();
  const std::size_t proof_at = payload.rfind(",p=");
  if (proof_at == std::string_view::npos) return authentication_failed();
  const std::string_view without_proof = payload.substr(0, proof_at);
  std::string_view rest = without_proof;
  const auto binding = take_attribute(rest, 'c');
  const auto nonce = take_attribute(rest, 'r');
  if (!binding || !nonce || *binding != to_base64(gs2_header_) || *nonce != nonce_) {
    return authentication_failed();
  }
  const auto proof = from_base64(payload.substr(proof_at + 3));
  if (!proof || proof->size() != figures_of(hash_).size) return authentication_failed();
  const std::string message =
      client_first_ + "," + server_first_ + "," + std::string(without_proof);
  const std::string client_key =
      exclusive_or(*proof, hmac(hash_, credentials_.stored_key, message));
  if (!equal_in_constant_time(digest(figures_of(hash_).digest(), client_key),
                              credentials_.stored_key)) {
    return authentication_failed();
  }
  return "v=" + to_base64(hmac(hash_, credentials_.server_key, message));
}

}  // namespace restitch::datasource::embedded
