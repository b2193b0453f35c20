#include "auth/password.h"

#include <argon2.h>

#include "auth/crypto.h"
#include "auth/foreign_password.h"
#include "base/assert.h"

namespace restitch::auth {
namespace {

std::string parameters_of(const PasswordCost& cost) {
  return "$argon2id$v=19$m=" + std::to_string(cost.memory_kib) +
         ",t=" + std::to_string(cost.passes) + ",p=" + std::to_string(cost.lanes) + "$";
}

}  // namespace

std::string hash_password(std::string_view password, const PasswordCost& cost) {
  constexpr std::size_t kSaltBytes = 16;
  constexpr std::size_t kHashBytes = 32;
  const std::string salt = random_bytes(kSaltBytes);
  std::string encoded(argon2_encodedlen(cost.passes, cost.memory_kib, cost.lanes, kSaltBytes,
                                        kHashBytes, Argon2_id),
                      '\0');
  const int outcome = argon2id_hash_encoded(
      cost.passes, cost.memory_kib, cost.lanes, password.data(), password.size(), salt.data(),
      salt.size(), kHashBytes, encoded.data(), encoded.size());
  RESTITCH_ASSERT(outcome == ARGON2_OK);
  encoded.resize(encoded.find('\0'));
  return encoded;
}

bool verify_password(std::string_view password, const std::string& encoded) {
  if (encoded.starts_with("$argon2id$"))
    return argon2id_verify(encoded.c_str(), password.data(), password.size()) == ARGON2_OK;
  return verify_foreign_password(password, encoded);
}

Status check_password_hash(const std::string& encoded) {
  if (encoded == kNoPassword) return {};
  return check_foreign_hash(encoded);
}

bool is_outdated(std::string_view encoded, const PasswordCost& cost) {
  return encoded != kNoPassword && !encoded.starts_with(parameters_of(cost));
}

}  // namespace restitch::auth
