#pragma once

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace restitch::net {

// IP addresses and networks in CIDR form, of both families. An IPv4 address that came over IPv6
// (::ffff:a.b.c.d) counts as IPv4. Immutable once filled.
class AddressSet {
 public:
  // kInvalidArgument for what is neither an address nor a network; host bits may be set.
  Status add(std::string_view text);

  bool contains(std::string_view address) const;  // false for what is no address
  bool empty() const { return v4_.empty() && v6_.empty(); }

 private:
  std::vector<boost::asio::ip::network_v4> v4_;
  std::vector<boost::asio::ip::network_v6> v6_;
};

}  // namespace restitch::net
