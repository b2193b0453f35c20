#include "query/hashed_key.h"

#include <openssl/evp.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "base/assert.h"
#include "bson/decimal.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::ValueView;

// The number that stands for a type, equal for types that compare as one.
std::int32_t class_of(Type type) {
  switch (type) {
    case Type::kMinKey:
      return -1;
    case Type::kMissing:
    case Type::kNull:
      return 5;
    case Type::kUndefined:
      return 0;
    case Type::kDouble:
    case Type::kInt32:
    case Type::kInt64:
    case Type::kDecimal128:
      return 10;
    case Type::kString:
    case Type::kSymbol:
      return 15;
    case Type::kObject:
      return 20;
    case Type::kArray:
      return 25;
    case Type::kBinary:
      return 30;
    case Type::kObjectId:
      return 35;
    case Type::kBool:
      return 40;
    case Type::kDate:
      return 45;
    case Type::kTimestamp:
      return 47;
    case Type::kRegex:
      return 50;
    case Type::kDbPointer:
      return 55;
    case Type::kCode:
      return 60;
    case Type::kCodeWithScope:
      return 65;
    case Type::kMaxKey:
      return 127;
  }
  return 0;
}

// Towards zero; the nearest int64 beyond its range, and 0 for NaN.
std::int64_t integer_for_hash(ValueView number) {
  switch (number.type()) {
    case Type::kInt32:
      return number.get_int32();
    case Type::kInt64:
      return number.get_int64();
    case Type::kDecimal128: {
      const bson::Decimal128 value = number.get_decimal128();
      if (bson::decimal_is_nan(value)) return 0;
      if (!bson::decimal_is_infinite(value)) {
        if (const auto truncated = bson::decimal_to_int64_truncated(value)) return *truncated;
      }
      break;
    }
    default:
      if (std::isnan(number.get_double())) return 0;
      break;
  }
  const double value = *number.as_double();
  constexpr double kBeyond = 9223372036854775808.0;
  if (value >= kBeyond) return std::numeric_limits<std::int64_t>::max();
  if (value < -kBeyond) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(value);
}

class Hasher {
 public:
  void add(ValueView value) {
    add_bytes(class_of(value.type()));
    add_contents(value);
  }

  std::int64_t finish() const {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    RESTITCH_ASSERT(
        EVP_Digest(input_.data(), input_.size(), digest.data(), nullptr, EVP_md5(), nullptr) == 1);
    std::int64_t key;
    std::memcpy(&key, digest.data(), sizeof(key));
    return key;
  }

 private:
  template <typename T>
  void add_bytes(T number) {
    input_.append(reinterpret_cast<const char*>(&number), sizeof(number));
  }

  void add_contents(ValueView value) {
    switch (value.type()) {
      case Type::kObject:
      case Type::kArray:
        return add_members(value.get_document());
      case Type::kCodeWithScope:
        return add_scoped_code(value.raw());
      default:
        if (value.is_number()) return add_bytes(integer_for_hash(value));
        input_.append(value.raw());
    }
  }

  void add_members(bson::View document) {
    for (const bson::Element& element : document) {
      add_bytes(class_of(element.value.type()));
      input_.append(element.name).push_back('\0');
      add_contents(element.value);
    }
    add_bytes(std::int32_t{0});
  }

  // Two lengths, the code with its terminator, and the scope.
  void add_scoped_code(std::string_view raw) {
    std::int32_t length;
    std::memcpy(&length, raw.data() + 4, sizeof(length));
    constexpr std::size_t kLengths = 8;
    const auto code = static_cast<std::size_t>(length);
    input_.append(raw.substr(kLengths, code));
    add_members(bson::View(reinterpret_cast<const std::uint8_t*>(raw.data()) + kLengths + code));
  }

  std::string input_ = std::string(4, '\0');  // begins with the seed 0
};

}  // namespace

std::int64_t hashed_key(ValueView value) {
  Hasher hasher;
  hasher.add(value);
  return hasher.finish();
}

}  // namespace restitch::query
