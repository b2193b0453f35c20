#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bson/document.h"

// The documents of the benchmarks whose load is made in C++.
namespace restitch::bench {

inline constexpr std::size_t kItemBytes = 240;
inline constexpr std::size_t kCategories = 40;
inline constexpr std::size_t kRecordFields = 10;
inline constexpr std::size_t kRecordFieldBytes = 100;

// The fields of harness/documents.py: 240 B.
bson::Document item(const bson::ObjectId& id, std::size_t number, std::int32_t amount);
bson::ObjectId item_id(std::size_t number);

// A record of YCSB: a string key and ten fields of 100 B.
bson::Document record(std::size_t number);
std::string record_key(std::size_t number);

// Printed with one %zu.
std::string formatted(const char* format, std::size_t number);
// Text that depends on the seed alone.
std::string letters(std::size_t count, std::uint64_t seed);
// The numbers below `count` in an order that is the same in every run.
std::vector<std::size_t> shuffled(std::size_t count);

}  // namespace restitch::bench
