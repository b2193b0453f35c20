#include "rules/expression/path_walk.h"

#include <algorithm>

namespace restitch::rules {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

bson::ValueView member_of(bson::View object, std::string_view name, NameMatch match) {
  const bson::ValueView exact = object.find(name);
  if (!exact.is_missing() || match == NameMatch::kExact) return exact;
  if (match == NameMatch::kUser) {
    if (name == "providerType") return object.find("provider_type");
    if (name == "provider_type") return object.find("providerType");
    return {};
  }
  for (const bson::Element& element : object) {
    if (equal_ignoring_case(element.name, name)) return element.value;
  }
  return {};
}

}  // namespace restitch::rules
