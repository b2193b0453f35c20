#include "bson/types.h"

#include <sys/random.h>

#include <atomic>
#include <chrono>
#include <cstring>

#include "base/assert.h"
#include "base/encoding.h"

namespace restitch::bson {
namespace {

struct Alias {
  Type type;
  std::string_view name;
};

constexpr Alias kAliases[] = {
    {Type::kDouble, "double"},
    {Type::kString, "string"},
    {Type::kObject, "object"},
    {Type::kArray, "array"},
    {Type::kBinary, "binData"},
    {Type::kUndefined, "undefined"},
    {Type::kObjectId, "objectId"},
    {Type::kBool, "bool"},
    {Type::kDate, "date"},
    {Type::kNull, "null"},
    {Type::kRegex, "regex"},
    {Type::kDbPointer, "dbPointer"},
    {Type::kCode, "javascript"},
    {Type::kSymbol, "symbol"},
    {Type::kCodeWithScope, "javascriptWithScope"},
    {Type::kInt32, "int"},
    {Type::kTimestamp, "timestamp"},
    {Type::kInt64, "long"},
    {Type::kDecimal128, "decimal"},
    {Type::kMinKey, "minKey"},
    {Type::kMaxKey, "maxKey"},
};

// What stays the same for every id of this process.
struct ProcessPart {
  std::uint8_t random[5];
  std::atomic<std::uint32_t> counter;

  ProcessPart() {
    std::uint8_t bytes[9];
    RESTITCH_ASSERT(::getrandom(bytes, sizeof(bytes), 0) == static_cast<ssize_t>(sizeof(bytes)));
    std::memcpy(random, bytes, 5);
    std::uint32_t start;
    std::memcpy(&start, bytes + 5, 4);
    counter.store(start & 0xFFFFFFU);
  }
};

}  // namespace

std::string_view alias_of(Type type) {
  for (const Alias& alias : kAliases) {
    if (alias.type == type) return alias.name;
  }
  return "missing";
}

std::optional<Type> type_from_alias(std::string_view name) {
  for (const Alias& alias : kAliases) {
    if (alias.name == name) return alias.type;
  }
  return std::nullopt;
}

ObjectId ObjectId::generate() {
  static ProcessPart process;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
  const std::uint32_t count = process.counter.fetch_add(1, std::memory_order_relaxed) & 0xFFFFFFU;
  ObjectId id;
  for (unsigned i = 0; i < 4; ++i)
    id.bytes[i] = static_cast<std::uint8_t>(seconds >> (24U - 8U * i));
  std::memcpy(id.bytes.data() + 4, process.random, 5);
  for (unsigned i = 0; i < 3; ++i)
    id.bytes[9 + i] = static_cast<std::uint8_t>(count >> (16U - 8U * i));
  return id;
}

std::optional<ObjectId> ObjectId::from_hex(std::string_view hex) {
  if (hex.size() != 24) return std::nullopt;
  const auto bytes = restitch::from_hex(hex);
  if (!bytes) return std::nullopt;
  ObjectId id;
  std::memcpy(id.bytes.data(), bytes->data(), 12);
  return id;
}

std::string ObjectId::to_hex() const {
  return restitch::to_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::uint32_t ObjectId::seconds() const {
  return static_cast<std::uint32_t>(bytes[0]) << 24U | static_cast<std::uint32_t>(bytes[1]) << 16U |
         static_cast<std::uint32_t>(bytes[2]) << 8U | bytes[3];
}

}  // namespace restitch::bson
