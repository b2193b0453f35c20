#pragma once

#include <memory>
#include <string>
#include <vector>

#include "query/filter/filter.h"

namespace restitch::datasource::embedded {

// A leaf of a filter's conjunction with the path it is about.
struct Predicate {
  const query::FilterNode* node = nullptr;
  std::string path;
  bool is_negated = false;
  // Predicates of one $elemMatch speak of the same element. Null outside.
  const query::FilterNode* element_group = nullptr;
  // A comparison of $expr: by the order of all values, without type bracketing. Owned here.
  std::shared_ptr<const query::FilterNode> comparison;
};

// What a filter demands, as far as indexes can serve it.
struct Conjunction {
  std::vector<Predicate> predicates;
  std::vector<const query::FilterNode*> unions;  // $or nodes
  bool has_others = false;                       // parts that no index can serve
};

// Adds what `node` demands.
void collect_predicates(const query::FilterNode& node, Conjunction& out);

// Whether a document that matches the predicate has a value at its path.
bool needs_presence(const Predicate& predicate);

}  // namespace restitch::datasource::embedded
