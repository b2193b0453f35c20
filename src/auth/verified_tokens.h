#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "auth/tokens.h"

namespace restitch::auth {

// Access tokens whose signature was found right, with their claims: a client sends the same token
// for half an hour, and checking it costs more than the read it is sent for. Only what is true of a
// token for ever is kept; whether it has expired is looked at each time. Holds at most twice
// `capacity` tokens: when that many came anew, those that were not sent since the time before are
// forgotten. Thread-safe.
class VerifiedTokens {
 public:
  explicit VerifiedTokens(std::size_t capacity) : capacity_(capacity) {}

  // As verify_access_token.
  Result<AccessClaims> verify(const TokenRealm& realm, std::string_view token, std::int64_t now);

 private:
  struct Entry {
    TokenRealm realm;
    AccessClaims claims;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using Entries = std::unordered_map<std::string, Entry, TextHash, std::equal_to<>>;

  const Entry* find(std::string_view token);
  void put(std::string_view token, Entry entry);

  const std::size_t capacity_;
  std::mutex mutex_;
  Entries recent_, former_;
};

}  // namespace restitch::auth
