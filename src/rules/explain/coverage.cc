#include "rules/explain/coverage.h"

#include <algorithm>
#include <utility>

#include "bson/extended_json.h"
#include "rules/explain/reason.h"
#include "rules/expression/source_text.h"

namespace restitch::rules {
namespace {

void add_to(RuleCoverage::Count& count, Truth truth) {
  if (truth == Truth::kTrue) ++count.is_true;
  if (truth == Truth::kFalse) ++count.is_false;
  if (truth == Truth::kFailed) ++count.failed;
}

}  // namespace

int RuleCoverage::Item::reached() const {
  const bool was_true = count.is_true > 0;
  const bool was_false = count.is_false > 0 || count.failed > 0;
  if (is_constant) return was_true || was_false ? 1 : 0;
  return static_cast<int>(was_true) + static_cast<int>(was_false);
}

RuleCoverage::RuleCoverage(const RuleSet& rules) : objects_(rules.rule_objects()) {
  std::sort(objects_.begin(), objects_.end(),
            [](const auto* a, const auto* b) { return a->file < b->file; });
}

void RuleCoverage::add(const TracedAnswer& answer) {
  Entry& entry = entries_[answer.permission->permission];
  add_to(entry.whole, answer.truth);
  entry.parts.resize(std::max(entry.parts.size(), answer.parts.size()));
  for (std::size_t i = 0; i < answer.parts.size(); ++i) add_to(entry.parts[i], answer.parts[i]);
}

std::vector<RuleCoverage::Item> RuleCoverage::items() const {
  std::vector<Item> items;
  for (const NamespaceRules* object : objects_) {
    const PermissionIndex index(*object->rules);
    for (const NamedPermission& named : index.list()) {
      const Permission& permission = *named.permission;
      if (!permission.is_stated) continue;
      const auto found = entries_.find(&permission);
      const Entry entry = found == entries_.end() ? Entry() : found->second;
      Item item{object->file, named.pointer, named.owner, named.name, named.kind,
                "",           false,         entry.whole};
      item.is_constant = permission.kind != Permission::Kind::kExpression;
      items.push_back(item);
      if (item.is_constant) continue;
      const auto parts = parts_of(object->rules->expression(permission.expression));
      for (std::size_t i = 0; i < parts.size(); ++i) {
        item.part = bson::to_json(to_source(*parts[i]).view(), bson::JsonMode::kRelaxed);
        item.count = i < entry.parts.size() ? entry.parts[i] : Count();
        items.push_back(item);
      }
    }
  }
  return items;
}

}  // namespace restitch::rules
