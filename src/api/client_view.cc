#include "api/client_view.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <vector>

namespace restitch::api {
namespace {

bool is_named(std::string_view name, std::string_view wanted) {
  return std::equal(name.begin(), name.end(), wanted.begin(), wanted.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == b;
  });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The entries of a list header, over all its lines, first to last.
std::vector<std::string_view> entries_of(const net::HttpRequest& request, std::string_view name) {
  std::vector<std::string_view> entries;
  request.for_each_header([&](std::string_view header, std::string_view value) {
    if (!is_named(header, name)) return;
    while (true) {
      const std::size_t comma = value.find(',');
      entries.push_back(trim(value.substr(0, comma)));
      if (comma == std::string_view::npos) break;
      value.remove_prefix(comma + 1);
    }
  });
  return entries;
}

// "192.0.2.1:4711", "[2001:db8::1]:4711" and plain addresses; "" when it is none.
std::string address_in(std::string_view entry) {
  if (entry.starts_with('[')) {
    entry = entry.substr(1, entry.find(']') - 1);
  } else if (std::count(entry.begin(), entry.end(), ':') == 1) {
    entry = entry.substr(0, entry.find(':'));
  }
  boost::system::error_code failed;
  const auto address = boost::asio::ip::make_address(std::string(entry), failed);
  return failed ? std::string() : address.to_string();
}

std::string client_address(const net::HttpRequest& request, const net::AddressSet& trusted) {
  std::string address = request.remote_ip();
  const std::vector<std::string_view> chain = entries_of(request, "x-forwarded-for");
  for (auto entry = chain.rbegin(); entry != chain.rend() && trusted.contains(address); ++entry) {
    std::string before = address_in(*entry);
    if (before.empty()) break;
    address = std::move(before);
  }
  return address;
}

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("-._:[]").find(c) != std::string_view::npos;
  });
}

}  // namespace

ClientView client_view(const net::HttpRequest& request, const net::AddressSet& trusted_proxies,
                       const std::string& public_url) {
  ClientView view{request.remote_ip(), public_url};
  const bool behind_proxy = trusted_proxies.contains(request.remote_ip());
  if (behind_proxy) view.address = client_address(request, trusted_proxies);
  if (!public_url.empty()) return view;
  std::string_view scheme = "http", host = request.header("Host");
  if (behind_proxy) {
    const auto schemes = entries_of(request, "x-forwarded-proto");
    const auto hosts = entries_of(request, "x-forwarded-host");
    if (!schemes.empty() && is_named(schemes.front(), "https")) scheme = "https";
    if (!hosts.empty() && is_host(hosts.front())) host = hosts.front();
  }
  view.base_url = std::string(scheme) + "://" + std::string(is_host(host) ? host : "localhost");
  return view;
}

}  // namespace restitch::api
