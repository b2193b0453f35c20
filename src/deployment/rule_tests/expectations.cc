#include "deployment/rule_tests/expectations.h"

#include <algorithm>
#include <set>
#include <utility>

#include "bson/compare.h"
#include "bson/extended_json.h"

namespace restitch::deployment {
namespace {

using Outcome = RuleExpectation::Outcome;
using rules::Verdict;

constexpr std::size_t kMostTold = 3;  // lines of an explanation on one line

std::string json(bson::ValueView value) { return bson::to_json(value, bson::JsonMode::kRelaxed); }

std::string text_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAllowed:
      return "allowed";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kNothing:
      return "nothing";
  }
  return {};
}

std::string list_text(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return "[" + out + "]";
}

// How many documents the client's result is about.
std::int64_t count_of(bson::ValueView result) {
  if (const auto list = result.as_array()) return static_cast<std::int64_t>(list->count());
  if (const auto number = result.as_integer()) return *number;
  const auto object = result.as_object();
  if (!object) return 0;
  for (const char* name : {"matchedCount", "deletedCount"}) {
    const auto count = object->find(name).as_integer();
    if (!count) continue;
    return *count + (object->contains("upsertedId") ? 1 : 0);
  }
  if (const auto ids = object->find("insertedIds").as_array()) {
    return static_cast<std::int64_t>(ids->count());
  }
  return 1;  // one document, or an insertedId
}

// The documents of the operation, or of all operations of a bulk write.
std::vector<const rules::DocumentReason*> documents_of(const rules::Explanation& explanation) {
  std::vector<const rules::DocumentReason*> documents;
  for (const rules::DocumentReason& document : explanation.documents) {
    documents.push_back(&document);
  }
  for (const rules::Explanation& operation : explanation.operations) {
    for (const rules::DocumentReason& document : operation.documents) {
      documents.push_back(&document);
    }
  }
  return documents;
}

// A bulk write has no result that tells; of the system's, none is explained either.
bool has_met_nothing(bson::ValueView result, const rules::Explanation& explanation) {
  if (explanation.action != name_of(rules::Action::kBulkWrite)) return count_of(result) == 0;
  if (explanation.origin == rules::Explanation::Origin::kSystem) return false;
  const auto documents = documents_of(explanation);
  return std::all_of(documents.begin(), documents.end(), [](const rules::DocumentReason* one) {
    return one->verdict == Verdict::kHidden;
  });
}

Outcome outcome_of(const Result<bson::Value>& result, const rules::Explanation& explanation) {
  if (!result) return Outcome::kRefused;
  return has_met_nothing(*result, explanation) ? Outcome::kNothing : Outcome::kAllowed;
}

std::string outcome_text(const Result<bson::Value>& result,
                         const rules::Explanation& explanation) {
  const std::string text = text_of(outcome_of(result, explanation));
  return result ? text : text + " \"" + result.error().message() + "\"";
}

// Whether a document reached the roles.
bool has_met_roles(const rules::DocumentReason& document) {
  return document.role.has_value() || !document.roles.empty();
}

using Roles = std::vector<std::optional<std::string>>;

Roles roles_of(const rules::Explanation& explanation) {
  Roles roles;
  for (const rules::DocumentReason* document : documents_of(explanation)) {
    if (has_met_roles(*document)) roles.push_back(document->role);
  }
  return roles;
}

std::string roles_text(const Roles& roles) {
  std::vector<std::string> texts;
  for (const auto& role : roles) texts.push_back(role ? "\"" + *role + "\"" : "none");
  return list_text(texts);
}

class Comparison {
 public:
  Comparison(const RuleTestCase& test, const Result<bson::Value>& outcome,
             const rules::Explanation& explanation, RuleTestResult& result)
      : expected_(test.expected), outcome_(outcome), explanation_(explanation), result_(result) {}

  void run() {
    if (expected_.outcome && *expected_.outcome != outcome_of(outcome_, explanation_)) {
      fail("outcome", text_of(*expected_.outcome), outcome_text());
    }
    if (expected_.error) compare_error();
    if (expected_.roles) compare_roles();
    if (expected_.visible) compare_visible();
    if (expected_.count) compare_count();
    if (expected_.withheld) compare_texts("withheld", *expected_.withheld, withheld());
    if (expected_.schema) compare_texts("schema", *expected_.schema, schema_paths());
    check_agreement();
  }

 private:
  std::string outcome_text() const {
    return deployment::outcome_text(outcome_, explanation_);
  }

  void fail(const char* what, std::string expected, std::string actual) {
    result_.problems.push_back({what, std::move(expected), std::move(actual)});
  }

