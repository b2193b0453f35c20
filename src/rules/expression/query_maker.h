#pragma once

#include <string>
#include <vector>

#include "bson/document.h"
#include "rules/expression/bound_expression.h"

namespace restitch::rules {

// A set of documents that holds every document for which something is true.
struct Pushed {
  enum class Kind : std::uint8_t { kAll, kNone, kQuery };

  Kind kind = Kind::kAll;
  bool exact = false;    // no other document is in it
  bson::Document query;  // kQuery

  static Pushed all(bool exact) { return {Kind::kAll, exact, {}}; }
  static Pushed none() { return {Kind::kNone, true, {}}; }
  static Pushed of(bson::Document query, bool exact) {
    return {Kind::kQuery, exact, std::move(query)};
  }

  // {} for kAll; a query that matches nothing for kNone.
  bson::Document to_query() const;
};

Pushed both(std::vector<Pushed> parts);
Pushed either(std::vector<Pushed> parts);

// Translates a bound expression into queries. %%root and %%prevRoot both stand for the stored
// document.
class QueryMaker {
 public:
  explicit QueryMaker(BoundExpression& bound) : bound_(bound) {}

  Pushed make() { return make(bound_.program_->root, false); }

 private:
  Pushed make(const ExpressionNode& node, bool negated);
  Pushed join(const ExpressionNode& node, bool negated);
  Pushed compare(const ExpressionNode& node, bool negated);
  Pushed compare_field(const ExpressionNode& node, bool negated);
  Pushed compare_with_field(const ExpressionNode& node);

  BoundExpression& bound_;
};

}  // namespace restitch::rules
