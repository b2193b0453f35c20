#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "bson/document.h"

namespace restitch::bson {

// Random values for property tests: every type, with numbers crowded around the places where
// representations meet, so that equal and nearly equal values of different types are common. The
// same seed gives the same values.
class ValueGenerator {
 public:
  explicit ValueGenerator(std::uint64_t seed) : random_(seed) {}

  Value value(int max_depth = 3);
  Value number();
  Document object(int max_depth);
  std::string text();
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

 private:
  std::int64_t integer();
  double real();
  Decimal128 decimal();
  Value simple(std::uint64_t kind);
  Document array(int max_depth);

  std::mt19937_64 random_;
};

}  // namespace restitch::bson
