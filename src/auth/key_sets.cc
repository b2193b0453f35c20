#include "auth/key_sets.h"

#include <algorithm>

#include "base/log.h"
#include "bson/extended_json.h"

namespace restitch::auth {
namespace {

constexpr std::chrono::minutes kLeastTime{5};
constexpr std::chrono::hours kMostTime{24};
constexpr std::chrono::seconds kRefetchPause{30};
constexpr std::size_t kMaxSets = 1'000;

// Keys that cannot be used are left out: sets hold keys for other purposes too.
std::vector<VerificationKey> keys_of(std::string_view json) {
  bson::JsonOptions options;
  options.extended = false;
  std::vector<VerificationKey> keys;
  const auto parsed = bson::parse_json_with(json, options);
  const auto set = parsed ? parsed->value.view().as_object() : std::nullopt;
  if (!set) return keys;
  if (const auto list = (*set)["keys"].as_array()) {
    for (const bson::Element& element : *list) {
      const auto jwk = element.value.as_object();
      auto key = jwk ? VerificationKey::from_jwk(*jwk)
                     : Result<VerificationKey>(Error(ErrorCode::kInvalidArgument, ""));
      if (key) keys.push_back(std::move(*key));
    }
  } else if (auto single = VerificationKey::from_jwk(*set)) {
    keys.push_back(std::move(*single));
  }
  return keys;
}

std::vector<VerificationKey> matching(const std::vector<VerificationKey>& keys,
                                      const std::string& key_id) {
  if (key_id.empty()) return keys;
  std::vector<VerificationKey> found;
  std::copy_if(keys.begin(), keys.end(), std::back_inserter(found),
               [&](const VerificationKey& key) { return key.id() == key_id; });
  return found;
}

}  // namespace

std::shared_ptr<const KeySets::Kept> KeySets::kept(const std::string& url) {
  const std::lock_guard lock(mutex_);
  const auto found = sets_.find(url);
  return found == sets_.end() ? nullptr : found->second;
}

Task<std::shared_ptr<const KeySets::Kept>> KeySets::fetch(std::string url) {
  net::OutboundRequest request;
  request.url = url;
  RESTITCH_CO_TRY(const net::OutboundResponse response,
                  co_await outbound_.send(std::move(request)));
  if (response.status != 200) {
    co_return Error(ErrorCode::kSourceUnavailable,
                    "the key set answered " + std::to_string(response.status));
  }
  auto set = std::make_shared<Kept>();
  set->keys = keys_of(response.body);
  set->fetched = Clock::now();
  const auto asked = response.max_age.value_or(std::chrono::seconds(0));
  set->expires = set->fetched + std::clamp<std::chrono::seconds>(asked, kLeastTime, kMostTime);
  const std::lock_guard lock(mutex_);
  if (sets_.size() >= kMaxSets) sets_.clear();
  sets_[url] = set;
  co_return std::shared_ptr<const Kept>(std::move(set));
}

Task<std::vector<VerificationKey>> KeySets::find(std::string url, std::string key_id) {
  std::shared_ptr<const Kept> set = kept(url);
  const Clock::time_point now = Clock::now();
  if (set && now < set->expires) {
    auto keys = matching(set->keys, key_id);
    if (!keys.empty() || now - set->fetched < kRefetchPause) co_return keys;
  }
  auto fetched = co_await fetch(url);
  if (!fetched && !set) co_return std::move(fetched).error();
  if (!fetched) {
    RESTITCH_LOG(kWarning, kAuth, 3301, "Key set not fetched again; the former one is used",
                 {"error", fetched.error().message()});
  } else {
    set = std::move(*fetched);
  }
  co_return matching(set->keys, key_id);
}

}  // namespace restitch::auth
