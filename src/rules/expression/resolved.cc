#include "rules/expression/resolved.h"

#include "rules/expression/path_walk.h"

namespace restitch::rules {

Resolved follow(bson::ValueView value, std::span<const std::string> path, NameMatch match) {
  while (!path.empty() && value.type() == bson::Type::kObject) {
    value = member_of(value.get_document(), path.front(), match);
    path = path.subspan(1);
  }
  if (path.empty()) return Resolved::of(value);
  if (value.type() != bson::Type::kArray) return {};
  bson::Builder builder;
  bool has_any = false;
  walk_path(value, path, match, [&](bson::ValueView leaf) {
    if (leaf.is_missing()) return false;
    has_any = true;
    builder.push(leaf);
    return false;
  });
  if (!has_any) return {};
  return Resolved::made(bson::Value::array(std::move(builder).finish()));
}

}  // namespace restitch::rules
