#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace restitch::bson {

// BSON type bytes (bsonspec.org). kMissing is not a BSON type: it marks "no value" in results of
// look-ups.
enum class Type : std::uint8_t {
  kMissing = 0x00,
  kDouble = 0x01,
  kString = 0x02,
  kObject = 0x03,
  kArray = 0x04,
  kBinary = 0x05,
  kUndefined = 0x06,
  kObjectId = 0x07,
  kBool = 0x08,
  kDate = 0x09,
  kNull = 0x0A,
  kRegex = 0x0B,
  kDbPointer = 0x0C,
  kCode = 0x0D,
  kSymbol = 0x0E,
  kCodeWithScope = 0x0F,
  kInt32 = 0x10,
  kTimestamp = 0x11,
  kInt64 = 0x12,
  kDecimal128 = 0x13,
  kMinKey = 0xFF,
  kMaxKey = 0x7F,
};

// MongoDB's alias, e.g. "objectId"; "missing" for kMissing.
std::string_view alias_of(Type type);
// The reverse of alias_of for real types; nothing for an unknown alias.
std::optional<Type> type_from_alias(std::string_view alias);

constexpr bool is_number(Type type) {
  return type == Type::kInt32 || type == Type::kInt64 || type == Type::kDouble ||
         type == Type::kDecimal128;
}

struct ObjectId {
  std::array<std::uint8_t, 12> bytes{};

  // A new id: seconds, a random value of this process, a counter. Safe from every thread.
  static ObjectId generate();
  // Nothing unless exactly 24 hex digits.
  static std::optional<ObjectId> from_hex(std::string_view hex);
  std::string to_hex() const;
  std::uint32_t seconds() const;

  auto operator<=>(const ObjectId&) const = default;
};

// Two halves of an IEEE 754-2008 decimal128 in BID encoding.
struct Decimal128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  bool operator==(const Decimal128&) const = default;
};

struct Timestamp {
  std::uint32_t seconds = 0;
  std::uint32_t increment = 0;

  auto operator<=>(const Timestamp&) const = default;
};

struct Date {
  std::int64_t millis = 0;  // since the Unix epoch, UTC

  auto operator<=>(const Date&) const = default;
};

struct BinaryView {
  std::string_view bytes;
  std::uint8_t subtype = 0;
};

struct RegexView {
  std::string_view pattern;
  std::string_view options;
};

struct Null {};
struct Undefined {};
struct MinKey {};
struct MaxKey {};

// Limits of the engine (MongoDB's figures).
inline constexpr std::size_t kMaxDocumentBytes = 16777216;          // stored document
inline constexpr std::size_t kMaxInternalDocumentBytes = 16793600;  // command or reply document
inline constexpr int kMaxDepth = 180;                               // nesting of a stored document

}  // namespace restitch::bson
