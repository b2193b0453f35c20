#include "auth/foreign_password.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <vector>

#include "auth/crypto.h"
#include "base/encoding.h"

namespace restitch::auth {
namespace {

// What a sign-in may cost at most, so that no imported hash stalls the server.
constexpr std::uint64_t kMaxMemoryBytes = 256ULL << 20U;
constexpr std::uint32_t kMaxArgonPasses = 20;
constexpr std::uint32_t kMaxArgonLanes = 16;
constexpr std::uint32_t kMaxBcryptCost = 15;
constexpr std::uint32_t kMaxPbkdf2Rounds = 5'000'000;
constexpr std::uint32_t kMaxShaCryptRounds = 5'000'000;
constexpr std::size_t kMaxEncoded = 512;

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failed != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// "ln=16,r=8,p=1" → the value of one name.
std::optional<std::uint32_t> setting(std::string_view list, std::string_view name) {
  for (const std::string_view entry : split(list, ',')) {
    if (entry.starts_with(name) && entry.substr(name.size()).starts_with('='))
      return number(entry.substr(name.size() + 1));
  }
  return std::nullopt;
}

// passlib writes base64 with '.' in place of '+' and no padding.
std::optional<std::string> from_passlib(std::string_view text) {
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '.', '+');
  auto bytes = from_base64(plain);
  if (!bytes || bytes->empty()) return std::nullopt;
  return std::move(*bytes);
}

struct Pbkdf2 {
  const EVP_MD* digest = nullptr;
  std::uint32_t rounds = 0;
  std::string salt, hash;
};

const EVP_MD* digest_named(std::string_view name) {
  if (name == "sha1" || name.empty()) return EVP_sha1();
  if (name == "sha256") return EVP_sha256();
  return name == "sha512" ? EVP_sha512() : nullptr;
}

// $pbkdf2-sha256$29000$<salt>$<hash> with both in passlib's base64, or
// pbkdf2_sha256$260000$<salt as it is>$<hash in base64>.
std::optional<Pbkdf2> parse_pbkdf2(std::string_view encoded) {
  const bool is_passlib = encoded.starts_with("$pbkdf2");
  if (is_passlib) encoded.remove_prefix(1);
  const auto parts = split(encoded, '$');
  if (parts.size() != 4 || !parts[0].starts_with("pbkdf2")) return std::nullopt;
  std::string_view digest = parts[0].substr(6);
  if (!digest.empty()) digest.remove_prefix(1);
  const auto rounds = number(parts[1]);
  const auto salt = is_passlib ? from_passlib(parts[2]) : std::optional(std::string(parts[2]));
  const auto hash = from_passlib(parts[3]);
  const EVP_MD* const known = digest_named(digest);
  if (known == nullptr || !rounds || *rounds == 0 || !salt || !hash) return std::nullopt;
  return Pbkdf2{known, *rounds, *salt, *hash};
}

bool verify_pbkdf2(std::string_view password, const Pbkdf2& wanted) {
  std::string made(wanted.hash.size(), '\0');
  const int outcome = PKCS5_PBKDF2_HMAC(
      password.data(), static_cast<int>(password.size()),
      reinterpret_cast<const unsigned char*>(wanted.salt.data()),
      static_cast<int>(wanted.salt.size()), static_cast<int>(wanted.rounds), wanted.digest,
      static_cast<int>(made.size()), reinterpret_cast<unsigned char*>(made.data()));
  return outcome == 1 && equal_in_constant_time(made, wanted.hash);
}

struct Scrypt {
  std::uint64_t n = 0, r = 0, p = 0;
  std::string salt, hash;

  std::uint64_t memory() const { return 128 * r * (n + p) + (1U << 20U); }
};

// $scrypt$ln=16,r=8,p=1$<salt>$<hash>
std::optional<Scrypt> parse_scrypt(std::string_view encoded) {
  const auto parts = split(encoded, '$');
  if (parts.size() != 5 || parts[1] != "scrypt") return std::nullopt;
  const auto log_n = setting(parts[2], "ln"), r = setting(parts[2], "r"),
             p = setting(parts[2], "p");
  const auto salt = from_passlib(parts[3]), hash = from_passlib(parts[4]);
  if (!log_n || !r || !p || !salt || !hash) return std::nullopt;
  if (*log_n < 1 || *log_n > 24 || *r < 1 || *r > 64 || *p < 1 || *p > 64) return std::nullopt;
  return Scrypt{1ULL << *log_n, *r, *p, *salt, *hash};
}

bool verify_scrypt(std::string_view password, const Scrypt& wanted) {
  std::string made(wanted.hash.size(), '\0');
  const int outcome = EVP_PBE_scrypt(
      password.data(), password.size(), reinterpret_cast<const unsigned char*>(wanted.salt.data()),
      wanted.salt.size(), wanted.n, wanted.r, wanted.p, kMaxMemoryBytes + (2U << 20U),
      reinterpret_cast<unsigned char*>(made.data()), made.size());
  return outcome == 1 && equal_in_constant_time(made, wanted.hash);
}

bool is_crypt(std::string_view encoded) {
  constexpr std::array<std::string_view, 7> kPrefixes{"$2a$", "$2b$", "$2y$", "$7$",
                                                      "$y$",  "$5$",  "$6$"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return encoded.starts_with(prefix); });
}

