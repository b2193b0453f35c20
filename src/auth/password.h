#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace restitch::auth {

// Cost of one Argon2id hash. A hash takes tens of milliseconds and `memory_kib`: compute it on a pool of its own.
struct PasswordCost {
  std::uint32_t memory_kib = 19456;
  std::uint32_t passes = 2;
  std::uint32_t lanes = 1;
};

// Encoded form "$argon2id$v=19$…" with a random salt.
std::string hash_password(std::string_view password, const PasswordCost& cost);
bool verify_password(std::string_view password, const std::string& encoded);

}  // namespace restitch::auth
