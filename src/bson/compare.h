#pragma once

#include <cstddef>

#include "bson/document.h"
#include "bson/view.h"

namespace restitch::bson {

// MongoDB's canonical order over all types (spec: mongodb-engine §6.1). Numbers compare by exact
// value across types, NaN below every number; -0.0 equals 0; strings bytewise; objects pair by pair
// (type class, name, value); arrays element by element; binary by length, subtype, bytes. Missing
// compares like undefined when `missing_is_null` is false (aggregation) and like null when it is
// true (sort, indexes).
int compare(ValueView a, ValueView b, bool missing_is_null = false);
int compare(View a, View b);
inline bool equal(ValueView a, ValueView b) { return compare(a, b) == 0; }
inline bool equal(View a, View b) { return compare(a, b) == 0; }

// Position of a type in the canonical order; types of one class compare with each other. kMissing
// is in the class of kUndefined.
int canonical_class(Type type);

// Equal values (in the sense above) give equal hashes.
std::size_t hash(ValueView value);

struct ValueHash {
  std::size_t operator()(const Value& value) const { return hash(value.view()); }
};
struct ValueEqual {
  bool operator()(const Value& a, const Value& b) const { return equal(a.view(), b.view()); }
};

}  // namespace restitch::bson
