#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/attempt_table.h"
#include "base/result.h"
#include "bson/types.h"

namespace restitch::auth {

// What the server lets strangers do how often. Addresses are those of clients: an IPv4 address, or the
// /64 network of an IPv6 one; loopback addresses are not counted by themselves.
struct AttemptRates {
  AttemptRate sign_in_account{20, 600};   // refused sign-ins of an account from one address
  AttemptRate sign_in_address{200, 600};  // refused sign-ins from one address
  AttemptRate register_address{2000,
                               600};  // new e-mail logins and anonymous users from one address
  AttemptRate message_account{10,
                              600};  // messages and function calls to confirm or reset one e-mail
  AttemptRate message_address{200, 600};  // the same from one address
};

// Who tries: an account of an app ("" = the attempt names none) from an address ("" = from within).
struct Attempt {
  bson::ObjectId app_id;
  std::string account, address;
};

// Keeps those rates. An account that is attacked from many addresses bears ten times the attempts
// of one address, so that nobody can lock its owner out from elsewhere with a few. All errors are
// kTooManyRequests with the time to wait. Thread-safe.
class AttemptLimits {
 public:
  explicit AttemptLimits(AttemptRates rates) : rates_(rates), table_(kKeys) {}

  // Counts a sign-in as refused, before it is looked at: many at once do not get past the limit.
  Status begin_sign_in(const Attempt& attempt);
  // It was not refused.
  void sign_in_not_refused(const Attempt& attempt);
  Status register_account(const Attempt& attempt);
  Status ask_for_message(const Attempt& attempt);

 private:
  static constexpr std::size_t kKeys = 1U << 17U;

  struct Limit {
    std::string key;
    AttemptRate rate;
  };
  Status take_all(const std::vector<Limit>& limits);
  std::vector<Limit> sign_in_limits(const Attempt& attempt) const;

  AttemptRates rates_;
  AttemptTable table_;
};

}  // namespace restitch::auth
