#include <algorithm>
#include <utility>

#include "bson/extended_json.h"
#include "rules/explain/explanation.h"

namespace restitch::rules {
namespace {

std::string json(bson::View document) { return bson::to_json(document, bson::JsonMode::kRelaxed); }

std::string json_list(bson::View array) {
  return bson::to_json(bson::Value::array(array).view(), bson::JsonMode::kRelaxed);
}

std::string rule_line(const Explanation& explanation) {
  switch (explanation.origin) {
    case Explanation::Origin::kCollection:
      return "rules: the collection's own, " + explanation.file;
    case Explanation::Origin::kDefault:
      return "rules: the default rule, " + explanation.file;
    case Explanation::Origin::kSystem:
      return "rules: none hold for the system user";
    case Explanation::Origin::kNone:
      return "rules: none, " + explanation.origin_note;
  }
  return {};
}

std::string filter_line(const FilterReason& filter) {
  const bool applies = filter.truth == Truth::kTrue;
  std::string line = "filter \"" + filter.name + "\" ";
  line += filter.truth == Truth::kFailed ? "cannot be evaluated: "
          : applies                      ? "applies: "
                                         : "does not apply: ";
  line += filter.reason;
  if (!applies) return line;
  if (!filter.query.empty()) line += "; it adds the query " + json(filter.query);
  if (!filter.projection.empty()) line += "; it adds the projection " + json(filter.projection);
  return line;
}

std::string role_line(const RoleReason& role) {
  const char* verb = role.truth == Truth::kTrue     ? "\" applies: "
                     : role.truth == Truth::kFailed ? "\" cannot be evaluated: "
                                                    : "\" does not apply: ";
  return "  role \"" + role.role + verb + role.reason;
}

std::string field_line(const FieldReason& field) {
  const std::string permission = field.permission.empty() ? "" : field.permission + ": ";
  return "  " + field.path + ": " + permission + field.reason;
}

// Whether the operation is carried out on no document at all.
bool meets_nothing(const Explanation& explanation) {
  if (explanation.has_more || explanation.origin == Explanation::Origin::kSystem) return false;
  const bool has_met =
      std::any_of(explanation.documents.begin(), explanation.documents.end(),
                  [](const DocumentReason& one) { return one.verdict != Verdict::kHidden; });
  return !has_met && std::all_of(explanation.operations.begin(), explanation.operations.end(),
                                 [](const Explanation& one) { return meets_nothing(one); });
}

void append_query(std::vector<std::string>& lines, const Explanation& explanation) {
  if (explanation.query) lines.push_back("query sent: " + json(*explanation.query));
  if (explanation.pipeline) lines.push_back("pipeline sent: " + json_list(*explanation.pipeline));
  const bool asks = explanation.query || explanation.pipeline;
  if (asks) {
    lines.emplace_back(explanation.is_at_source
                           ? "decided by the data source alone: the rules say the same of every "
                             "document that this matches"
                           : "decided document by document");
  }
}

// Filters, queries and documents of one operation, or the operations of a bulk write.
void append_body(std::vector<std::string>& lines, const Explanation& explanation);

void append_verdict(std::vector<std::string>& lines, const Explanation& explanation) {
  if (explanation.refusal) {
    lines.push_back("refused: " + explanation.refusal->message());
  } else {
    lines.emplace_back(meets_nothing(explanation) ? "allowed, but no document is met" : "allowed");
  }
}

void append_operations(std::vector<std::string>& lines, const Explanation& bulk) {
  std::size_t number = 0;
  for (const Explanation& operation : bulk.operations) {
    lines.push_back("operation " + std::to_string(++number) + ", " + operation.action + ":");
    std::vector<std::string> own;
    append_body(own, operation);
    append_verdict(own, operation);
    for (const std::string& line : own) lines.push_back("  " + line);
  }
  if (bulk.not_reached > 0) {
    lines.push_back("operations that are not reached, as they are ordered: " +
                    std::to_string(bulk.not_reached));
  }
}

void append_body(std::vector<std::string>& lines, const Explanation& explanation) {
  for (const FilterReason& filter : explanation.filters) lines.push_back(filter_line(filter));
  append_query(lines, explanation);
  for (const DocumentReason& document : explanation.documents) {
    for (std::string& line : to_lines(document)) lines.push_back(std::move(line));
  }
  append_operations(lines, explanation);
  if (!explanation.has_more) return;
  lines.emplace_back(explanation.operations.empty()
                         ? "more documents match, which are not explained"
                         : "more operations follow, which are not explained");
}

}  // namespace

std::vector<std::string> to_lines(const DocumentReason& document) {
  std::vector<std::string> lines;
  std::string head = document.is_new ? "new document" : "document";
  if (!document.id.is_missing()) {
    head += " " + bson::to_json(document.id.view(), bson::JsonMode::kRelaxed);
  }
  head += ": " + std::string(name_of(document.verdict));
  if (document.role) head += " as \"" + *document.role + "\"";
  if (!document.because.empty()) head += ", " + document.because;
  lines.push_back(std::move(head));
  for (const RoleReason& role : document.roles) lines.push_back(role_line(role));
  for (const FieldReason& field : document.fields) lines.push_back(field_line(field));
  for (const schema::Violation& violation : document.violations) {
    lines.push_back("  schema: " + violation.path + ": " + violation.message);
  }
  return lines;
}

std::vector<std::string> to_lines(const Explanation& explanation) {
  std::vector<std::string> lines;
  std::string who = explanation.user_type;
  if (explanation.user_type != "system") who += " user \"" + explanation.user_id + "\"";
  if (explanation.user_type == "system") who += " user";
  lines.push_back(explanation.action + " on " + explanation.database + "." +
                  explanation.collection + " of " + explanation.source + " as " + who);
  lines.push_back(rule_line(explanation));
  append_body(lines, explanation);
  append_verdict(lines, explanation);
  return lines;
}

}  // namespace restitch::rules
