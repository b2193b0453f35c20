#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/result.h"
#include "bson/document.h"

namespace restitch::schema {

struct Violation {
  std::string path;      // "(root)" or a dotted path with array indexes
  std::string code;      // vocabulary of spec rules §10.4, e.g. "invalid_type"
  std::string message;   // e.g. "Invalid type. Expected: type: undefined, bsonType: string, given: [int long number mixed]"
};

// A `validate` expression found in a schema; rules/ compiles and evaluates it.
struct ValidateExpression {
  std::vector<std::string> path;  // of the property; empty = root
  bson::Value expression;
  std::string pointer;            // JSON pointer in schema.json, for findings
};

struct ValidationSettings {
  bool null_allowed_for_optional = false;  // "null type schema validation" of the app
};

// A compiled collection schema (spec: rules §10). Immutable, thread-safe.
class Schema {
 public:
  // Problems go to `findings` under `file`; nullptr if they are errors. An empty schema validates everything.
  static std::shared_ptr<const Schema> compile(bson::View schema, const std::string& file, app::Findings& findings);
  virtual ~Schema() = default;

  // All violations, in document order; empty if the document conforms. The three helper fields of the hosted service
  // (spec: rules §8) are ignored.
  virtual std::vector<Violation> validate(bson::View document, const ValidationSettings& settings) const = 0;
  virtual const std::vector<ValidateExpression>& validate_expressions() const = 0;
  virtual const std::string& title() const = 0;
  virtual bool is_empty() const = 0;
};

// "could not validate document: " and one line per violation, for the log.
std::string describe(const std::vector<Violation>& violations);

}  // namespace restitch::schema
