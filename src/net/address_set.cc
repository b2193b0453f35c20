#include "net/address_set.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <optional>

namespace restitch::net {
namespace {

namespace ip = boost::asio::ip;

std::optional<ip::address> address_of(std::string_view text) {
  boost::system::error_code failed;
  const ip::address parsed = ip::make_address(std::string(text), failed);
  if (failed) return std::nullopt;
  if (parsed.is_v6() && parsed.to_v6().is_v4_mapped())
    return ip::make_address_v4(ip::v4_mapped, parsed.to_v6());
  return parsed;
}

std::optional<unsigned> prefix_of(std::string_view text, unsigned most) {
  unsigned length = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (failed != std::errc() || end != text.data() + text.size() || length > most)
    return std::nullopt;
  return length;
}

}  // namespace

Status AddressSet::add(std::string_view text) {
  const Error invalid(
      ErrorCode::kInvalidArgument,
      "'" + std::string(text) + "' is neither an IP address nor a network such as 192.0.2.0/24");
  const std::size_t slash = text.find('/');
  const auto address = address_of(text.substr(0, slash));
  if (!address) return invalid;
  const unsigned most = address->is_v4() ? 32 : 128;
  const auto prefix = slash == std::string_view::npos ? std::optional(most)
                                                      : prefix_of(text.substr(slash + 1), most);
  if (!prefix) return invalid;
  if (address->is_v4()) {
    v4_.push_back(
        ip::network_v4(address->to_v4(), static_cast<unsigned short>(*prefix)).canonical());
  } else {
    v6_.push_back(
        ip::network_v6(address->to_v6(), static_cast<unsigned short>(*prefix)).canonical());
  }
  return {};
}

bool AddressSet::contains(std::string_view text) const {
  const auto address = address_of(text);
  if (!address) return false;
  const auto holds = [&](const auto& network, const auto& one) {
    using Network = std::decay_t<decltype(network)>;
    return Network(one, network.prefix_length()).canonical() == network;
  };
  if (address->is_v4()) {
    return std::any_of(v4_.begin(), v4_.end(),
                       [&](const auto& network) { return holds(network, address->to_v4()); });
  }
  return std::any_of(v6_.begin(), v6_.end(),
                     [&](const auto& network) { return holds(network, address->to_v6()); });
}

}  // namespace restitch::net
