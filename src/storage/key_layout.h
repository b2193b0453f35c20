#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "bson/types.h"
#include "storage/engine.h"

// Keys of the column families (spec: mongodb-engine §13.1). All numbers are big-endian, so that
// byte order is numeric order.
//
//   records   be32 collection | be64 record id              -> BSON
//   indexes   be32 index | key | be64 record id             -> type bits                    (not
//   unique)
//             be32 index | key                              -> be64 record id | type bits (unique)
//   changes   be64 cluster time | be32 position             -> 1 byte: has image | BSON
//   images    be64 cluster time | be32 position             -> BSON
namespace restitch::storage::keys {

inline constexpr std::size_t kIdentBytes = 4;
inline constexpr std::size_t kRecordIdBytes = 8;
// Sorts above every index key and every record id, and stays inside the ident's prefix.
inline constexpr char kAboveAll = '\xFF';

inline void store_be32(char* out, std::uint32_t value) {
  const std::uint32_t swapped = __builtin_bswap32(value);
  std::memcpy(out, &swapped, sizeof(swapped));
}
inline void store_be64(char* out, std::uint64_t value) {
  const std::uint64_t swapped = __builtin_bswap64(value);
  std::memcpy(out, &swapped, sizeof(swapped));
}
inline std::uint32_t load_be32(const char* data) {
  std::uint32_t value;
  std::memcpy(&value, data, sizeof(value));
  return __builtin_bswap32(value);
}
inline std::uint64_t load_be64(const char* data) {
  std::uint64_t value;
  std::memcpy(&value, data, sizeof(value));
  return __builtin_bswap64(value);
}

// A cluster time as one number: seconds << 32 | increment.
using Ticks = std::uint64_t;
constexpr Ticks ticks_of(bson::Timestamp time) {
  return (static_cast<Ticks>(time.seconds) << 32U) | time.increment;
}
constexpr bson::Timestamp time_of(Ticks ticks) {
  return {static_cast<std::uint32_t>(ticks >> 32U), static_cast<std::uint32_t>(ticks)};
}

class RecordKey {
 public:
  RecordKey(CollectionId collection, RecordId id) {
    store_be32(bytes_, collection);
    store_be64(bytes_ + kIdentBytes, static_cast<std::uint64_t>(id));
  }
  std::string_view view() const { return {bytes_, sizeof(bytes_)}; }

 private:
  char bytes_[kIdentBytes + kRecordIdBytes];
};

inline RecordId record_of(std::string_view record_key) {
  return static_cast<RecordId>(load_be64(record_key.data() + kIdentBytes));
}

class ChangeKey {
 public:
  ChangeKey(Ticks ticks, std::uint32_t position) {
    store_be64(bytes_, ticks);
    store_be32(bytes_ + 8, position);
  }
  std::string_view view() const { return {bytes_, sizeof(bytes_)}; }

 private:
  char bytes_[12];
};

inline std::string ident_prefix(std::uint32_t ident) {
  std::string key(kIdentBytes, '\0');
  store_be32(key.data(), ident);
  return key;
}
// Exclusive end of an ident's keys; still inside its prefix.
inline std::string ident_end(std::uint32_t ident) { return ident_prefix(ident) + kAboveAll; }

// Key of an index entry, on the stack unless it is long.
class EntryKey {
 public:
  EntryKey(IndexId index, std::string_view key) {
    bytes_.resize(kIdentBytes + key.size(), boost::container::default_init);
    store_be32(bytes_.data(), index);
    if (!key.empty()) std::memcpy(bytes_.data() + kIdentBytes, key.data(), key.size());
  }
  EntryKey(IndexId index, std::string_view key, RecordId id) : EntryKey(index, key) {
    const std::size_t size = bytes_.size();
    bytes_.resize(size + kRecordIdBytes, boost::container::default_init);
    store_be64(bytes_.data() + size, static_cast<std::uint64_t>(id));
  }
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  boost::container::small_vector<char, 120> bytes_;
};

// Rows of the engine's own column family.
inline constexpr std::string_view kClockRow =
    "clock";  // be64: last cluster time of a commit without changes
inline constexpr std::string_view kIdentRow = "idents";     // be32: idents from here on are free
inline constexpr std::string_view kTrimmedRow = "trimmed";  // change key of the last trimmed change
inline constexpr std::string_view kRepairRow = "repair";    // has no meaning (LogWriter::repair)
inline constexpr std::string_view kSegmentRows =
    "segment/";  // + be64 first time -> be64 last time, be64 bytes
inline constexpr std::string_view kReclaimRows = "reclaim/";  // + 'c' or 'i', be32 ident -> nothing

}  // namespace restitch::storage::keys
