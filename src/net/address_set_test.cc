#include "net/address_set.h"

#include <gtest/gtest.h>

namespace restitch::net {
namespace {

AddressSet set_of(std::initializer_list<std::string_view> entries) {
  AddressSet set;
  for (const std::string_view entry : entries) EXPECT_TRUE(set.add(entry)) << entry;
  return set;
}

TEST(AddressSet, holds_addresses_and_networks_of_both_families) {
  const AddressSet set = set_of({"192.0.2.7", "198.51.100.0/24", "2001:db8::/32", "::1"});
  for (const char* in :
       {"192.0.2.7", "198.51.100.255", "2001:db8:ffff::1", "::1", "::ffff:192.0.2.7"})
    EXPECT_TRUE(set.contains(in)) << in;
  for (const char* out :
       {"192.0.2.8", "198.51.101.0", "2001:db9::1", "::2", "::ffff:192.0.2.8", "", "x"})
    EXPECT_FALSE(set.contains(out)) << out;
}

TEST(AddressSet, a_prefix_of_zero_holds_the_whole_family_and_no_other) {
  const AddressSet v4 = set_of({"0.0.0.0/0"});
  EXPECT_TRUE(v4.contains("203.0.113.9"));
  EXPECT_FALSE(v4.contains("2001:db8::1"));
  EXPECT_TRUE(set_of({"::/0"}).contains("2001:db8::1"));
}

TEST(AddressSet, host_bits_of_a_network_do_not_matter) {
  EXPECT_TRUE(set_of({"10.1.2.3/8"}).contains("10.200.0.1"));
}

TEST(AddressSet, refuses_what_is_no_address_or_network) {
  AddressSet set;
  for (const char* bad : {"", "/", "1.2.3", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/8x",
                          "::1/129", "example.org", "1.2.3.4 "}) {
    const Status added = set.add(bad);
    ASSERT_FALSE(added) << bad;
    EXPECT_EQ(added.error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(set.empty());
}

}  // namespace
}  // namespace restitch::net
