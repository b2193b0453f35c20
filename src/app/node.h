#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config.h"
#include "app/names.h"
#include "bson/document.h"

namespace restitch::app {

// A value of a configuration file together with the place where it stands. The typed readers report
// a value of a wrong type at that place and go on with the fallback; null counts as absent.
// A Node refers to the file name, the value and the findings: all three must outlive it.
class Node {
 public:
  Node(std::string_view file, bson::ValueView value, Findings& findings)
      : Node(file, {}, value, findings) {}

  bson::ValueView value() const { return value_; }
  std::string_view file() const { return file_; }
  const std::string& pointer() const { return pointer_; }
  bool exists() const { return !value_.is_nullish(); }

  // A member or element; absent if there is none or this is no object.
  Node operator[](std::string_view name) const;

  std::string text(std::string_view fallback = {}) const;
  std::string required_text() const;  // reports an absent or empty one
  bool flag(bool fallback = false) const;
  std::optional<std::int64_t> integer() const;
  std::vector<std::string> texts() const;
  bson::Document object() const;
  // The value if it is a boolean or an object, as rule expressions are.
  std::optional<bson::Value> expression() const;
  // One of `choices`; anything else is reported and gives the fallback.
  std::string choice(std::span<const std::string_view> choices, std::string_view fallback) const;

  // False (and reported unless absent) if the value is no object or array.
  bool is_object() const;
  bool is_array() const;

  // Calls visit(name, member) for every member of an object.
  template <typename Visit>
  void each_member(Visit visit) const {
    if (!is_object()) return;
    for (const bson::Element& element : value_.get_document()) {
      visit(element.name, Node(file_, below(pointer_, element.name), element.value, *findings_));
    }
  }
  // Calls visit(element) for every element of an array.
  template <typename Visit>
  void each_element(Visit visit) const {
    if (!is_array()) return;
    for (const bson::Element& element : value_.get_document()) {
      visit(Node(file_, below(pointer_, element.name), element.value, *findings_));
    }
  }

  // Every member must be named in `known`; others are reported with the name they may mean.
  void refuse_unknown_members(std::span<const std::string_view> known) const;
  void warn_of_unknown_members(std::span<const std::string_view> known) const;

  void error(std::string message, std::string code = "InvalidParameter") const;
  void warning(std::string message, std::string code = "InvalidParameter") const;

 private:
  Node(std::string_view file, std::string pointer, bson::ValueView value, Findings& findings)
      : file_(file), pointer_(std::move(pointer)), value_(value), findings_(&findings) {}

  std::string_view file_;
  std::string pointer_;
  bson::ValueView value_;
  Findings* findings_;
};

// Checks a name against the charset and length of services, triggers and the like.
void check_name(const Node& node, std::string_view name, std::size_t max_length = kMaxNameLength);

}  // namespace restitch::app
