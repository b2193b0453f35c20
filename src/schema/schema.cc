#include "schema/schema.h"

#include <utility>

#include "app/node.h"
#include "schema/compiler.h"
#include "schema/validator.h"

namespace restitch::schema {
namespace {

class SchemaImpl : public Schema {
 public:
  SchemaImpl(CompiledPtr root, std::vector<ValidateExpression> validates, std::string title,
             bool is_empty)
      : root_(std::move(root)),
        validates_(std::move(validates)),
        title_(std::move(title)),
        is_empty_(is_empty) {}

  std::vector<Violation> validate(bson::View document,
                                  const ValidationSettings& settings) const override {
    return find_violations(*root_, document, settings);
  }
  const std::vector<ValidateExpression>& validate_expressions() const override {
    return validates_;
  }
  const std::string& title() const override { return title_; }
  bool is_empty() const override { return is_empty_; }

 private:
  CompiledPtr root_;
  std::vector<ValidateExpression> validates_;
  std::string title_;
  bool is_empty_;
};

bool has_error_since(const app::Findings& findings, std::size_t start) {
  for (std::size_t i = start; i < findings.list().size(); ++i) {
    if (findings.list()[i].severity == app::FindingSeverity::kError) return true;
  }
  return false;
}

}  // namespace

std::shared_ptr<const Schema> Schema::compile(bson::View schema, const std::string& file,
                                              app::Findings& findings) {
  const std::size_t start = findings.list().size();
  const bson::ValueView value(bson::Type::kObject, schema.data(), schema.size());
  const app::Node root(file, value, findings);
  std::vector<ValidateExpression> validates;
  CompiledPtr compiled = compile_schema(root, validates);
  std::string title = root["title"].text();
  if (has_error_since(findings, start)) return nullptr;
  return std::make_shared<SchemaImpl>(std::move(compiled), std::move(validates), std::move(title),
                                      schema.empty());
}

std::string describe(const std::vector<Violation>& violations) {
  std::string text = "could not validate document: ";
  for (const Violation& violation : violations) {
    text.append("\n\t").append(violation.path).append(": ").append(violation.message);
  }
  return text;
}

}  // namespace restitch::schema
