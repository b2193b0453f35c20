#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"
#include "query/filter/filter.h"

namespace restitch::query {

using FilterNodePtr = std::unique_ptr<FilterNode>;

// Whether `name` is an operator that stands below a field ($gt, $in, $elemMatch and so on).
bool is_field_operator(std::string_view name);

// Whether an object is a set of operators and not a literal: its first name starts with `$` and it
// is no DBRef. `incomplete_dbref`: a lone $ref, $id or $db makes a literal, too.
bool is_operator_object(bson::View object, bool incomplete_dbref = false);

// Reads the query language into filter nodes.
class FilterParser {
 public:
  FilterParser(const CommandContext& context, const FilterOptions& options)
      : context_(context), options_(options) {}

  Result<FilterNodePtr> parse(bson::View query) { return parse_query(query, Place::kTop); }
  // Operators or a regex for the bare value itself.
  Result<FilterNodePtr> parse_value_operators(bson::ValueView operators);

 private:
  enum class Place { kTop, kElemMatch };
  using Nodes = std::vector<FilterNodePtr>;

  Result<FilterNodePtr> parse_query(bson::View query, Place place);
  Status parse_element(const bson::Element& element, Place place, Nodes& out);
  Status parse_top_operator(const bson::Element& element, Place place, Nodes& out);
  Status parse_logical(FilterOp op, const bson::Element& element, Place place, Nodes& out);
  Status parse_expr(bson::ValueView value, Place place, Nodes& out);
  Status parse_json_schema(bson::ValueView value, Nodes& out);
  Status parse_unoffered(const bson::Element& element, Place place) const;
  static Status parse_constant(const bson::Element& element, Nodes& out);
  static Status parse_sample_rate(bson::ValueView value, Nodes& out);

  Status parse_operators(const FilterNode& path, bson::View operators, Nodes& out);
  Status parse_operator(const FilterNode& path, const bson::Element& element, bson::View siblings,
                        Nodes& out);
  Status parse_comparison(const FilterNode& path, FilterOp op, const bson::Element& element,
                          Nodes& out);
  Status parse_not_equal(const FilterNode& path, bson::ValueView value, Nodes& out);
  Result<FilterNodePtr> parse_in(const FilterNode& path, const bson::Element& element);
  Status parse_not(const FilterNode& path, bson::ValueView value, Nodes& out);
  Status parse_regex(const FilterNode& path, bson::View siblings, Nodes& out);
  Status parse_all(const FilterNode& path, bson::ValueView value, Nodes& out);
  Status parse_all_elem_match(const FilterNode& path, bson::View elements, Nodes& out);
  Status parse_elem_match(const FilterNode& path, bson::ValueView value, Nodes& out);

  const CommandContext& context_;
  const FilterOptions& options_;
};

// Readers of single operators' operands, shared by nothing but the parser; each fills `node`.
Status read_type_operand(std::string_view path, bson::ValueView value, FilterNode& node);
Status read_mod_operand(bson::ValueView value, FilterNode& node);
Status read_size_operand(const bson::Element& element, FilterNode& node);
Status read_bits_operand(std::string_view path, const bson::Element& element, FilterNode& node);

}  // namespace restitch::query
