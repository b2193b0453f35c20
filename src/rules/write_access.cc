#include "rules/write_access.h"

#include <optional>
#include <utility>

namespace restitch::rules {
namespace {

bool is_same(bson::ValueView a, bson::ValueView b) {
  return a.type() == b.type() && a.raw() == b.raw();
}

bool is_container(bson::ValueView value) {
  return value.type() == bson::Type::kObject || value.type() == bson::Type::kArray;
}

// Walks two versions of a document side by side and demands the write permission of everything that
// differs.
class ChangeChecker {
 public:
  // With `stands_still` the one version given is bound as %%this and %%prev alike (deletes).
  ChangeChecker(BoundRules& rules, const Documents& documents, bool stands_still)
      : rules_(rules), documents_(documents), stands_still_(stands_still) {}

  // Names of the members whose change is refused.
  std::vector<std::string> refused_members(bson::View before, bson::View after,
                                           const FieldRule& level) {
    std::vector<std::string> names;
    for (const bson::Element& element : after) {
      const bson::ValueView old = before.find(element.name);
      if (is_same(old, element.value) && !is_repeated(after, element)) continue;
      if (!value(old, element.value, level.find(element.name))) names.emplace_back(element.name);
    }
    for (const bson::Element& element : before) {
      if (after.contains(element.name)) continue;
      if (!value(element.value, {}, level.find(element.name))) names.emplace_back(element.name);
    }
    return names;
  }

  bool members(bson::View before, bson::View after, const FieldRule& level) {
    for (const bson::Element& element : after) {
      const bson::ValueView old = before.find(element.name);
      if (is_same(old, element.value) && !is_repeated(after, element)) continue;
      if (!value(old, element.value, level.find(element.name))) return false;
    }
    for (const bson::Element& element : before) {
      if (after.contains(element.name)) continue;
      if (!value(element.value, {}, level.find(element.name))) return false;
    }
    return true;
  }

 private:
  // A second element of the same name is a change whatever its value is.
  static bool is_repeated(bson::View object, const bson::Element& element) {
    return object.find(element.name).raw().data() != element.value.raw().data();
  }

  bool value(bson::ValueView before, bson::ValueView after, const FieldRule* rule) {
    if (rule == nullptr) return false;
    if (rule->write.is_defined()) {
      documents_.current = after.is_missing() && stands_still_ ? before : after;
      documents_.previous = before;
      return rules_.holds(rule->write, documents_);
    }
    return rule->has_members() && embedded(before, after, *rule);
  }

  // Only embedded fields have permissions: everything in the two values must be under them.
  bool embedded(bson::ValueView before, bson::ValueView after, const FieldRule& rule) {
    if (before.is_missing()) return whole(after, rule, true);
    if (after.is_missing()) return whole(before, rule, false);
    if (!is_container(before) || !is_container(after)) return false;
    if (before.type() != after.type()) {
      return whole(before, rule, false) && whole(after, rule, true);
    }
    if (before.type() == bson::Type::kObject) {
      return members(before.get_document(), after.get_document(), rule);
    }
    return elements(before.get_document(), after.get_document(), rule);
  }

  // A container that is added or removed as a whole.
  bool whole(bson::ValueView value, const FieldRule& rule, bool is_added) {
    if (!is_container(value) || value.get_document().empty()) return false;
    const bson::View content = value.get_document();
    if (value.type() == bson::Type::kObject) {
      return is_added ? members(bson::View(), content, rule) : members(content, bson::View(), rule);
    }
    return is_added ? elements(bson::View(), content, rule) : elements(content, bson::View(), rule);
  }

  bool elements(bson::View before, bson::View after, const FieldRule& rule) {
    auto old = before.begin();
    auto now = after.begin();
    while (old != before.end() || now != after.end()) {
      const bson::ValueView a = old != before.end() ? old->value : bson::ValueView();
      const bson::ValueView b = now != after.end() ? now->value : bson::ValueView();
      if (!is_same(a, b) && !embedded(a, b, rule)) return false;
      if (old != before.end()) ++old;
      if (now != after.end()) ++now;
    }
    return true;
  }

  BoundRules& rules_;
  Documents documents_;
  bool stands_still_;
};

bool passes_gate(BoundRules& rules, const RoleProgram& role, const Documents& documents) {
  return !role.document_write.is_defined() || rules.holds(role.document_write, documents);
}

Documents documents_of(std::optional<bson::View> root, std::optional<bson::View> prev_root) {
  Documents documents;
  documents.root = root;
  documents.prev_root = prev_root;
  return documents;
}

}  // namespace

bool may_update(BoundRules& rules, const RoleProgram& role, bson::View before, bson::View after) {
  const Documents documents = documents_of(after, before);
  // The document must be within the role's reach before and after.
  if (!passes_gate(rules, role, documents)) return false;
  if (!passes_gate(rules, role, documents_of(before, before))) return false;
  if (rules.holds(role.write, documents)) return true;
  return ChangeChecker(rules, documents, false).members(before, after, role.fields);
}

bool may_insert(BoundRules& rules, const RoleProgram& role, bson::View document) {
  const Documents documents = documents_of(document, std::nullopt);
  if (!passes_gate(rules, role, documents)) return false;
  if (!rules.holds(role.write, documents)) {
    ChangeChecker checker(rules, documents, false);
    if (!checker.members(bson::View(), document, role.fields)) return false;
  }
  return rules.holds(role.insert, documents);
}

bool may_delete(BoundRules& rules, const RoleProgram& role, bson::View document) {
  const Documents documents = documents_of(document, document);
  if (!passes_gate(rules, role, documents)) return false;
  if (!rules.holds(role.write, documents)) {
    ChangeChecker checker(rules, documents, true);
    if (!checker.members(document, bson::View(), role.fields)) return false;
  }
  return rules.holds(role.remove, documents);
}

std::vector<std::string> refused_fields(BoundRules& rules, const RoleProgram& role,
                                        std::optional<bson::View> before,
                                        std::optional<bson::View> after) {
  const bool is_deletion = !after.has_value();
  const Documents documents = documents_of(is_deletion ? before : after, before);
  ChangeChecker checker(rules, documents, is_deletion);
  return checker.refused_members(before.value_or(bson::View()), after.value_or(bson::View()),
                                 role.fields);
}

}  // namespace restitch::rules
