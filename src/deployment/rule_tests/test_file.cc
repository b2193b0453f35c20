#include "deployment/rule_tests/test_file.h"

#include <array>
#include <utility>

#include "bson/extended_json.h"
#include "rules/explain/stated_operation.h"

namespace restitch::deployment {
namespace {

constexpr std::array<std::string_view, 9> kFileMembers = {
    "description", "users",    "documents",  "functions", "values",
    "data_source", "database", "collection", "cases"};
constexpr std::array<std::string_view, 4> kCaseMembers = {"name", "as", "functions", "expect"};
constexpr std::array<std::string_view, 7> kExpectMembers = {
    "outcome", "role", "visible", "withheld", "schema", "count", "error"};
constexpr std::string_view kDefaultSource = "mongodb-atlas";

Error expected(const std::string& what, const char* form) {
  return Error(ErrorCode::kInvalidArgument, "expected '" + what + "' to be " + form);
}

Result<bson::View> object_at(bson::View from, const char* name) {
  const bson::ValueView value = from[name];
  if (value.is_missing()) return bson::View();
  if (const auto object = value.as_object()) return *object;
  return expected(name, "an object");
}

Result<std::vector<std::string>> texts_of(bson::ValueView value, const char* name) {
  std::vector<std::string> texts;
  const auto list = value.as_array();
  if (!list) return expected(name, "a list of texts");
  for (const bson::Element& element : *list) {
    const auto text = element.value.as_string();
    if (!text) return expected(name, "a list of texts");
    texts.emplace_back(*text);
  }
  return texts;
}

Result<RuleExpectation::Outcome> outcome_of(bson::ValueView value) {
  const auto text = value.as_string();
  if (text == "allowed") return RuleExpectation::Outcome::kAllowed;
  if (text == "refused") return RuleExpectation::Outcome::kRefused;
  if (text == "nothing") return RuleExpectation::Outcome::kNothing;
  return expected("expect", "allowed, refused, nothing, or an object");
}

// A name or null, or a list of them.
Status read_roles(bson::ValueView value, RuleExpectation& expectation) {
  std::vector<std::optional<std::string>> roles;
  const auto add = [&roles](bson::ValueView role) {
    const auto text = role.as_string();
    if (text) {
      roles.emplace_back(std::string(*text));
    } else if (role.type() == bson::Type::kNull) {
      roles.emplace_back();
    } else {
      return false;
    }
    return true;
  };
  bool is_good = true;
  if (const auto list = value.as_array()) {
    for (const bson::Element& element : *list) is_good &= add(element.value);
  } else {
    is_good = add(value);
    expectation.has_one_role = true;
  }
  if (!is_good) return expected("role", "a name, null, or a list of them");
  expectation.roles = std::move(roles);
  return {};
}

Result<RuleExpectation> read_expectation(bson::ValueView value) {
  RuleExpectation expectation;
  const auto stated = value.as_object();
  if (!stated) {
    RESTITCH_TRY(expectation.outcome, outcome_of(value));
    return expectation;
  }
  RESTITCH_CHECK(rules::check_members(*stated, kExpectMembers));
  for (const bson::Element& element : *stated) {
    if (element.name == "outcome") {
      RESTITCH_TRY(expectation.outcome, outcome_of(element.value));
    } else if (element.name == "role") {
      RESTITCH_CHECK(read_roles(element.value, expectation));
    } else if (element.name == "visible") {
      expectation.visible = bson::Value(element.value);
    } else if (element.name == "withheld") {
      RESTITCH_TRY(expectation.withheld, texts_of(element.value, "withheld"));
    } else if (element.name == "schema") {
      RESTITCH_TRY(expectation.schema, texts_of(element.value, "schema"));
    } else if (element.name == "count") {
      expectation.count = element.value.as_integer();
      if (!expectation.count) return expected("count", "an integer");
    } else if (element.name == "error") {
      const auto text = element.value.as_string();
      if (!text) return expected("error", "a text");
      expectation.error = std::string(*text);
    }
  }
  const bool names_error =
      expectation.error || (expectation.schema && !expectation.schema->empty());
  if (names_error && !expectation.outcome) expectation.outcome = RuleExpectation::Outcome::kRefused;
  return expectation;
}

Result<rules::User> read_user(bson::ValueView as, const RuleTestFile& file) {
  if (const auto stated = as.as_object()) return rules::parse_stated_user(*stated);
  const auto name = as.as_string();
  if (!name) return expected("as", "the name of a user");
  if (*name == "system") {
    rules::User system;
    system.type = "system";
    return system;
  }
  const auto found = file.users.find(std::string(*name));
  if (found != file.users.end()) return found->second;
  return Error(ErrorCode::kInvalidArgument, "no user '" + std::string(*name) + "' in 'users'");
}

Result<RuleTestCase> read_case(bson::View stated, bson::View file_members,
                               const RuleTestFile& file) {
  RuleTestCase test;
  bson::Builder whole;
  whole.append_all(stated);
  for (const char* name : {"data_source", "database", "collection"}) {
    if (!stated.contains(name)) whole.append(name, file_members[name]);
  }
  const bson::Document filled = std::move(whole).finish();
  RESTITCH_TRY(test.operation, rules::parse_stated_operation(filled, kCaseMembers));
  RESTITCH_TRY(test.user, read_user(stated["as"], file));
  RESTITCH_TRY(const bson::View functions, object_at(stated, "functions"));
  test.functions = bson::Document(functions);
  if (!stated.contains("expect")) {
    return Error(ErrorCode::kMissingParameter, "missing parameter 'expect'");
  }
  RESTITCH_TRY(test.expected, read_expectation(stated["expect"]));
  const bool has_result = test.operation.action != rules::Action::kBulkWrite;
  if (!has_result && (test.expected.count || test.expected.visible)) {
    return Error(ErrorCode::kInvalidArgument,
                 "a bulkWrite gives no result: 'count' and 'visible' cannot be expected");
  }
  return test;
}

std::string name_of_case(bson::View stated, std::size_t number) {
  const auto name = stated["name"].as_string();
  return name ? std::string(*name) : "case " + std::to_string(number + 1);
}

Status read_stored(bson::View documents, const std::string& source, RuleTestFile& file) {
  for (const bson::Element& element : documents) {
    const std::string ns(element.name);
    const std::size_t dot = ns.find('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == ns.size()) {
      return Error(ErrorCode::kInvalidArgument,
                   "documents: '" + ns + "' is not of the form database.collection");
    }
    RuleTestFile::Stored stored{source, ns.substr(0, dot), ns.substr(dot + 1), {}};
    const auto list = element.value.as_array();
    if (!list) return expected("documents/" + ns, "a list of documents");
    for (const bson::Element& one : *list) {
      const auto document = one.value.as_object();
      if (!document) return expected("documents/" + ns, "a list of documents");
      stored.documents.emplace_back(*document);
    }
    file.stored.push_back(std::move(stored));
  }
  return {};
}

Status read_cases(bson::View content, RuleTestFile& file) {
  const auto cases = content["cases"].as_array();
  if (!cases) return expected("cases", "a list");
  std::size_t number = 0;
  for (const bson::Element& element : *cases) {
    const auto stated = element.value.as_object();
    if (!stated) return expected("cases", "a list of objects");
    const std::string name = name_of_case(*stated, number++);
    Result<RuleTestCase> test = read_case(*stated, content, file);
    if (!test) return std::move(test).error().with_context("\"" + name + "\"");
    test->name = name;
    file.cases.push_back(std::move(*test));
  }
  return {};
}

Result<RuleTestFile> read_file(const std::string& path, bson::View content) {
  RuleTestFile file;
  file.path = path;
  RESTITCH_CHECK(rules::check_members(content, kFileMembers));
  RESTITCH_TRY(const bson::View users, object_at(content, "users"));
  for (const bson::Element& element : users) {
    const auto stated = element.value.as_object();
    if (!stated) return expected("users/" + std::string(element.name), "an object");
    Result<rules::User> user = rules::parse_stated_user(*stated);
    if (!user) return std::move(user).error().with_context("users/" + std::string(element.name));
    file.users.emplace(element.name, std::move(*user));
  }
  RESTITCH_TRY(const bson::View documents, object_at(content, "documents"));
  const std::string source(content["data_source"].as_string().value_or(kDefaultSource));
  RESTITCH_CHECK(read_stored(documents, source, file));
  RESTITCH_TRY(const bson::View functions, object_at(content, "functions"));
  file.functions = bson::Document(functions);
  RESTITCH_TRY(const bson::View values, object_at(content, "values"));
  file.values = bson::Document(values);
  RESTITCH_CHECK(read_cases(content, file));
  return file;
}

}  // namespace

Result<RuleTestFile> parse_rule_test_file(const std::string& path, const std::string& text) {
  Result<bson::Document> content = bson::parse_json_document(text);
  if (!content) return std::move(content).error().with_context(path);
  Result<RuleTestFile> file = read_file(path, *content);
  if (!file) return std::move(file).error().with_context(path);
  return file;
}

}  // namespace restitch::deployment
