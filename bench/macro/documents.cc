#include "bench/macro/documents.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <random>
#include <utility>

namespace restitch::bench {

using bson::Builder;
using bson::Document;
using bson::ObjectId;

namespace {

constexpr std::uint32_t kItemPrefix = 0x65a00000;

}  // namespace

std::string formatted(const char* format, std::size_t number) {
  char text[64];
  const int size = std::snprintf(text, sizeof text, format, number);
  return std::string(text, static_cast<std::size_t>(size));
}

std::string letters(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text(count, ' ');
  for (char& letter : text) letter = static_cast<char>('a' + random() % 26);
  return text;
}

ObjectId item_id(std::size_t number) {
  ObjectId id;
  const std::uint32_t prefix = __builtin_bswap32(kItemPrefix);
  const std::uint64_t rest = __builtin_bswap64(number);
  std::memcpy(id.bytes.data(), &prefix, sizeof prefix);
  std::memcpy(id.bytes.data() + sizeof prefix, &rest, sizeof rest);
  return id;
}

Document item(const ObjectId& id, std::size_t number, std::int32_t amount) {
  const auto build = [&](const std::string& body) {
    Builder builder;
    builder.append("_id", id);
    builder.append("owner", "65a0000000000000000000aa");
    builder.append("title", formatted("Item %08zu", number));
    builder.append("category", formatted("category-%02zu", number % kCategories));
    builder.append("body", body);
    builder.append("amount", amount);
    builder.append("rating", static_cast<std::int32_t>(number % 5 + 1));
    builder.append("internal", formatted("margin-%03zu", number % 997));
    return std::move(builder).finish();
  };
  const std::size_t bare = build("").bytes().size();
  return build(letters(kItemBytes - bare, number));
}

std::string record_key(std::size_t number) { return formatted("user%012zu", number); }

Document record(std::size_t number) {
  Builder builder;
  builder.append("_id", record_key(number));
  for (std::size_t field = 0; field < kRecordFields; ++field) {
    builder.append(formatted("field%zu", field),
                   letters(kRecordFieldBytes, number * kRecordFields + field));
  }
  return std::move(builder).finish();
}

std::vector<std::size_t> shuffled(std::size_t count) {
  std::vector<std::size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(count));
  return numbers;
}

}  // namespace restitch::bench
