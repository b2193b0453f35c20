#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config.h"
#include "rules/expression/compiled.h"

namespace restitch::rules {

// One permission of a role: not stated, constant, or an expression of its CompiledRules.
struct Permission {
  enum class Kind : std::uint8_t { kUndefined, kTrue, kFalse, kExpression };

  Kind kind = Kind::kUndefined;
  bool is_literally_true = false;
  bool is_stated = false;  // written in the configuration, not a default
  std::uint32_t expression = 0;

  bool is_defined() const { return kind != Kind::kUndefined; }
};

// Permissions of a field and of the fields embedded in it (spec: rules §3.3).
struct FieldRule {
  Permission read, write;
  std::vector<std::pair<std::string, FieldRule>> fields;  // by name, sorted
  std::unique_ptr<FieldRule> additional;                  // for names not in `fields`; may be null

  // What applies to a member; null when nothing grants it.
  const FieldRule* find(std::string_view name) const;
  bool has_members() const { return !fields.empty() || additional != nullptr; }
};

struct RoleProgram {
  std::string name;
  Permission apply_when;
  bool has_document_filters = false;
  Permission document_read, document_write;
  Permission read, write, insert, remove, search;
  FieldRule fields;  // the document itself as the outermost level
};

struct FilterProgram {
  std::string name;
  Permission apply_when;
  std::shared_ptr<const Template> query, projection;
};

// The roles and filters of one rule object, compiled (spec: rules §3, 4). Immutable, thread-safe.
class CompiledRules {
 public:
  // Problems go to `findings` under `file`; null if they are errors.
  static std::shared_ptr<const CompiledRules> compile(const std::vector<app::Role>& roles,
                                                      const std::vector<app::Filter>& filters,
                                                      const std::string& file,
                                                      app::Findings& findings);

  const std::vector<RoleProgram>& roles() const { return roles_; }
  const std::vector<FilterProgram>& filters() const { return filters_; }
  const ExpressionProgram& expression(std::uint32_t index) const {
    return expressions_[index]->program();
  }
  std::size_t expression_count() const { return expressions_.size(); }

 private:
  friend class RuleCompiler;

  std::vector<std::shared_ptr<const CompiledExpression>> expressions_;
  std::vector<RoleProgram> roles_;
  std::vector<FilterProgram> filters_;
};

}  // namespace restitch::rules
