#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "auth/jwt.h"
#include "net/outbound.h"
#include "runtime/task.h"

namespace restitch::auth {

// Key sets (JWKS) behind URLs, kept as long as their answers say, a day at most and five minutes at
// least. A key id that a kept set lacks makes it fetched once more, but not within 30 seconds of
// the last time. Thread-safe.
class KeySets {
 public:
  explicit KeySets(net::Outbound& outbound) : outbound_(outbound) {}

  // The keys of the set that may have signed a token with this key id: that of the id, or all when
  // the token names none. Empty when there is no such key. kSourceUnavailable when the set cannot
  // be had.
  Task<std::vector<VerificationKey>> find(std::string url, std::string key_id);

 private:
  using Clock = std::chrono::steady_clock;
  struct Kept {
    std::vector<VerificationKey> keys;
    Clock::time_point fetched, expires;
  };

  Task<std::shared_ptr<const Kept>> fetch(std::string url);
  std::shared_ptr<const Kept> kept(const std::string& url);

  net::Outbound& outbound_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Kept>>
      sets_;  // by URL: those of deployed configurations
};

}  // namespace restitch::auth
