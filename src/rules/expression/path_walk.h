#pragma once

#include <span>
#include <string>
#include <string_view>

#include "bson/view.h"
#include "query/path.h"
#include "rules/expression/reference.h"

namespace restitch::rules {

// Member of an object by name; names of identities have two spellings and those of headers any
// case.
bson::ValueView member_of(bson::View object, std::string_view name, NameMatch match);

// Calls `visit` with every value that `path` leads to from `value`, as MongoDB queries follow a
// path: objects are descended, arrays fan out to the objects in them and, for a numeric component,
// to the element of that index. A path that ends at an object without the member, or at a scalar,
// gives a missing value. `visit` returns true to stop; the walk then returns true.
template <typename Visit>
bool walk_path(bson::ValueView value, std::span<const std::string> path, NameMatch match,
               const Visit& visit) {
  while (true) {
    if (path.empty() || value.is_missing()) return visit(value);
    if (value.type() != bson::Type::kObject) break;
    value = member_of(value.get_document(), path.front(), match);
    path = path.subspan(1);
  }
  if (value.type() != bson::Type::kArray) return visit(bson::ValueView());
  const auto index = query::array_index(path.front());
  if (index) {
    const bson::ValueView element = query::array_element(value.get_document(), *index);
    if (!element.is_missing() && walk_path(element, path.subspan(1), match, visit)) return true;
  }
  for (const bson::Element& element : value.get_document()) {
    if (element.value.type() != bson::Type::kObject) continue;
    if (walk_path(element.value, path, match, visit)) return true;
  }
  return false;
}

}  // namespace restitch::rules
