#include "auth/verified_tokens.h"

#include <utility>

namespace restitch::auth {

namespace {

constexpr std::size_t kLongestToken = 8U << 10U;

}  // namespace

Result<AccessClaims> VerifiedTokens::verify(const TokenRealm& realm, std::string_view token,
                                            std::int64_t now) {
  {
    const std::lock_guard lock(mutex_);
    const Entry* known = find(token);
    if (known != nullptr && known->realm == realm && known->claims.expires_at > now)
      return known->claims;
  }
  RESTITCH_TRY(AccessClaims claims, verify_access_token(realm, token, now));
  if (token.size() <= kLongestToken) {
    const std::lock_guard lock(mutex_);
    put(token, {realm, claims});
  }
  return claims;
}

const VerifiedTokens::Entry* VerifiedTokens::find(std::string_view token) {
  if (const auto found = recent_.find(token); found != recent_.end()) return &found->second;
  const auto found = former_.find(token);
  if (found == former_.end()) return nullptr;
  Entry entry = std::move(found->second);
  former_.erase(found);
  put(token, std::move(entry));
  return &recent_.find(token)->second;
}

void VerifiedTokens::put(std::string_view token, Entry entry) {
  if (recent_.size() >= capacity_) {
    former_ = std::move(recent_);
    recent_.clear();
  }
  recent_.insert_or_assign(std::string(token), std::move(entry));
}

}  // namespace restitch::auth