  void compare_error() {
    const std::string actual = outcome_ ? "none" : "\"" + outcome_.error().message() + "\"";
    const std::string expected = "\"" + *expected_.error + "\"";
    if (actual != expected) fail("error", expected, actual);
  }

  void compare_roles() {
    const Roles actual = roles_of(explanation_);
    const Roles& expected = *expected_.roles;
    const bool is_same = expected_.has_one_role
                             ? !actual.empty() && std::all_of(actual.begin(), actual.end(),
                                                              [&](const auto& role) {
                                                                return role == expected.front();
                                                              })
                             : actual == expected;
    if (!is_same) fail("role", roles_text(expected), roles_text(actual));
  }

  void compare_visible() {
    const bson::ValueView expected = expected_.visible->view();
    if (!outcome_) return fail("visible", json(expected), outcome_text());
    bson::ValueView actual = outcome_->view();
    // A single document stands for a list of one.
    const auto list = actual.as_array();
    const bool is_single = expected.type() == bson::Type::kObject && list && list->count() == 1;
    if (is_single) actual = list->begin()->value;
    if (!bson::equal(actual, expected)) fail("visible", json(expected), json(actual));
  }

  void compare_count() {
    if (!outcome_) {
      return fail("count", std::to_string(*expected_.count), outcome_text());
    }
    const std::int64_t actual = count_of(*outcome_);
    if (actual != *expected_.count) {
      fail("count", std::to_string(*expected_.count), std::to_string(actual));
    }
  }

  void compare_texts(const char* what, std::vector<std::string> expected,
                     const std::set<std::string>& found) {
    std::sort(expected.begin(), expected.end());
    const std::vector<std::string> actual(found.begin(), found.end());
    if (actual != expected) fail(what, list_text(expected), list_text(actual));
  }

  std::set<std::string> withheld() const {
    std::set<std::string> paths;
    for (const rules::DocumentReason* document : documents_of(explanation_)) {
      for (const rules::FieldReason& field : document->fields) paths.insert(field.path);
    }
    return paths;
  }

  std::set<std::string> schema_paths() const {
    std::set<std::string> paths;
    for (const rules::DocumentReason* document : documents_of(explanation_)) {
      for (const schema::Violation& violation : document->violations) paths.insert(violation.path);
    }
    return paths;
  }

  // The explanation is made by the code that decides; if it said something else, nothing of it
  // could be trusted. Errors of the data source are not foreseen, nor what an operation of a bulk
  // write makes of those before it.
  void check_agreement() {
    const bool was_refused = !outcome_ && outcome_.error().code() != ErrorCode::kMongo;
    const bool is_foreseen = explanation_.refusal.has_value();
    const bool disagrees = was_refused ? !is_foreseen : is_foreseen && outcome_;
    if (!disagrees || explanation_.has_more || explanation_.operations.size() > 1) return;
    fail("explanation", outcome_text(),
         is_foreseen ? "refused \"" + explanation_.refusal->message() + "\"" : "allowed");
  }

  const RuleExpectation& expected_;
  const Result<bson::Value>& outcome_;
  const rules::Explanation& explanation_;
  RuleTestResult& result_;
};

// The most telling document: one that was refused, else one that is hidden, else the first.
const rules::DocumentReason* telling_document(const rules::Explanation& explanation) {
  const auto documents = documents_of(explanation);
  for (const Verdict verdict : {Verdict::kRefused, Verdict::kHidden, Verdict::kPartlyReadable}) {
    for (const rules::DocumentReason* document : documents) {
      if (document->verdict == verdict) return document;
    }
  }
  return documents.empty() ? nullptr : documents.front();
}

std::string why_of(const rules::Explanation& explanation) {
  const rules::DocumentReason* document = telling_document(explanation);
  if (document == nullptr) {
    return explanation.origin == rules::Explanation::Origin::kNone
               ? explanation.origin_note
               : "no document matches the query";
  }
  std::string text;
  std::size_t count = 0;
  for (const std::string& line : rules::to_lines(*document)) {
    if (line.find("\" applies: ") != std::string::npos) continue;  // why it fails is asked
    if (count++ == kMostTold) return text + "; …";
    const std::size_t start = line.find_first_not_of(' ');
    text += (text.empty() ? "" : "; ") + line.substr(start == std::string::npos ? 0 : start);
  }
  return text;
}

}  // namespace

void compare(const RuleTestCase& test, const Result<bson::Value>& outcome,
             const rules::Explanation& explanation, RuleTestResult& result) {
  Comparison(test, outcome, explanation, result).run();
  result.explanation = rules::to_lines(explanation);
  result.why = why_of(explanation);
}

}  // namespace restitch::deployment
