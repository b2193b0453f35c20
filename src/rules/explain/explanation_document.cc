#include <utility>

#include "rules/explain/explanation.h"

namespace restitch::rules {
namespace {

std::string_view name_of_origin(Explanation::Origin origin) {
  switch (origin) {
    case Explanation::Origin::kCollection:
      return "collection";
    case Explanation::Origin::kDefault:
      return "default";
    case Explanation::Origin::kSystem:
      return "system";
    case Explanation::Origin::kNone:
      return "none";
  }
  return "";
}

void append_text(bson::Builder& out, const char* name, const std::string& text) {
  if (!text.empty()) out.append(name, text);
}

void append_filters(bson::Builder& out, const std::vector<FilterReason>& filters) {
  out.open_array("filters");
  for (const FilterReason& filter : filters) {
    out.push_object().append("name", filter.name);
    out.append("applies", filter.truth == Truth::kTrue).append("because", filter.reason);
    if (filter.truth == Truth::kTrue) {
      out.append("query", filter.query).append("projection", filter.projection);
    }
    out.close();
  }
  out.close();
}

void append_roles(bson::Builder& out, const DocumentReason& document) {
  out.open_array("roles");
  for (const RoleReason& role : document.roles) {
    out.push_object().append("name", role.role);
    out.append("applies", role.truth == Truth::kTrue).append("because", role.reason).close();
  }
  out.close();
}

void append_document(bson::Builder& out, const DocumentReason& document) {
  out.push_object().append("_id", document.id);
  if (document.is_new) out.append("new", true);
  if (document.role) {
    out.append("role", *document.role);
  } else {
    out.append("role", bson::Null{});
  }
  append_roles(out, document);
  out.append("verdict", name_of(document.verdict)).append("because", document.because);
  if (!document.fields.empty()) {
    out.open_array("fields");
    for (const FieldReason& field : document.fields) {
      out.push_object().append("path", field.path);
      append_text(out, "permission", field.permission);
      append_text(out, "pointer", field.pointer);
      out.append("because", field.reason).close();
    }
    out.close();
  }
  if (!document.violations.empty()) {
    out.open_array("schema_errors");
    for (const schema::Violation& violation : document.violations) {
      out.push_object().append("path", violation.path).append("code", violation.code);
      out.append("message", violation.message).close();
    }
    out.close();
  }
  out.close();
}

void append_single(bson::Builder& out, const Explanation& explanation) {
  append_filters(out, explanation.filters);
  if (explanation.query) out.append("query", *explanation.query);
  if (explanation.pipeline) out.append_array("pipeline", *explanation.pipeline);
  out.append("decided_by_data_source", explanation.is_at_source);
  out.open_array("documents");
  for (const DocumentReason& document : explanation.documents) append_document(out, document);
  out.close();
  out.append("more_documents", explanation.has_more);
}

void append_body(bson::Builder& out, const Explanation& explanation);

void append_bulk(bson::Builder& out, const Explanation& bulk) {
  out.open_array("operations");
  for (const Explanation& operation : bulk.operations) {
    out.push_object().append("operation", operation.action);
    append_body(out, operation);
    out.close();
  }
  out.close();
  out.append("more_operations", bulk.has_more).append("not_reached", bulk.not_reached);
}

void append_body(bson::Builder& out, const Explanation& explanation) {
  if (explanation.action == name_of(Action::kBulkWrite)) {
    append_bulk(out, explanation);
  } else {
    append_single(out, explanation);
  }
  out.append("verdict", explanation.refusal ? "refused" : "allowed");
  if (explanation.refusal) out.append("error", explanation.refusal->message());
}

}  // namespace

Explanation explanation_of(const Operation& operation, const User& user) {
  Explanation explanation;
  explanation.action = name_of(operation.action);
  explanation.source = operation.source;
  explanation.database = operation.database;
  explanation.collection = operation.collection;
  explanation.user_id = user.id;
  explanation.user_type = user.type;
  return explanation;
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kReadable:
      return "readable";
    case Verdict::kPartlyReadable:
      return "partly readable";
    case Verdict::kHidden:
      return "hidden";
    case Verdict::kAllowed:
      return "allowed";
    case Verdict::kUnchanged:
      return "unchanged";
    case Verdict::kRefused:
      return "refused";
  }
  return "";
}

bson::Document to_document(const Explanation& explanation) {
  bson::Builder out;
  out.append("operation", explanation.action).append("data_source", explanation.source);
  out.append("database", explanation.database).append("collection", explanation.collection);
  out.open_object("user").append("id", explanation.user_id).append("type", explanation.user_type);
  out.close();
  out.open_object("rule").append("from", name_of_origin(explanation.origin));
  append_text(out, "file", explanation.file);
  append_text(out, "because", explanation.origin_note);
  out.close();
  append_body(out, explanation);
  return std::move(out).finish();
}

}  // namespace restitch::rules