// crypt(3) ends a password at a NUL: such a one is never right.
bool verify_crypt(std::string_view password, const std::string& encoded) {
  if (password.find('\0') != std::string_view::npos) return false;
  const auto scratch = std::make_unique<crypt_data>();
  const std::string phrase(password);
  const char* const made = crypt_r(phrase.c_str(), encoded.c_str(), scratch.get());
  return made != nullptr && made[0] != '*' && equal_in_constant_time(made, encoded);
}

std::optional<argon2_type> argon_type(std::string_view encoded) {
  if (encoded.starts_with("$argon2id$")) return Argon2_id;
  if (encoded.starts_with("$argon2i$")) return Argon2_i;
  if (encoded.starts_with("$argon2d$")) return Argon2_d;
  return std::nullopt;
}

Error too_costly() {
  return Error(ErrorCode::kInvalidArgument, "the password hash costs more than a sign-in may");
}

Status check_argon(std::string_view encoded) {
  const auto parts = split(encoded, '$');
  // Version 16 has no part that says so.
  const std::size_t at = parts.size() > 2 && parts[2].starts_with("v=") ? 3 : 2;
  if (parts.size() != at + 3)
    return Error(ErrorCode::kInvalidArgument, "the Argon2 hash is malformed");
  const auto memory = setting(parts[at], "m"), passes = setting(parts[at], "t"),
             lanes = setting(parts[at], "p");
  if (!memory || !passes || !lanes)
    return Error(ErrorCode::kInvalidArgument, "the Argon2 hash is malformed");
  if (*memory > kMaxMemoryBytes / 1024 || *passes > kMaxArgonPasses || *lanes > kMaxArgonLanes)
    return too_costly();
  return {};
}

// The cost that a hash of crypt(3) names: two digits for bcrypt, "rounds=" for SHA-crypt. Those of
// scrypt and yescrypt are letters; libcrypt refuses what needs too much memory by itself.
Status check_crypt(const std::string& encoded) {
  if (encoded.starts_with("$2")) {
    const auto cost = number(std::string_view(encoded).substr(4, 2));
    if (encoded.size() != 60 || !cost)
      return Error(ErrorCode::kInvalidArgument, "the bcrypt hash is malformed");
    return *cost > kMaxBcryptCost ? Status(too_costly()) : Status();
  }
  if (encoded.starts_with("$7$")) {
    // N is two to the power of a digit of ./0-9A-Za-z; 'H' is 19.
    constexpr std::string_view kDigits =
        "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const std::size_t log_n = encoded.size() > 3 ? kDigits.find(encoded[3]) : kDigits.size();
    return log_n > 18 ? Status(too_costly()) : Status();
  }
  const std::size_t at = encoded.find("rounds=");
  if (at == 3) {
    const auto rounds = number(std::string_view(encoded).substr(10, encoded.find('$', 10) - 10));
    if (!rounds) return Error(ErrorCode::kInvalidArgument, "the SHA-crypt hash is malformed");
    if (*rounds > kMaxShaCryptRounds) return too_costly();
  }
  // yescrypt's cost is its second letter: 'B' (11) is 32 times the default.
  if (encoded.starts_with("$y$") && (encoded.size() < 5 || encoded[3] != 'j' || encoded[4] > 'B'))
    return too_costly();
  return {};
}

}  // namespace

bool verify_foreign_password(std::string_view password, const std::string& encoded) {
  if (const auto type = argon_type(encoded)) {
    return argon2_verify(encoded.c_str(), password.data(), password.size(), *type) == ARGON2_OK;
  }
  if (is_crypt(encoded)) return verify_crypt(password, encoded);
  if (const auto pbkdf2 = parse_pbkdf2(encoded)) return verify_pbkdf2(password, *pbkdf2);
  if (const auto scrypt = parse_scrypt(encoded)) return verify_scrypt(password, *scrypt);
  return false;
}

Status check_foreign_hash(const std::string& encoded) {
  if (encoded.size() > kMaxEncoded || encoded.find('\0') != std::string::npos)
    return Error(ErrorCode::kInvalidArgument, "the password hash is too long");
  if (argon_type(encoded)) return check_argon(encoded);
  if (is_crypt(encoded)) return check_crypt(encoded);
  if (const auto pbkdf2 = parse_pbkdf2(encoded))
    return pbkdf2->rounds > kMaxPbkdf2Rounds ? Status(too_costly()) : Status();
  if (const auto scrypt = parse_scrypt(encoded))
    return scrypt->memory() > kMaxMemoryBytes ? Status(too_costly()) : Status();
  return Error(ErrorCode::kInvalidArgument,
               "the password hash is of no known form (Argon2, bcrypt, scrypt, PBKDF2, crypt)");
}

}  // namespace restitch::auth
