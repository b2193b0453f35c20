#include "bson/key_encoding.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/encoding.h"
#include "bson/compare.h"
#include "bson/decimal.h"
#include "bson/extended_json.h"
#include "bson/value_generator.h"

namespace restitch::bson {
namespace {

std::string key_of(ValueView value, bool descending = false) {
  std::string out;
  append_key(out, value, descending);
  return out;
}

int sign(int order) { return (order > 0) - (order < 0); }

std::string describe(const Value& value) {
  return to_json(value) + " type " + std::string(alias_of(value.type())) + " key " +
         to_hex(key_of(value));
}

std::uint64_t chosen_seed() {
  const char* text = std::getenv("RESTITCH_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 20240601;
}

class KeyProperties : public testing::Test {
 protected:
  KeyProperties() : seed_(chosen_seed()), generator_(seed_), trace_(__FILE__, __LINE__, note()) {}

  std::string note() const { return "RESTITCH_TEST_SEED=" + std::to_string(seed_); }

  void expect_order(const Value& a, const Value& b) {
    const int expected = sign(compare(a, b, true));
    for (const bool descending : {false, true}) {
      const std::string left = key_of(a, descending);
      const std::string right = key_of(b, descending);
      const int order = sign(left.compare(right));
      ASSERT_EQ(order, descending ? -expected : expected) << describe(a) << "\n" << describe(b);
      if (order != 0) {
        ASSERT_FALSE(left.starts_with(right)) << describe(a) << "\n" << describe(b);
        ASSERT_FALSE(right.starts_with(left)) << describe(a) << "\n" << describe(b);
      }
    }
    if (compare(a, b) == 0) {
      ASSERT_EQ(hash(a), hash(b)) << describe(a) << "\n" << describe(b);
    }
  }

  std::uint64_t seed_;
  ValueGenerator generator_;
  testing::ScopedTrace trace_;
};

TEST_F(KeyProperties, byte_order_is_the_canonical_order_and_no_key_starts_another) {
  std::vector<Value> values;
  for (int i = 0; i < 700; ++i) values.push_back(generator_.value());
  for (const Value& a : values) {
    for (const Value& b : values) {
      expect_order(a, b);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(KeyProperties, numbers_of_every_type_are_ordered_by_exact_value) {
  std::vector<Value> values;
  for (int i = 0; i < 1000; ++i) values.push_back(generator_.number());
  for (const Value& a : values) {
    for (const Value& b : values) {
      expect_order(a, b);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(KeyProperties, key_and_type_bits_restore_the_identical_value) {
  for (int i = 0; i < 20000; ++i) {
    const Value value = generator_.value();
    const bool descending = generator_.below(2) == 0;
    std::string key = key_of(value, descending);
    const std::size_t size = key.size();
    ASSERT_EQ(*encoded_length(key, descending), size) << describe(value);
    key.append("rest");
    std::string bits;
    append_type_bits(bits, value);
    bits.append("bits");
    std::string_view key_view = key;
    std::string_view bits_view = bits;
    const auto decoded = decode_key(key_view, bits_view, descending);
    ASSERT_TRUE(decoded) << describe(value) << decoded.error().message();
    ASSERT_EQ(decoded->type(), value.type()) << describe(value);
    ASSERT_EQ(to_hex(decoded->view().raw()), to_hex(value.view().raw())) << describe(value);
    ASSERT_EQ(key_view, "rest");
    ASSERT_EQ(bits_view, "bits");
  }
}

TEST_F(KeyProperties, zero_type_bits_at_the_end_may_be_dropped) {
  for (int i = 0; i < 5000; ++i) {
    const Value value = generator_.value();
    const std::string key = key_of(value);
    std::string bits;
    append_type_bits(bits, value);
    while (!bits.empty() && bits.back() == '\0') bits.pop_back();
    std::string_view key_view = key;
    std::string_view bits_view = bits;
    const auto decoded = decode_key(key_view, bits_view);
    ASSERT_TRUE(decoded) << describe(value);
    ASSERT_EQ(to_hex(decoded->view().raw()), to_hex(value.view().raw())) << describe(value);
  }
}

TEST_F(KeyProperties, truncated_keys_are_corrupt_and_never_read_past_their_end) {
  for (int i = 0; i < 2000; ++i) {
    const Value value = generator_.value();
    const std::string key = key_of(value);
    for (std::size_t size = 0; size < key.size(); ++size) {
      const std::string part = key.substr(0, size);
      EXPECT_FALSE(encoded_length(part)) << describe(value) << " cut at " << size;
      std::string_view key_view = part;
      std::string_view bits_view;
      const auto decoded = decode_key(key_view, bits_view);
      ASSERT_FALSE(decoded) << describe(value) << " cut at " << size;
      EXPECT_EQ(decoded.error().code(), ErrorCode::kCorrupt);
    }
  }
}

TEST_F(KeyProperties, changed_keys_decode_to_a_value_or_an_error) {
  for (int i = 0; i < 20000; ++i) {
    const Value value = generator_.value();
    std::string key = key_of(value);
    std::string bits;
    append_type_bits(bits, value);
    key[generator_.below(key.size())] = static_cast<char>(generator_.below(256));
    if (!bits.empty()) bits[generator_.below(bits.size())] = static_cast<char>(generator_.below(8));
    std::string_view key_view = key;
    std::string_view bits_view = bits;
    const auto decoded = decode_key(key_view, bits_view);
    if (decoded) {
      EXPECT_FALSE(to_json(*decoded).empty());
    }
  }
}

TEST(KeyEncoding, equal_numbers_of_different_types_share_one_key) {
  const std::string one = key_of(Value::of(1));
  EXPECT_EQ(key_of(Value::of(std::int64_t{1})), one);
  EXPECT_EQ(key_of(Value::of(1.0)), one);
  EXPECT_EQ(key_of(Value::of(*decimal_from_string("1.000"))), one);
  EXPECT_EQ(key_of(Value::of(0.5)), key_of(Value::of(*decimal_from_string("0.50"))));
  EXPECT_LT(key_of(Value::of(*decimal_from_string("0.1"))), key_of(Value::of(0.1)));
  EXPECT_EQ(key_of(Value::of(std::numeric_limits<std::int64_t>::min())),
            key_of(Value::of(-9223372036854775808.0)));
}

TEST(KeyEncoding, missing_shares_the_key_of_null) {
  EXPECT_EQ(key_of(ValueView()), key_of(Value::null()));
}

TEST(KeyEncoding, discriminators_lie_outside_every_value) {
  for (const bool descending : {false, true}) {
    for (const Value& value : {Value::min_key(), Value::max_key()}) {
      const auto first = static_cast<unsigned char>(key_of(value, descending).front());
      EXPECT_GT(first, static_cast<unsigned char>(kBelowAllValues));
      EXPECT_LT(first, static_cast<unsigned char>(kAboveAllValues));
    }
  }
}

TEST(KeyEncoding, deep_nesting_in_stored_bytes_is_corrupt) {
  const std::string key(100000, '\x50');
  std::string_view key_view = key;
  std::string_view bits_view;
  EXPECT_FALSE(decode_key(key_view, bits_view));
  EXPECT_FALSE(encoded_length(key));
}

}  // namespace
}  // namespace restitch::bson
