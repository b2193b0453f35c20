#include "datasource/embedded/plan_cache.h"

#include <cstdio>

#include "bson/extended_json.h"

namespace restitch::datasource::embedded {

namespace {

using query::FilterNode;
using query::FilterOp;

// Comparisons of one kind of value have one shape; null, arrays and patterns may be planned
// differently.
char class_of_operand(bson::ValueView operand) {
  if (operand.is_nullish()) return 'n';
  switch (operand.type()) {
    case bson::Type::kArray:
      return 'a';
    case bson::Type::kRegex:
      return 'r';
    case bson::Type::kObject:
    case bson::Type::kString:
    case bson::Type::kSymbol:
      return 's';
    default:
      return 'v';
  }
}

void append_shape(const FilterNode& node, std::string& text) {
  text += '(';
  text += std::to_string(static_cast<int>(node.op));
  if (!node.path.empty()) text += " " + node.path;
  if (node.op == FilterOp::kExpr) {
    text += " " + bson::to_shell(node.operand.view());
  } else if (!node.operand.view().is_missing() && node.children.empty()) {
    text += ' ';
    text += class_of_operand(node.operand);
    if (node.op == FilterOp::kIn && node.in_has_null) text += 'n';
    if (!node.regexes.empty()) text += 'r';
  }
  for (const auto& child : node.children) append_shape(*child, text);
  text += ')';
}

}  // namespace

std::string QueryShape::hash() const {
  std::uint32_t hash = 0x811C9DC5U;  // FNV-1a
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x01000193U;
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08X", hash);
  return digits;
}

QueryShape shape_of(const query::Filter& filter, bson::View sort, bson::View projection,
                    const query::Collation* collation) {
  QueryShape shape;
  append_shape(filter.root(), shape.text);
  if (!sort.empty()) shape.text += "|s" + bson::to_shell(sort);
  if (!projection.empty()) shape.text += "|p" + bson::to_shell(projection);
  if (collation != nullptr) shape.text += "|c" + bson::to_shell(collation->spec().view());
  return shape;
}

std::optional<CachedPlan> PlanCache::find(const QueryShape& shape) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(shape.text);
  if (found == entries_.end()) return std::nullopt;
  return found->second.plan;
}

void PlanCache::put(Entry entry) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kMaxEntries) entries_.erase(entries_.begin());
  std::string key = entry.shape.text;
  entries_.insert_or_assign(std::move(key), std::move(entry));
}

void PlanCache::remove(const QueryShape& shape) {
  const std::lock_guard lock(mutex_);
  entries_.erase(shape.text);
}

void PlanCache::clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

std::vector<PlanCache::Entry> PlanCache::entries() const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> copies;
  copies.reserve(entries_.size());
  for (const auto& [text, entry] : entries_) copies.push_back(entry);
  return copies;
}

}  // namespace restitch::datasource::embedded
