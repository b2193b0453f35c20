#include "query/filter/json_schema.h"

#include <algorithm>

#include "bson/compare.h"
#include "query/filter/schema_node.h"

namespace restitch::query {
namespace {

class CompiledSchema final : public JsonSchema {
 public:
  explicit CompiledSchema(SchemaNodePtr root) : root_(std::move(root)) {}

  bool matches(bson::View document) const override {
    return schema_matches(*root_, as_value(document));
  }

  bson::Document explain_mismatch(bson::View document) const override {
    bson::Builder out;
    out.append("operatorName", "$jsonSchema");
    append_annotations(*root_, out);
    out.open_array("schemaRulesNotSatisfied");
    explain_schema(*root_, as_value(document), out);
    return std::move(out).finish();
  }

 private:
  static bson::ValueView as_value(bson::View document) {
    return {bson::Type::kObject, document.data(), document.size()};
  }

  SchemaNodePtr root_;
};

bool unordered_equal_members(bson::View a, bson::View b) {
  if (a.count() != b.count()) return false;
  return std::all_of(a.begin(), a.end(), [&](const bson::Element& element) {
    const bson::ValueView other = b.find(element.name);
    return !other.is_missing() && unordered_equal(element.value, other);
  });
}

bool unordered_equal_items(bson::View a, bson::View b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const bson::Element& x, const bson::Element& y) {
                      return unordered_equal(x.value, y.value);
                    });
}

}  // namespace

bool unordered_equal(bson::ValueView a, bson::ValueView b) {
  if (a.type() == bson::Type::kObject && b.type() == bson::Type::kObject) {
    return unordered_equal_members(a.get_document(), b.get_document());
  }
  if (a.type() == bson::Type::kArray && b.type() == bson::Type::kArray) {
    return unordered_equal_items(a.get_document(), b.get_document());
  }
  return bson::equal(a, b);
}

bool schema_matches(const SchemaNode& node, bson::ValueView value) {
  return std::all_of(node.rules.begin(), node.rules.end(),
                     [&](const SchemaRule* rule) { return rule->is_satisfied(node, value); });
}

void explain_schema(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  for (const SchemaRule* rule : node.rules) {
    if (rule->is_satisfied(node, value)) continue;
    out.push_object().append("operatorName", rule->keyword);
    rule->explain(node, value, out);
    out.close();
  }
}

void append_annotations(const SchemaNode& node, bson::Builder& out) {
  for (const std::string_view name : {"title", "description"}) {
    out.append(name, node.source[name]);
  }
}

Result<std::shared_ptr<const JsonSchema>> JsonSchema::compile(bson::View schema,
                                                              const CommandContext&) {
  RESTITCH_TRY(SchemaNodePtr root, parse_schema(schema));
  return std::shared_ptr<const JsonSchema>(std::make_shared<CompiledSchema>(std::move(root)));
}

}  // namespace restitch::query
