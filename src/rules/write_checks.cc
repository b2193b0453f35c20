#include "rules/write_checks.h"

#include <string>
#include <utility>

#include "rules/write_access.h"

namespace restitch::rules {
namespace {

const char* text_of(WriteKind kind) {
  switch (kind) {
    case WriteKind::kInsert:
      return "insert not permitted";
    case WriteKind::kUpdate:
      return "update not permitted";
    case WriteKind::kDelete:
      return "delete not permitted";
  }
  return "";
}

std::vector<schema::Violation> structural_violations(const UserRequest& request, bson::View after) {
  const NamespaceRules& applying = request.applying_rules;
  if (!applying.schema) return {};
  return applying.schema->validate(after, request.settings.validation);
}

Task<std::vector<schema::Violation>> broken_validators(UserRequest& request, bson::View after,
                                                       std::optional<bson::View> before) {
  std::vector<schema::Violation> violations = request.validators->check(after, before);
  while (request.rules.has_pending()) {
    RESTITCH_CO_CHECK(co_await request.rules.resolve());
    violations = request.validators->check(after, before);
  }
  co_return violations;
}

Error broken(WriteKind kind, const std::vector<schema::Violation>& violations) {
  return Error(ErrorCode::kSchemaValidation, text_of(kind))
      .with_detail(schema::describe(violations));
}

bool names_reserved_field(std::string_view path) {
  return is_reserved_field(path.substr(0, path.find('.')));
}

}  // namespace

Error write_denied(WriteKind kind) { return Error(ErrorCode::kPermissionDenied, text_of(kind)); }

Status check_reserved_fields(bson::View before, bson::View after) {
  for (const bson::Element& element : after) {
    if (!is_reserved_field(element.name)) continue;
    const bson::ValueView old = before.find(element.name);
    if (old.type() == element.value.type() && old.raw() == element.value.raw()) continue;
    return Error(ErrorCode::kInvalidArgument,
                 "the field name '" + std::string(element.name) + "' is reserved");
  }
  return {};
}

bool mentions_reserved_field(bson::ValueView update) {
  if (const auto text = update.as_string()) {
    return names_reserved_field(text->starts_with('$') ? text->substr(1) : *text);
  }
  const bool is_container =
      update.type() == bson::Type::kObject || update.type() == bson::Type::kArray;
  if (!is_container) return false;
  for (const bson::Element& element : update.get_document()) {
    if (names_reserved_field(element.name) || mentions_reserved_field(element.value)) return true;
  }
  return false;
}

Task<std::vector<schema::Violation>> schema_violations(UserRequest& request, bson::View after,
                                                       std::optional<bson::View> before) {
  std::vector<schema::Violation> violations = structural_violations(request, after);
  if (!violations.empty() || !request.validators) co_return violations;
  auto broken_ones = co_await broken_validators(request, after, before);
  co_return broken_ones;
}

Task<void> check_schema(UserRequest& request, WriteKind kind, bson::View after,
                        std::optional<bson::View> before) {
  const std::vector<schema::Violation> structural = structural_violations(request, after);
  if (!structural.empty()) co_return broken(kind, structural);
  if (!request.validators) co_return Status();
  RESTITCH_CO_TRY(const std::vector<schema::Violation> violations,
                  co_await broken_validators(request, after, before));
  if (!violations.empty()) co_return broken(kind, violations);
  co_return Status();
}

Task<std::vector<schema::Violation>> deletion_violations(UserRequest& request,
                                                         bson::View document) {
  std::vector<schema::Violation> violations;
  if (!request.validators) co_return violations;
  violations = request.validators->check_deletion(document);
  while (request.rules.has_pending()) {
    RESTITCH_CO_CHECK(co_await request.rules.resolve());
    violations = request.validators->check_deletion(document);
  }
  co_return violations;
}

Task<void> check_deletion(UserRequest& request, bson::View document) {
  if (!request.validators) co_return Status();
  RESTITCH_CO_TRY(const std::vector<schema::Violation> violations,
                  co_await deletion_violations(request, document));
  if (!violations.empty()) co_return broken(WriteKind::kDelete, violations);
  co_return Status();
}

Task<bool> is_insert_allowed(UserRequest& request, bson::View document) {
  const auto decide = [&request, document] {
    Documents documents;
    documents.root = document;
    const RoleProgram* role = request.rules.role_of(documents);
    return role != nullptr && may_insert(request.rules, *role, document);
  };
  request.rules.next_document();
  bool is_allowed = decide();
  while (request.rules.has_pending()) {
    RESTITCH_CO_CHECK(co_await request.rules.resolve());
    is_allowed = decide();
  }
  co_return is_allowed;
}

Error without_values(const Error& error) {
  if (error.code() == ErrorCode::kDuplicateKey) {
    const std::string& text = error.message();
    const std::size_t key = text.find("dup key:");
    return Error(error.code(), error.mongo_code(),
                 key == std::string::npos ? "E11000 duplicate key error dup key: {}"
                                          : text.substr(0, key) + "dup key: {}");
  }
  if (error.code() != ErrorCode::kMongo) return error;
  return Error(error.code(), error.mongo_code(), "the write could not be applied to a document");
}

}  // namespace restitch::rules
