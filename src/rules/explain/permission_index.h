#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "rules/role_program.h"

namespace restitch::rules {

// A permission (or apply_when) with its place in the rule object.
struct NamedPermission {
  enum class Kind : std::uint8_t { kFilter, kRole, kDocument, kField };

  const Permission* permission = nullptr;
  Kind kind = Kind::kDocument;  // kFilter, kRole: an apply_when
  std::string owner;            // the role or filter
  std::string name;             // "apply_when", "read", "fields.owner.write", …
  std::string pointer;          // JSON pointer in the rule object
};

// The permissions of a rule object by their address, in the order of the file. The rules outlive
// the index.
class PermissionIndex {
 public:
  explicit PermissionIndex(const CompiledRules& rules);

  const NamedPermission& of(const Permission& permission) const {
    return list_[positions_.at(&permission)];
  }
  const std::vector<NamedPermission>& list() const { return list_; }

 private:
  void add_role(const RoleProgram& role, std::size_t number);
  void add_members(const FieldRule& rule, const std::string& owner, const std::string& name,
                   const std::string& pointer);
  void add(NamedPermission permission);

  std::vector<NamedPermission> list_;
  std::unordered_map<const Permission*, std::size_t> positions_;
};

}  // namespace restitch::rules
