#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::datasource::embedded {

// Typed access to the fields of a command or of one of its statements, with the errors of MongoDB's
// request parser (spec: mongodb-engine §1): 14 for a wrong type, 51024 for a negative number, 40414
// for a missing field.
class Fields {
 public:
  // `owner` is the name that error texts give the structure; it must outlive this.
  Fields(bson::View view, std::string_view owner) : view_(view), owner_(owner) {}

  bson::ValueView operator[](std::string_view name) const { return view_.find(name); }
  bool has(std::string_view name) const { return view_.contains(name); }
  bson::View view() const { return view_; }

  // Absent or null objects read as the empty document.
  Result<bson::View> object(std::string_view name) const;
  Result<bson::View> required_object(std::string_view name) const;
  Result<bson::View> required_array(std::string_view name) const;
  // Absent arrays read as the empty document.
  Result<bson::View> array(std::string_view name) const;
  // Numbers count as booleans.
  Result<bool> boolean(std::string_view name, bool fallback = false) const;
  Result<std::string_view> string(std::string_view name, std::string_view fallback = "") const;
  Result<std::string_view> required_string(std::string_view name) const;
  // Any numeric type with an integral value.
  Result<std::optional<std::int64_t>> integer(std::string_view name) const;
  Result<std::optional<std::int64_t>> non_negative(std::string_view name) const;

  Error wrong_type(std::string_view name, std::string_view expected) const;
  Error missing(std::string_view name) const;

 private:
  bson::View view_;
  std::string_view owner_;
};

}  // namespace restitch::datasource::embedded
