#include "rules/role_program.h"

#include <algorithm>
#include <optional>

#include "rules/expression/parser.h"

namespace restitch::rules {

const FieldRule* FieldRule::find(std::string_view name) const {
  const auto it = std::lower_bound(fields.begin(), fields.end(), name,
                                   [](const std::pair<std::string, FieldRule>& entry,
                                      std::string_view wanted) { return entry.first < wanted; });
  if (it != fields.end() && it->first == name) return &it->second;
  return additional.get();
}

class RuleCompiler {
 public:
  RuleCompiler(const std::string& file, app::Findings& findings)
      : file_(file), findings_(findings), rules_(std::make_shared<CompiledRules>()) {}

  void add(const app::Role& role, const std::string& pointer) {
    RoleProgram program;
    program.name = role.name;
    program.apply_when =
        compile(role.apply_when, Place::kRole, pointer + "/apply_when", Permission::Kind::kFalse);
    program.has_document_filters = role.has_document_filters;
    const std::string gates = pointer + "/document_filters";
    program.document_read = compile(role.document_read, Place::kRole, gates + "/read");
    program.document_write = compile(role.document_write, Place::kRole, gates + "/write");
    program.read = compile(role.read, Place::kRole, pointer + "/read");
    program.write = compile(role.write, Place::kRole, pointer + "/write");
    program.insert =
        compile(role.insert, Place::kRole, pointer + "/insert", Permission::Kind::kTrue);
    program.remove =
        compile(role.remove, Place::kRole, pointer + "/delete", Permission::Kind::kTrue);
    program.search =
        compile(role.search, Place::kRole, pointer + "/search", Permission::Kind::kTrue);
    add_members(role.permissions, program.fields, pointer);
    rules_->roles_.push_back(std::move(program));
  }

  void add(const app::Filter& filter, const std::string& pointer) {
    FilterProgram program;
    program.name = filter.name;
    program.apply_when = compile(filter.apply_when, Place::kFilter, pointer + "/apply_when",
                                 Permission::Kind::kFalse);
    program.query = Template::compile(filter.query, file_, pointer + "/query", findings_);
    program.projection =
        Template::compile(filter.projection, file_, pointer + "/projection", findings_);
    has_failed_ |= program.query == nullptr || program.projection == nullptr;
    rules_->filters_.push_back(std::move(program));
  }

  std::shared_ptr<const CompiledRules> finish() && {
    if (has_failed_) return nullptr;
    return std::move(rules_);
  }

 private:
  Permission compile(const std::optional<bson::Value>& expression, Place place,
                     const std::string& pointer,
                     Permission::Kind missing = Permission::Kind::kUndefined) {
    Permission permission;
    permission.kind = missing;
    if (!expression) return permission;
    auto compiled = compile_expression(*expression, place, file_, pointer, findings_);
    if (!compiled) {
      has_failed_ = true;
      return permission;
    }
    permission.is_literally_true = compiled->is_literally_true();
    permission.is_stated = true;
    if (const auto constant = compiled->constant()) {
      permission.kind = *constant ? Permission::Kind::kTrue : Permission::Kind::kFalse;
      return permission;
    }
    permission.kind = Permission::Kind::kExpression;
    permission.expression = static_cast<std::uint32_t>(rules_->expressions_.size());
    rules_->expressions_.push_back(std::move(compiled));
    return permission;
  }

  void add_members(const app::FieldPermission& from, FieldRule& to, const std::string& pointer) {
    for (const auto& [name, permission] : from.fields) {
      const std::string at = below(pointer + "/fields", name);
      FieldRule rule;
      rule.read = compile(permission.read, Place::kField, at + "/read");
      rule.write = compile(permission.write, Place::kField, at + "/write");
      add_members(permission, rule, at);
      to.fields.emplace_back(name, std::move(rule));
    }
    std::sort(to.fields.begin(), to.fields.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    if (!from.additional) return;
    const std::string at = pointer + "/additional_fields";
    to.additional = std::make_unique<FieldRule>();
    to.additional->read = compile(from.additional->first, Place::kField, at + "/read");
    to.additional->write = compile(from.additional->second, Place::kField, at + "/write");
  }

  const std::string& file_;
  app::Findings& findings_;
  std::shared_ptr<CompiledRules> rules_;
  bool has_failed_ = false;
};

std::shared_ptr<const CompiledRules> CompiledRules::compile(const std::vector<app::Role>& roles,
                                                            const std::vector<app::Filter>& filters,
                                                            const std::string& file,
                                                            app::Findings& findings) {
  RuleCompiler compiler(file, findings);
  for (std::size_t i = 0; i < roles.size(); ++i) {
    compiler.add(roles[i], "/roles/" + std::to_string(i));
  }
  for (std::size_t i = 0; i < filters.size(); ++i) {
    compiler.add(filters[i], "/filters/" + std::to_string(i));
  }
  return std::move(compiler).finish();
}

}  // namespace restitch::rules
