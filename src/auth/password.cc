#include "auth/password.h"

#include <argon2.h>

#include "auth/crypto.h"
#include "base/assert.h"

namespace restitch::auth {

std::string hash_password(std::string_view password, const PasswordCost& cost) {
  constexpr std::size_t kSaltBytes = 16;
  constexpr std::size_t kHashBytes = 32;
  const std::string salt = random_bytes(kSaltBytes);
  std::string encoded(argon2_encodedlen(cost.passes, cost.memory_kib, cost.lanes, kSaltBytes, kHashBytes, Argon2_id),
                      '\0');
  const int outcome =
      argon2id_hash_encoded(cost.passes, cost.memory_kib, cost.lanes, password.data(), password.size(), salt.data(),
                            salt.size(), kHashBytes, encoded.data(), encoded.size());
  RESTITCH_ASSERT(outcome == ARGON2_OK);
  encoded.resize(encoded.find('\0'));
  return encoded;
}

bool verify_password(std::string_view password, const std::string& encoded) {
  return argon2id_verify(encoded.c_str(), password.data(), password.size()) == ARGON2_OK;
}

}  // namespace restitch::auth
