#include "query/update/upsert.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace restitch::query {
namespace {

using Equalities = std::map<std::string, bson::ValueView>;

Status add_equality(const std::string& path, bson::ValueView value, Equalities& equalities) {
  if (path.substr(0, 4) == "_id.") {
    return mongo_error(
        111, "field at '_id' must be exactly specified, field at sub-path '" + path + "'found");
  }
  if (!equalities.emplace(path, value).second) {
    return mongo_error(54,
                       "cannot infer query fields to set, path '" + path + "' is matched twice");
  }
  return {};
}

Status collect(const FilterNode& node, Equalities& equalities) {
  switch (node.op) {
    case FilterOp::kAnd:
      for (const auto& child : node.children) RESTITCH_CHECK(collect(*child, equalities));
      return {};
    case FilterOp::kOr:
      if (node.children.size() == 1) return collect(*node.children.front(), equalities);
      return {};
    case FilterOp::kEq:
      return add_equality(node.path, node.operand, equalities);
    case FilterOp::kIn:
      if (node.in_values.size() != 1 || !node.regexes.empty()) return {};
      return add_equality(node.path, node.in_values.front(), equalities);
    default:
      return {};
  }
}

bool has_expression(const FilterNode& node) {
  if (node.op == FilterOp::kExpr) return true;
  for (const auto& child : node.children) {
    if (has_expression(*child)) return true;
  }
  return false;
}

Status check_prefixes(const Equalities& equalities) {
  for (const auto& [path, value] : equalities) {
    for (std::size_t dot = path.find('.'); dot != std::string::npos;
         dot = path.find('.', dot + 1)) {
      const std::string prefix = path.substr(0, dot);
      if (equalities.count(prefix) == 0) continue;
      return mongo_error(54, "cannot infer query fields to set, both paths '" + path + "' and '" +
                                 prefix + "' are matched");
    }
  }
  return {};
}

Result<Equalities> read_equalities(const Filter& filter) {
  if (has_expression(filter.root())) {
    return mongo_error(224, "$expr is not allowed in this context");
  }
  Equalities equalities;
  RESTITCH_CHECK(collect(filter.root(), equalities));
  RESTITCH_CHECK(check_prefixes(equalities));
  return equalities;
}

// Writes the fields below `prefix` (with its dot). Paths of one object need not be neighbours in
// string order
// ("a.b", "a-b.c", "a.d" are not), so each name gathers all paths that share it.
void write_below(const Equalities& equalities, const std::string& prefix, bson::Builder& builder) {
  std::vector<std::string> written;
  for (const auto& [path, value] : equalities) {
    if (path.substr(0, prefix.size()) != prefix) continue;
    const std::string rest = path.substr(prefix.size());
    const std::size_t dot = rest.find('.');
    if (dot == std::string::npos) {
      builder.append(rest, value);
      continue;
    }
    const std::string name = rest.substr(0, dot);
    if (std::find(written.begin(), written.end(), name) != written.end()) continue;
    written.push_back(name);
    builder.open_object(name);
    write_below(equalities, prefix + name + ".", builder);
    builder.close();
  }
}

}  // namespace

Result<bson::Document> document_from_query(const Filter& filter) {
  RESTITCH_TRY(const Equalities equalities, read_equalities(filter));
  bson::Builder builder;
  write_below(equalities, "", builder);
  return std::move(builder).finish();
}

Result<bson::Value> id_from_query(const Filter& filter) {
  RESTITCH_TRY(const Equalities equalities, read_equalities(filter));
  const auto id = equalities.find("_id");
  return id == equalities.end() ? bson::Value() : bson::Value(id->second);
}

}  // namespace restitch::query
