#include "rules/explain/document_reasons.h"

#include <utility>

#include "rules/explain/field_reasons.h"
#include "rules/explain/reason.h"
#include "rules/write_access.h"
#include "rules/write_checks.h"

namespace restitch::rules {

const RoleProgram* DocumentReasons::role() const {
  for (const TracedAnswer& answer : trace_.answers()) {
    if (answer.permission->kind != NamedPermission::Kind::kRole) continue;
    if (answer.truth != Truth::kTrue) continue;
    for (const RoleProgram& role : request_.rules.rules().roles()) {
      if (&role.apply_when == answer.permission->permission) return &role;
    }
  }
  return nullptr;
}

DocumentReason DocumentReasons::begin(bson::ValueView id) {
  DocumentReason reason;
  reason.id = mask_.apply(id);
  for (const TracedAnswer& answer : trace_.answers()) {
    if (answer.permission->kind != NamedPermission::Kind::kRole) continue;
    reason.roles.push_back({answer.permission->owner, answer.truth, answer.reason});
  }
  if (const RoleProgram* applying = role()) reason.role = applying->name;
  return reason;
}

std::string DocumentReasons::text_of(std::string_view permission) const {
  const TracedAnswer* answer = trace_.last(permission);
  if (answer == nullptr) return {};
  return std::string(permission) + ": " + answer->reason;
}

std::string DocumentReasons::of_reading() const {
  for (const char* permission : {"read", "write"}) {
    const TracedAnswer* answer = trace_.last(permission);
    if (answer != nullptr && answer->truth == Truth::kTrue) return text_of(permission);
  }
  return "by its fields";
}

std::string DocumentReasons::of_writing() const {
  const TracedAnswer* answer = trace_.last("write");
  return answer != nullptr && answer->truth == Truth::kTrue ? text_of("write") : "by its fields";
}

std::string DocumentReasons::of_hiding() const {
  const RoleProgram* applying = role();
  if (applying == nullptr) {
    return request_.rules.rules().roles().empty() ? "there are no roles" : "no role applies";
  }
  const TracedAnswer* search = trace_.last("search");
  if (search != nullptr && search->truth != Truth::kTrue) return text_of("search");
  const TracedAnswer* gate = trace_.last("document_filters.read");
  const bool is_shut =
      gate != nullptr && gate->truth != Truth::kTrue && trace_.last("read") == nullptr;
  if (is_shut) return text_of("document_filters.read");
  return text_of("read") + "; " + text_of("write") +
         (applying->fields.has_members() ? "; no field that it has is readable" : "");
}

void DocumentReasons::take_write_reason(DocumentReason& reason, const RoleProgram& applying,
                                        const char* last_gate, std::optional<bson::View> before,
                                        std::optional<bson::View> after) {
  const TracedAnswer* gate = trace_.last("document_filters.write");
  const TracedAnswer* last = last_gate == nullptr ? nullptr : trace_.last(last_gate);
  if (last != nullptr && last->truth != Truth::kTrue) {
    reason.because = text_of(last_gate);
  } else if (gate != nullptr && gate->truth != Truth::kTrue) {
    reason.because = text_of("document_filters.write");
  } else {
    reason.because = applying.write.is_defined()
                         ? text_of("write") + "; these fields may not be written either"
                         : "these fields may not be written";
    trace_.clear();
    const std::vector<std::string> names = refused_fields(request_.rules, applying, before, after);
    reason.fields = unwritable_fields(trace_, names, before, after);
  }
}

void DocumentReasons::add_refused_update(DocumentReason& reason, bson::View before,
                                         const UpdateProgram& program) {
  const RoleProgram* applying = role();
  const Result<query::Updated> updated = program.apply(before);
  if (!updated) {
    reason.because = updated.error().message();
    return;
  }
  const bson::View after = updated->document;
  const Status reserved = check_reserved_fields(before, after);
  trace_.clear();
  if (may_update(request_.rules, *applying, before, after)) {
    reason.because = reserved ? "nothing of it is readable" : reserved.error().message();
    return;
  }
  take_write_reason(reason, *applying, nullptr, before, after);
}

void DocumentReasons::add_refused_deletion(DocumentReason& reason, bson::View document) {
  const RoleProgram* applying = role();
  trace_.clear();
  may_delete(request_.rules, *applying, document);
  take_write_reason(reason, *applying, "delete", document, std::nullopt);
}

void DocumentReasons::add_refused_write(DocumentReason& reason, bson::View document,
                                        const UpdateProgram* program) {
  if (program == nullptr) {
    add_refused_deletion(reason, document);
  } else {
    add_refused_update(reason, document, *program);
  }
}

void DocumentReasons::add_refused_insert(DocumentReason& reason, bson::View document) {
  const RoleProgram* applying = role();
  if (applying == nullptr) {
    reason.because = of_hiding();
    return;
  }
  trace_.clear();
  may_insert(request_.rules, *applying, document);
  take_write_reason(reason, *applying, "insert", std::nullopt, document);
}

std::optional<std::string> DocumentReasons::why_broken(const SchemaRules::Validator& validator,
                                                       const std::string& path, bson::View after,
                                                       std::optional<bson::View> before) {
  Documents documents;
  documents.root = after;
  documents.prev_root = before;
  if (!path.empty()) {
    documents.current = after.find_path(path);
    if (before) documents.previous = before->find_path(path);
  }
  FunctionResults& functions = request_.rules.functions();
  BoundExpression bound(validator.expression->program(), request_.context, &functions);
  functions.set_frozen(true);
  const Truth truth = bound.evaluate(documents);
  functions.set_frozen(false);
  if (truth == Truth::kTrue) return std::nullopt;
  return ReasonFinder(bound, functions, mask_).why(documents);
}

void DocumentReasons::add_violations(DocumentReason& reason,
                                     std::vector<schema::Violation> violations, bson::View after,
                                     std::optional<bson::View> before) {
  if (violations.empty()) return;
  if (reason.verdict == Verdict::kAllowed) {
    reason.verdict = Verdict::kRefused;
    reason.because = "it does not fit the schema";
  }
  const SchemaRules* rules = request_.applying_rules.validators.get();
  for (schema::Violation& violation : violations) {
    if (rules == nullptr || violation.code != "false") continue;
    for (const SchemaRules::Validator& validator : rules->validators()) {
      std::string path;
      for (const std::string& component : validator.path) {
        path += (path.empty() ? "" : ".") + component;
      }
      if ((path.empty() ? "(root)" : path) != violation.path) continue;
      // None when an element of an array is what breaks it.
      const auto why = why_broken(validator, path, after, before);
      if (why) violation.message += ": " + *why;
    }
  }
  reason.violations = std::move(violations);
}

}  // namespace restitch::rules
