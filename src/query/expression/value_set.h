#pragma once

#include <unordered_map>
#include <unordered_set>

#include "bson/document.h"
#include "query/comparator.h"

namespace restitch::query {

// Hash and equality of values under a comparator, for owned values and views alike.
struct ComparatorHash {
  using is_transparent = void;
  const Comparator* comparator;

  std::size_t operator()(bson::ValueView value) const { return comparator->hash(value); }
  std::size_t operator()(const bson::Value& value) const { return comparator->hash(value.view()); }
};
struct ComparatorEqual {
  using is_transparent = void;
  const Comparator* comparator;

  bool operator()(bson::ValueView a, bson::ValueView b) const { return comparator->equal(a, b); }
};
struct ComparatorLess {
  const Comparator* comparator;

  bool operator()(bson::ValueView a, bson::ValueView b) const {
    return comparator->compare(a, b) < 0;
  }
};

using ViewSet = std::unordered_set<bson::ValueView, ComparatorHash, ComparatorEqual>;
using OwnedValueSet = std::unordered_set<bson::Value, ComparatorHash, ComparatorEqual>;
template <typename T>
using ValueMap = std::unordered_map<bson::Value, T, ComparatorHash, ComparatorEqual>;

// The comparator must outlive the container.
template <typename Container>
Container make_value_container(const Comparator& comparator) {
  return Container(0, ComparatorHash{&comparator}, ComparatorEqual{&comparator});
}

}  // namespace restitch::query
