#include "query/expression/numbers.h"
#include "query/field_path.h"
#include "query/path.h"
#include "query/pipeline/stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

// Fields to set, as a tree of path components; leaves hold expressions.
struct FieldTree {
  struct Field {
    std::string name;
    ExpressionPtr expression;         // a leaf, or
    std::unique_ptr<FieldTree> tree;  // more components
  };
  std::vector<Field> fields;  // in the order of the specification

  Field* find(std::string_view name) {
    for (Field& field : fields) {
      if (field.name == name) return &field;
    }
    return nullptr;
  }
  const Field* find(std::string_view name) const {
    return const_cast<FieldTree*>(this)->find(name);
  }
};

class FieldWriter {
 public:
  FieldWriter(EvalContext& context) : context_(context) {}  // NOLINT(google-explicit-constructor)

  Status write(bson::Builder& builder, bson::View document, const FieldTree& tree) {
    std::uint64_t written = 0;
    const auto end = document.end();
    for (auto at = document.begin(); at != end; ++at) {
      const FieldTree::Field* field = tree.find(at->name);
      if (field == nullptr) {
        builder.append_raw(at.raw());
        continue;
      }
      const auto index = static_cast<std::size_t>(field - tree.fields.data());
      if (index < 64 && (written >> index & 1U) != 0) continue;
      if (index < 64) written |= 1ULL << index;
      RESTITCH_CHECK(put(builder, *field, at->value));
    }
    for (std::size_t i = 0; i < tree.fields.size(); ++i) {
      const FieldTree::Field& field = tree.fields[i];
      const bool is_done = i < 64 ? (written >> i & 1U) != 0 : document.contains(field.name);
      if (!is_done) RESTITCH_CHECK(put(builder, field, {}));
    }
    return {};
  }

 private:
  Status put(bson::Builder& builder, const FieldTree::Field& field, ValueView present) {
    if (field.expression) {
      Value storage;
      RESTITCH_TRY(const ValueView value, field.expression->peek(context_, storage));
      builder.append(field.name, value);
      return {};
    }
    return put_tree(builder, field.name, *field.tree, present);
  }

  // An object is extended, every element of an array is, anything else is replaced by an object.
  Status put_tree(bson::Builder& builder, std::string_view name, const FieldTree& tree,
                  ValueView present) {
    if (present.type() == Type::kArray) {
      builder.open_array(name);
      for (const bson::Element& element : present.get_document()) {
        RESTITCH_CHECK(put_tree(builder, element.name, tree, element.value));
      }
      builder.close();
      return {};
    }
    builder.open_object(name);
    RESTITCH_CHECK(write(builder, present.as_object().value_or(bson::View()), tree));
    builder.close();
    return {};
  }

  EvalContext& context_;
};

class AddFieldsStage final : public DocumentStage {
 public:
  explicit AddFieldsStage(FieldTree tree) : tree_(std::move(tree)) {}

  Result<std::optional<Document>> apply(Document document, RunContext& run) const override {
    EvalContext context = run.evaluation(document);
    bson::Builder builder;
    RESTITCH_CHECK(FieldWriter(context).write(builder, document, tree_));
    return std::optional(std::move(builder).finish());
  }

  bool lets_filter_pass(const std::set<std::string>& fields) const override {
    for (const FieldTree::Field& field : tree_.fields) {
      if (fields.contains(field.name)) return false;
    }
    return true;
  }

 private:
  FieldTree tree_;
};

Error collision(const std::string& path, std::span<const std::string> rest) {
  if (rest.empty()) return mongo_error(31250, "Path collision at " + path);
  std::string remaining = rest.front();
  for (const std::string& component : rest.subspan(1)) remaining += "." + component;
  return mongo_error(31249, "Path collision at " + path + " remaining portion " + remaining);
}

class FieldTreeParser {
 public:
  explicit FieldTreeParser(const StageCompiler& compiler) : compiler_(compiler) {}

  Status parse(bson::View spec, FieldTree& tree, const std::string& prefix) {
    for (const bson::Element& element : spec) {
      RESTITCH_CHECK(check_field_path(element.name));
      const std::vector<std::string> components = split_path(element.name);
      RESTITCH_CHECK(
          parse_value(components, element.value, tree, prefix + std::string(element.name)));
    }
    return {};
  }

 private:
  Status parse_value(std::span<const std::string> components, ValueView value, FieldTree& tree,
                     const std::string& path) {
    FieldTree::Field* field = tree.find(components.front());
    if (field != nullptr && (field->expression || components.size() == 1)) {
      const auto object = value.as_object();
      const bool merges = field->tree && components.size() == 1 && object && is_nested(*object);
      if (!merges) return collision(path, components.subspan(1));
    }
    if (field == nullptr) {
      tree.fields.push_back({components.front(), nullptr, nullptr});
      field = &tree.fields.back();
    }
    if (components.size() > 1) {
      if (!field->tree) field->tree = std::make_unique<FieldTree>();
      return parse_value(components.subspan(1), value, *field->tree, path);
    }
    const auto object = value.as_object();
    if (object && object->empty()) {
      return mongo_error(
          51270, "An empty sub-projection is not a valid value. Found empty object at path '" +
                     path + "'");
    }
    if (object && is_nested(*object)) {
      if (!field->tree) field->tree = std::make_unique<FieldTree>();
      return parse(*object, *field->tree, path + ".");
    }
    RESTITCH_TRY(field->expression, compiler_.expression(value));
    return {};
  }

  // An object that names fields, not an operator call.
  static bool is_nested(bson::View object) {
    return !object.empty() && object.begin()->name.substr(0, 1) != "$";
  }

  const StageCompiler& compiler_;
};

Status make_add_fields(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const std::string name(element.name);
  const auto spec = element.value.as_object();
  if (!spec) {
    return mongo_error(
        40272, name + " specification stage must be an object, got " + type_name(element.value));
  }
  const std::string prefix = "Invalid " + name + " :: caused by :: ";
  if (spec->empty()) {
    return mongo_error(40177, prefix + name + " specification must have at least one field");
  }
  FieldTree tree;
  const Status parsed = FieldTreeParser(compiler).parse(*spec, tree, "");
  if (!parsed) {
    return Error(parsed.error().code(), parsed.error().mongo_code(),
                 prefix + parsed.error().message());
  }
  out.push_back(std::make_shared<AddFieldsStage>(std::move(tree)));
  return {};
}

constexpr StageDefinition kStages[] = {
    {"$addFields", make_add_fields, kInUpdate | kInChangeStream},
    {"$set", make_add_fields, kInUpdate | kInChangeStream},
};

}  // namespace

StageTable field_stages() { return kStages; }

}  // namespace restitch::query
