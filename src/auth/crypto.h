#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace restitch::auth {

std::string hmac_sha256(std::string_view key, std::string_view text);  // 32 bytes
std::string hmac_sha1(std::string_view key, std::string_view text);    // 20 bytes; for foreign signatures only
std::string sha256(std::string_view bytes);                            // 32 bytes
std::string random_bytes(std::size_t count);
// `count` characters of `alphabet`, each equally likely.
std::string random_text(std::size_t count, std::string_view alphabet);
// Time depends on the lengths only.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// Seals small secrets at rest with AES-256-GCM under a key that lies in its own file (0600).
class SecretBox {
 public:
  // Reads the 32-byte key, or makes the file with a fresh one.
  static Result<SecretBox> open(const std::string& key_file);

  // nonce ‖ ciphertext ‖ tag; `purpose` is bound to the text and must be given again to open it.
  std::string seal(std::string_view plain, std::string_view purpose) const;
  // kCorrupt when the bytes were not sealed with this key and purpose.
  Result<std::string> open_sealed(std::string_view sealed, std::string_view purpose) const;

 private:
  std::array<unsigned char, 32> key_{};
};

}  // namespace restitch::auth
