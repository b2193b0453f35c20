#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "rules/context.h"
#include "rules/operation.h"

namespace restitch::deployment {

// What a test of rules demands. What is not stated is not looked at.
struct RuleExpectation {
  enum class Outcome : std::uint8_t {
    kAllowed,  // without an error, and some document was met
    kRefused,  // an error
    kNothing,  // without an error, but no document was met
  };

  std::optional<Outcome> outcome;
  std::optional<std::vector<std::optional<std::string>>> roles;  // of the documents; empty: no role
  bool has_one_role = false;                         // `roles` has one, which all documents have
  std::optional<bson::Value> visible;                // what a read gives
  std::optional<std::vector<std::string>> withheld;  // paths of fields, of all documents
  std::optional<std::vector<std::string>> schema;    // paths that the schema complains about
  std::optional<std::int64_t> count;                 // documents read, matched, inserted or deleted
  std::optional<std::string> error;                  // the text that the client gets
};

struct RuleTestCase {
  std::string name;
  rules::User user;  // type "system" for the system user
  rules::Operation operation;
  bson::Document functions;  // as in the file; they go before the file's
  RuleExpectation expected;
};

// A file of tests/rules (docs/rules.md).
struct RuleTestFile {
  struct Stored {
    std::string source, database, collection;
    std::vector<bson::Document> documents;
  };

  std::string path;  // relative to the app root
  std::map<std::string, rules::User> users;
  std::vector<Stored> stored;
  bson::Document functions;  // name to result, or to a list of {"arguments"?, "result" | "throws"}
  bson::Document values;     // in the place of those of the app
  std::vector<RuleTestCase> cases;
};

// Errors name the member, and its case, that is wrong.
Result<RuleTestFile> parse_rule_test_file(const std::string& path, const std::string& text);

}  // namespace restitch::deployment
