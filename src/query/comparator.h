#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/compare.h"
#include "bson/document.h"

namespace restitch::query {

// String order of a locale. Immutable and shared; thread-safe.
class Collation {
 public:
  // Reads MongoDB's collation document. {locale: "simple"} and {} give nullptr (binary order).
  // Errors are MongoDB's (9, 2, 40415, 51024).
  static Result<std::shared_ptr<const Collation>> parse(bson::View spec);

  virtual ~Collation() = default;
  virtual int compare(std::string_view a, std::string_view b) const = 0;
  // ICU sort key: memcmp order is the collation's order.
  virtual std::string sort_key(std::string_view text) const = 0;
  // The completed specification, as listIndexes prints it.
  virtual const bson::Document& spec() const = 0;
};

// The value with every string in it replaced by its sort key, so that bson::compare, bson::hash and
// bson::append_key give the collation's order. For index keys, sort keys and hashing.
bson::Value collated(bson::ValueView value, const Collation& collation);

// Canonical BSON order with an optional collation for strings at every depth. Cheap to copy.
class Comparator {
 public:
  Comparator() = default;
  explicit Comparator(std::shared_ptr<const Collation> collation)
      : collation_(std::move(collation)) {}

  int compare(bson::ValueView a, bson::ValueView b) const {
    return collation_ ? compare_collated(a, b) : bson::compare(a, b);
  }
  bool equal(bson::ValueView a, bson::ValueView b) const { return compare(a, b) == 0; }
  std::size_t hash(bson::ValueView value) const;
  const Collation* collation() const { return collation_.get(); }
  bool is_simple() const { return collation_ == nullptr; }

 private:
  int compare_collated(bson::ValueView a, bson::ValueView b) const;

  std::shared_ptr<const Collation> collation_;
};

}  // namespace restitch::query
