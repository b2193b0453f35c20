#include "bson/key_encoding.h"
#include "fuzz.h"

// Any stored bytes are refused or give a value that encodes to a key which gives the same value.
// The first byte chooses the direction, the second the number of bytes behind it that are type
// bits.
namespace {

using namespace restitch;

void check(const bson::Value& value, bool descending) {
  std::string key;
  std::string bits;
  bson::append_key(key, value, descending);
  bson::append_type_bits(bits, value);
  const auto length = bson::encoded_length(key, descending);
  RESTITCH_ASSERT(length && *length == key.size());
  std::string_view key_view = key;
  std::string_view bits_view = bits;
  const auto again = bson::decode_key(key_view, bits_view, descending);
  RESTITCH_ASSERT(again && key_view.empty() && bits_view.empty());
  RESTITCH_ASSERT(again->type() == value.type() && again->view().raw() == value.view().raw());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view input = fuzz::text_of(data, size);
  const bool descending = (data[0] & 1U) != 0;
  std::string_view bits = input.substr(2, data[1]);
  std::string_view key = input.substr(2 + bits.size());
  const std::size_t key_size = key.size();
  const auto length = bson::encoded_length(key, descending);
  const auto value = bson::decode_key(key, bits, descending);
  if (!value) return 0;
  RESTITCH_ASSERT(length && *length == key_size - key.size());
  check(*value, descending);
  return 0;
}
