#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace restitch::auth {

// Cost of one Argon2id hash. A hash takes tens of milliseconds and `memory_kib`: compute it on a
// pool of its own.
struct PasswordCost {
  std::uint32_t memory_kib = 19456;
  std::uint32_t passes = 2;
  std::uint32_t lanes = 1;
};

// In the place of a hash: no password is right until a new one was set.
inline constexpr std::string_view kNoPassword = "!";

// Encoded form "$argon2id$v=19$…" with a random salt.
std::string hash_password(std::string_view password, const PasswordCost& cost);

// Whether the password is the one of the hash. Besides those of hash_password, hashes that accounts
// bring from elsewhere: Argon2 of any kind, bcrypt ($2a$, $2b$, $2y$), scrypt ($7$ of crypt(3), and
// $scrypt$ as passlib writes it), yescrypt ($y$), SHA-crypt ($5$, $6$) and PBKDF2
// ($pbkdf2-sha256$… as passlib writes it, pbkdf2_sha256$… as Django does; sha1 and sha512 too).
bool verify_password(std::string_view password, const std::string& encoded);

// Whether verify_password knows the form and the cost is one that a server can bear:
// kInvalidArgument otherwise, without a part of the hash in the text.
Status check_password_hash(const std::string& encoded);

// Whether a hash should be replaced by one of hash_password with this cost.
bool is_outdated(std::string_view encoded, const PasswordCost& cost);

}  // namespace restitch::auth
