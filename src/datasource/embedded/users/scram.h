#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

// The server's side of SCRAM (RFC 5802, RFC 7677) with MongoDB's figures (spec: mongodb-engine
// §2.1).
namespace restitch::datasource::embedded {

enum class ScramHash : std::uint8_t { kSha1, kSha256 };

// "SCRAM-SHA-1", "SCRAM-SHA-256"; nothing for other mechanisms.
std::optional<ScramHash> scram_hash_of(std::string_view mechanism);
std::string_view mechanism_of(ScramHash hash);

// What is stored of a password. Binary, not Base64.
struct ScramCredentials {
  std::int32_t iterations = 0;
  std::string salt, stored_key, server_key;

  bson::Document to_document() const;
  static std::optional<ScramCredentials> from_document(bson::View document);
};

// The password as SCRAM-SHA-256 uses it (SASLprep, RFC 4013). Errors 50687 and 50692.
Result<std::string> prepared_password(std::string_view password);

// With a fresh salt. Takes milliseconds: not for threads of the event loops.
Result<ScramCredentials> make_credentials(ScramHash hash, std::string_view user,
                                          std::string_view password);
// With the given salt.
Result<ScramCredentials> derive_credentials(ScramHash hash, std::string_view user,
                                            std::string_view password, std::string salt,
                                            std::int32_t iterations);
// Whether the password is the one the credentials were made of. Takes as long.
bool is_password_of(const ScramCredentials& credentials, ScramHash hash, std::string_view user,
                    std::string_view password);
// What an unknown user's exchange goes on with: always the same salt for the same name, and keys
// that no proof fits.
ScramCredentials fake_credentials(ScramHash hash, std::string_view secret,
                                  std::string_view full_name);

// One exchange. Errors are 18 for whatever is wrong.
class ScramExchange {
 public:
  explicit ScramExchange(ScramHash hash) : hash_(hash) {}

  // Reads the client's first message. The name is then known.
  Status read_first(std::string_view payload);
  const std::string& user() const { return user_; }
  // The server's first message. `nonce` is fresh_nonce().
  std::string answer_first(ScramCredentials credentials, std::string_view nonce);
  // Checks the client's proof; gives the server's last message.
  Result<std::string> finish(std::string_view payload);

  ScramHash hash() const { return hash_; }

 private:
  ScramHash hash_;
  std::string user_, gs2_header_, client_first_, server_first_, nonce_;
  ScramCredentials credentials_;
};

// 18, with a text that tells nothing.
Error authentication_failed();
std::string fresh_nonce();
// Time depends on the lengths only.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace restitch::datasource::embedded
