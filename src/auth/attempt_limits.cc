#include "auth/attempt_limits.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <chrono>

namespace restitch::auth {
namespace {

namespace ip = boost::asio::ip;

constexpr std::int32_t kAddressesOfAnAttack = 10;

// A household or host has a /64 of IPv6 to choose addresses from.
std::string origin_of(const std::string& address) {
  boost::system::error_code failed;
  const ip::address parsed = ip::make_address(address, failed);
  if (failed || parsed.is_v4()) return address;
  const ip::address_v6 v6 = parsed.to_v6();
  if (v6.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, v6).to_string();
  return ip::network_v6(v6, 64).canonical().to_string();
}

// A loopback address stands for the server's own host, or for all that a proxy there brings.
bool tells_clients_apart(const std::string& address) {
  boost::system::error_code failed;
  const ip::address parsed = ip::make_address(address, failed);
  if (failed) return false;
  const bool is_mapped = parsed.is_v6() && parsed.to_v6().is_v4_mapped();
  return is_mapped ? !ip::make_address_v4(ip::v4_mapped, parsed.to_v6()).is_loopback()
                   : !parsed.is_loopback();
}

std::string key_of(char kind, const Attempt& attempt, bool with_account, bool with_address) {
  std::string key(1, kind);
  if (with_account) key.append(attempt.app_id.to_hex()).append(attempt.account).push_back('\0');
  if (with_address) key.append(origin_of(attempt.address));
  return key;
}

}  // namespace

Status AttemptLimits::take_all(const std::vector<Limit>& limits) {
  const auto now = AttemptTable::Clock::now();
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const auto wait = table_.take(limits[i].key, limits[i].rate, now);
    if (wait.count() == 0) continue;
    for (std::size_t taken = 0; taken < i; ++taken)
      table_.give_back(limits[taken].key, limits[taken].rate);
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
    return Error(ErrorCode::kTooManyRequests, "too many requests")
        .with_retry_after(static_cast<int>(seconds));
  }
  return {};
}

std::vector<AttemptLimits::Limit> AttemptLimits::sign_in_limits(const Attempt& attempt) const {
  std::vector<Limit> limits;
  if (tells_clients_apart(attempt.address))
    limits.push_back({key_of('s', attempt, false, true), rates_.sign_in_address});
  if (attempt.account.empty()) return limits;
  limits.push_back({key_of('a', attempt, true, true), rates_.sign_in_account});
  AttemptRate everywhere = rates_.sign_in_account;
  everywhere.count *= kAddressesOfAnAttack;
  limits.push_back({key_of('e', attempt, true, false), everywhere});
  return limits;
}

Status AttemptLimits::begin_sign_in(const Attempt& attempt) {
  return take_all(sign_in_limits(attempt));
}

void AttemptLimits::sign_in_not_refused(const Attempt& attempt) {
  for (const Limit& limit : sign_in_limits(attempt)) table_.give_back(limit.key, limit.rate);
}

Status AttemptLimits::register_account(const Attempt& attempt) {
  if (!tells_clients_apart(attempt.address)) return {};
  return take_all({{key_of('r', attempt, false, true), rates_.register_address}});
}

Status AttemptLimits::ask_for_message(const Attempt& attempt) {
  std::vector<Limit> limits{{key_of('m', attempt, true, false), rates_.message_account}};
  if (tells_clients_apart(attempt.address))
    limits.push_back({key_of('n', attempt, false, true), rates_.message_address});
  return take_all(limits);
}

}  // namespace restitch::auth
