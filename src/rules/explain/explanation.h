#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "rules/context.h"
#include "rules/expression/resolved.h"
#include "rules/operation.h"
#include "schema/schema.h"

namespace restitch::rules {

class RuleCoverage;

struct ExplainOptions {
  std::int64_t first = 20;           // documents that are explained; more are only mentioned
  std::vector<std::string> secrets;  // plain texts that are never shown
  RuleCoverage* coverage = nullptr;  // counts what the rules answer; may be null
};

// Why a role applies to a document or does not.
struct RoleReason {
  std::string role;
  Truth truth = Truth::kFalse;
  std::string reason;
};

struct FilterReason {
  std::string name;
  Truth truth = Truth::kFalse;
  std::string reason;
  bson::Document query, projection;  // of one that applies, expanded
};

// Why a field is withheld or may not be written.
struct FieldReason {
  std::string path;
  std::string permission;  // "fields.owner.write"; "" when none covers the field
  std::string pointer;     // of that permission in the file of the rules
  std::string reason;
};

enum class Verdict : std::uint8_t {
  kReadable,
  kPartlyReadable,
  kHidden,  // as if it were not there
  kAllowed,
  kUnchanged,
  kRefused,
};

struct DocumentReason {
  bson::Value id;                 // missing when the data source will make one
  bool is_new = false;            // to be inserted
  std::vector<RoleReason> roles;  // up to the one that applies
  std::optional<std::string> role;
  Verdict verdict = Verdict::kHidden;
  std::string because;
  std::vector<FieldReason> fields;
  std::vector<schema::Violation> violations;
};

// What the rules make of one operation, and why.
struct Explanation {
  enum class Origin : std::uint8_t { kCollection, kDefault, kNone, kSystem };

  std::string action, source, database, collection;
  std::string user_id, user_type;
  Origin origin = Origin::kNone;
  std::string file;         // of the rules
  std::string origin_note;  // why there are none
  std::vector<FilterReason> filters;
  std::optional<bson::Document> query;  // what the data source is asked; nothing: it is not asked
  std::optional<bson::Document> pipeline;  // of an aggregation that the data source carries out
  bool is_at_source = false;  // the data source decides alone, no document is looked at
  std::vector<DocumentReason> documents;
  bool has_more = false;         // documents, or operations of a bulk write, that are not explained
  // Of a bulk write: its operations one by one, each on what is stored now. They have no rules of
  // their own.
  std::vector<Explanation> operations;
  std::int64_t not_reached = 0;  // ordered ones behind the first that is refused
  std::optional<Error> refusal;  // what the client gets instead of a result
};

// The beginning of every explanation.
Explanation explanation_of(const Operation& operation, const User& user);

std::string_view name_of(Verdict verdict);
// For programs.
bson::Document to_document(const Explanation& explanation);
// For people, one line each.
std::vector<std::string> to_lines(const Explanation& explanation);
// The lines of one document.
std::vector<std::string> to_lines(const DocumentReason& document);

}  // namespace restitch::rules
