#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include "bson/document.h"
#include "query/context.h"
#include "query/filter/filter.h"

namespace restitch::query {

// One evaluation of a filter tree. Allocates nothing for ordinary predicates.
class Matcher {
 public:
  Matcher(const CommandContext& context, MatchDetails* details, std::vector<bson::Value>* variables)
      : context_(context), details_(details), variables_(variables) {}

  // The tree's paths start at the document.
  bool document(const FilterNode& node, bson::View document);
  // The tree's paths start at the value, as if it were a field's value: arrays are entered.
  bool field_value(const FilterNode& node, bson::ValueView value);
  // Predicates on exactly this value, missing included; arrays are not entered.
  bool exact_value(const FilterNode& node, bson::ValueView value);

  // What went wrong in an expression; the answers are void then.
  std::optional<Error>& error() { return error_; }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  template <typename Leaf>
  bool logical(const FilterNode& node, const Leaf& evaluate);

  bool in_object(const FilterNode& node, bson::View object, std::size_t depth, std::size_t outer);
  bool in_array(const FilterNode& node, bson::View array, std::size_t depth, std::size_t outer);
  bool reached(const FilterNode& node, bson::ValueView value, std::size_t depth, std::size_t outer);
  bool at_end(const FilterNode& node, bson::ValueView value, std::size_t outer);
  bool accept(const FilterNode& node, bson::ValueView value, std::size_t outer);
  bool element_matches(const FilterNode& node, bson::View array, std::size_t outer);

  bool test(const FilterNode& node, bson::ValueView value) const;
  bool test_equal(const FilterNode& node, bson::ValueView value) const;
  bool test_order(const FilterNode& node, bson::ValueView value) const;
  bool test_in(const FilterNode& node, bson::ValueView value) const;
  bool test_expression(const FilterNode& node, bson::View document);
  void record(std::size_t index) {
    if (details_ != nullptr && index != kNone) details_->array_index = index;
  }

  const CommandContext& context_;
  MatchDetails* details_;
  std::vector<bson::Value>* variables_;
  std::optional<Error> error_;
};

}  // namespace restitch::query
