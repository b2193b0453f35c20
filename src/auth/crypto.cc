#include "auth/crypto.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace restitch::auth {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;

struct CipherContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, CipherContextDeleter>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
int size_of(std::string_view text) { return static_cast<int>(text.size()); }

Error io_error(const std::string& what, const std::string& path) {
  return Error(ErrorCode::kIo, what + " " + path + ": " + std::strerror(errno));
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string out(32, '\0');
  unsigned int size = 0;
  RESTITCH_ASSERT(::HMAC(EVP_sha256(), key.data(), size_of(key), bytes_of(text), text.size(), bytes_of(out), &size) !=
                  nullptr);
  return out;
}

std::string hmac_sha1(std::string_view key, std::string_view text) {
  std::string out(20, '\0');
  unsigned int size = 0;
  RESTITCH_ASSERT(::HMAC(EVP_sha1(), key.data(), size_of(key), bytes_of(text), text.size(), bytes_of(out), &size) !=
                  nullptr);
  return out;
}

std::string sha256(std::string_view bytes) {
  std::string out(32, '\0');
  RESTITCH_ASSERT(::EVP_Digest(bytes.data(), bytes.size(), bytes_of(out), nullptr, EVP_sha256(), nullptr) == 1);
  return out;
}

std::string random_bytes(std::size_t count) {
  std::string out(count, '\0');
  RESTITCH_ASSERT(::RAND_bytes(bytes_of(out), static_cast<int>(count)) == 1);
  return out;
}

std::string random_text(std::size_t count, std::string_view alphabet) {
  // Bytes at or above the largest multiple of the alphabet's size are thrown away, so that no letter is favoured.
  const std::size_t limit = 256 / alphabet.size() * alphabet.size();
  std::string out;
  while (out.size() < count) {
    for (const char c : random_bytes(count)) {
      const auto value = static_cast<unsigned char>(c);
      if (value < limit && out.size() < count) out.push_back(alphabet[value % alphabet.size()]);
    }
  }
  return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Result<SecretBox> SecretBox::open(const std::string& key_file) {
  SecretBox box;
  const int existing = ::open(key_file.c_str(), O_RDONLY | O_CLOEXEC);
  if (existing >= 0) {
    const ssize_t got = ::read(existing, box.key_.data(), box.key_.size());
    ::close(existing);
    if (got != static_cast<ssize_t>(box.key_.size())) {
      return Error(ErrorCode::kCorrupt, "the key file " + key_file + " does not hold 32 bytes");
    }
    return box;
  }
  if (errno != ENOENT) return io_error("cannot read the key file", key_file);
  const std::string fresh = random_bytes(box.key_.size());
  std::memcpy(box.key_.data(), fresh.data(), fresh.size());
  const int created = ::open(key_file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (created < 0) return io_error("cannot create the key file", key_file);
  const bool stored = ::write(created, fresh.data(), fresh.size()) == static_cast<ssize_t>(fresh.size()) &&
                      ::fsync(created) == 0;
  ::close(created);
  if (!stored) return io_error("cannot write the key file", key_file);
  return box;
}

std::string SecretBox::seal(std::string_view plain, std::string_view purpose) const {
  const std::string nonce = random_bytes(kNonceBytes);
  std::string out = nonce;
  out.resize(kNonceBytes + plain.size() + kTagBytes);
  const CipherContext context(EVP_CIPHER_CTX_new());
  int size = 0;
  RESTITCH_ASSERT(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), bytes_of(nonce)) == 1);
  RESTITCH_ASSERT(EVP_EncryptUpdate(context.get(), nullptr, &size, bytes_of(purpose), size_of(purpose)) == 1);
  RESTITCH_ASSERT(EVP_EncryptUpdate(context.get(), bytes_of(out) + kNonceBytes, &size, bytes_of(plain),
                                    size_of(plain)) == 1);
  RESTITCH_ASSERT(EVP_EncryptFinal_ex(context.get(), bytes_of(out) + kNonceBytes + plain.size(), &size) == 1);
  RESTITCH_ASSERT(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                                      bytes_of(out) + kNonceBytes + plain.size()) == 1);
  return out;
}

Result<std::string> SecretBox::open_sealed(std::string_view sealed, std::string_view purpose) const {
  const Error corrupt(ErrorCode::kCorrupt, "a stored secret cannot be decrypted with this key file");
  if (sealed.size() < kNonceBytes + kTagBytes) return corrupt;
  const std::string_view nonce = sealed.substr(0, kNonceBytes);
  const std::string_view cipher = sealed.substr(kNonceBytes, sealed.size() - kNonceBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  std::string out(cipher.size(), '\0');
  const CipherContext context(EVP_CIPHER_CTX_new());
  int size = 0;
  if (EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), bytes_of(nonce)) != 1 ||
      EVP_DecryptUpdate(context.get(), nullptr, &size, bytes_of(purpose), size_of(purpose)) != 1 ||
      EVP_DecryptUpdate(context.get(), bytes_of(out), &size, bytes_of(cipher), size_of(cipher)) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, bytes_of(tag)) != 1 ||
      EVP_DecryptFinal_ex(context.get(), bytes_of(out) + out.size(), &size) != 1) {
    return corrupt;
  }
  return out;
}

}  // namespace restitch::auth
