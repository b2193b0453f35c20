#include "query/filter/parser.h"

#include <algorithm>
#include <array>

#include "bson/extended_json.h"
#include "query/expression/expression.h"
#include "query/filter/json_schema.h"
#include "query/path.h"

namespace restitch::query {
namespace {

constexpr std::array<std::string_view, 31> kFieldOperators = {
    "$eq",           "$ne",        "$gt",          "$gte",           "$lt",
    "$lte",          "$in",        "$nin",         "$not",           "$exists",
    "$type",         "$mod",       "$regex",       "$options",       "$all",
    "$elemMatch",    "$size",      "$bitsAllSet",  "$bitsAnySet",    "$bitsAllClear",
    "$bitsAnyClear", "$geoWithin", "$within",      "$geoIntersects", "$near",
    "$nearSphere",   "$geoNear",   "$maxDistance", "$minDistance",   "$uniqueDocs",
    "$geometry"};

bool is_dbref_name(std::string_view name) {
  return name == "$ref" || name == "$id" || name == "$db";
}

FilterNodePtr make_node(FilterOp op) {
  auto node = std::make_unique<FilterNode>();
  node->op = op;
  return node;
}

// A node for `op` on the path of `path`.
FilterNodePtr make_leaf(const FilterNode& path, FilterOp op) {
  FilterNodePtr node = make_node(op);
  node->path = path.path;
  node->components = path.components;
  return node;
}

FilterNodePtr make_parent(FilterOp op, FilterNodePtr child) {
  FilterNodePtr node = make_node(op);
  node->children.push_back(std::move(child));
  return node;
}

// The conjunction of `nodes` in its shortest form.
FilterNodePtr make_and(std::vector<FilterNodePtr> nodes) {
  if (nodes.empty()) return make_node(FilterOp::kAlwaysTrue);
  if (nodes.size() == 1) return std::move(nodes.front());
  FilterNodePtr node = make_node(FilterOp::kAnd);
  node->children = std::move(nodes);
  return node;
}

FilterNode path_of(std::string_view path) {
  FilterNode node;
  node.path = path;
  node.components = split_path(path);
  return node;
}

Result<FilterNodePtr> regex_leaf(const FilterNode& path, bson::ValueView regex) {
  const auto [pattern, options] = regex.get_regex();
  RESTITCH_TRY(Regex compiled, Regex::compile(pattern, options));
  FilterNodePtr node = make_leaf(path, FilterOp::kRegex);
  node->operand = bson::Value(regex);
  node->regexes.push_back(std::move(compiled));
  return node;
}

FilterNodePtr equality_leaf(const FilterNode& path, bson::ValueView value) {
  FilterNodePtr node = make_leaf(path, FilterOp::kEq);
  node->operand = bson::Value(value);
  return node;
}

Error unknown_operator(std::string_view name) {
  return mongo_error(2, "unknown operator: " + std::string(name));
}

Error undefined_operand() { return mongo_error(2, "cannot compare to undefined"); }

// Text of a $regex or $options operand.
Result<std::string_view> regex_text(bson::ValueView value, std::string_view what, int nul_code) {
  const auto text = value.as_string();
  if (!text) return mongo_error(2, std::string(what) + " has to be a string");
  if (text->find('\0') != std::string_view::npos) {
    return mongo_error(nul_code, nul_code == 51109
                                     ? "Regular expression cannot contain an embedded null byte"
                                     : "Regular expression options string cannot contain an "
                                       "embedded null byte");
  }
  return *text;
}

}  // namespace

bool is_field_operator(std::string_view name) {
  return std::find(kFieldOperators.begin(), kFieldOperators.end(), name) != kFieldOperators.end();
}

bool is_operator_object(bson::View object, bool incomplete_dbref) {
  if (object.empty()) return false;
  const std::string_view first = object.begin()->name;
  if (first.substr(0, 1) != "$") return false;
  if (!is_dbref_name(first)) return true;
  return !incomplete_dbref && !(object.contains("$ref") && object.contains("$id"));
}

Result<FilterNodePtr> FilterParser::parse_value_operators(bson::ValueView operators) {
  const FilterNode path;
  if (operators.type() == bson::Type::kRegex) return regex_leaf(path, operators);
  Nodes nodes;
  RESTITCH_CHECK(parse_operators(path, operators.get_document(), nodes));
  return make_and(std::move(nodes));
}

Result<FilterNodePtr> FilterParser::parse_query(bson::View query, Place place) {
  Nodes nodes;
  for (const bson::Element& element : query) RESTITCH_CHECK(parse_element(element, place, nodes));
  return make_and(std::move(nodes));
}

Status FilterParser::parse_element(const bson::Element& element, Place place, Nodes& out) {
  if (element.name.substr(0, 1) == "$" && !is_dbref_name(element.name)) {
    return parse_top_operator(element, place, out);
  }
  const FilterNode path = path_of(element.name);
  switch (element.value.type()) {
    case bson::Type::kRegex: {
      RESTITCH_TRY(FilterNodePtr node, regex_leaf(path, element.value));
      out.push_back(std::move(node));
      return {};
    }
    case bson::Type::kUndefined:
      return undefined_operand();
    case bson::Type::kObject:
      if (is_operator_object(element.value.get_document())) {
        return parse_operators(path, element.value.get_document(), out);
      }
      break;
    default:
      break;
  }
  out.push_back(equality_leaf(path, element.value));
  return {};
}

Status FilterParser::parse_top_operator(const bson::Element& element, Place place, Nodes& out) {
  const std::string_view name = element.name;
  if (name == "$and") return parse_logical(FilterOp::kAnd, element, place, out);
  if (name == "$or") return parse_logical(FilterOp::kOr, element, place, out);
  if (name == "$nor") return parse_logical(FilterOp::kNor, element, place, out);
  if (name == "$expr") return parse_expr(element.value, place, out);
  if (name == "$jsonSchema") return parse_json_schema(element.value, out);
  if (name == "$comment") return {};
  if (name == "$alwaysTrue" || name == "$alwaysFalse") return parse_constant(element, out);
  if (name == "$sampleRate") return parse_sample_rate(element.value, out);
  if (name == "$where" || name == "$text") return parse_unoffered(element, place);
  std::string message = "unknown top level operator: " + std::string(name);
  message += name == "$not" ? ". If you are trying to negate an entire expression, use $nor."
                            : ". If you have a field name that starts with a '$' symbol, consider "
                              "using $getField or $setField.";
  return mongo_error(2, std::move(message));
}

Status FilterParser::parse_logical(FilterOp op, const bson::Element& element, Place place,
                                   Nodes& out) {
  const auto clauses = element.value.as_array();
  if (!clauses) return mongo_error(2, std::string(element.name) + " must be an array");
  if (clauses->empty()) return mongo_error(2, "$and/$or/$nor must be a nonempty array");
  FilterNodePtr node = make_node(op);
  for (const bson::Element& clause : *clauses) {
    const auto query = clause.value.as_object();
    if (!query) return mongo_error(2, "$or/$and/$nor entries need to be full objects");
    RESTITCH_TRY(FilterNodePtr child, parse_query(*query, place));
    node->children.push_back(std::move(child));
  }
  if (op != FilterOp::kNor && node->children.size() == 1) {
    out.push_back(std::move(node->children.front()));
  } else {
    out.push_back(std::move(node));
  }
  return {};
}

Status FilterParser::parse_expr(bson::ValueView value, Place place, Nodes& out) {
  if (!options_.allow_expr) return mongo_error(224, "$expr is not allowed in this context");
  if (place == Place::kElemMatch) {
    return mongo_error(2, "$expr can only be applied to the top-level document");
  }
  static const VariableScope kNoVariables;
  const VariableScope& scope = options_.scope != nullptr ? *options_.scope : kNoVariables;
  RESTITCH_TRY(auto expression, Expression::compile(value, context_, scope));
  FilterNodePtr node = make_node(FilterOp::kExpr);
  node->expression = std::move(expression);
  node->operand = bson::Value(value);
  out.push_back(std::move(node));
  return {};
}

Status FilterParser::parse_json_schema(bson::ValueView value, Nodes& out) {
  const auto schema = value.as_object();
  if (!schema) return mongo_error(14, "$jsonSchema must be an object");
  RESTITCH_TRY(auto compiled, JsonSchema::compile(*schema, context_));
  FilterNodePtr node = make_node(FilterOp::kJsonSchema);
  node->schema = std::move(compiled);
  node->operand = bson::Value(value);
  out.push_back(std::move(node));
  return {};
}

// $where and $text answer as a server without a script engine and a text index does.
Status FilterParser::parse_unoffered(const bson::Element& element, Place place) const {
  const std::string name(element.name);
  if (place == Place::kElemMatch) {
    return mongo_error(2, name + " can only be applied to the top-level document");
  }
  if (!options_.allow_where_and_text) {
    return mongo_error(2, name + " is not allowed in this context");
  }
  if (name == "$where") return mongo_error(6108304, "no globalScriptEngine in $where parsing");
  const auto spec = element.value.as_object();
  if (!spec) return mongo_error(2, "$text expects an object");
  if (!(*spec)["$search"].as_string()) {
    return mongo_error(2, "$search requires a string value");
  }
  return mongo_error(27, "text index required for $text query");
}

Status FilterParser::parse_constant(const bson::Element& element, Nodes& out) {
  if (element.value.as_integer() != 1) {
    return mongo_error(9, std::string(element.name) + " must be an integer value of 1");
  }
  const bool is_true = element.name == "$alwaysTrue";
  out.push_back(make_node(is_true ? FilterOp::kAlwaysTrue : FilterOp::kAlwaysFalse));
  return {};
}

Status FilterParser::parse_sample_rate(bson::ValueView value, Nodes& out) {
  const auto rate = value.as_double();
  if (!rate) return mongo_error(2, "argument to $sampleRate must be a numeric type");
  if (!(*rate >= 0 && *rate <= 1)) {
    return mongo_error(2, "numeric argument to $sampleRate must be in [0, 1]");
  }
  FilterNodePtr node = make_node(FilterOp::kSampleRate);
  node->sample_rate = *rate;
  out.push_back(std::move(node));
  return {};
}

Status FilterParser::parse_operators(const FilterNode& path, bson::View operators, Nodes& out) {
  for (const bson::Element& element : operators) {
    RESTITCH_CHECK(parse_operator(path, element, operators, out));
  }
  return {};
}

Status FilterParser::parse_operator(const FilterNode& path, const bson::Element& element,
                                    bson::View siblings, Nodes& out) {
  const std::string_view name = element.name;
  const bson::ValueView value = element.value;
  if (name == "$eq") return parse_comparison(path, FilterOp::kEq, element, out);
  if (name == "$gt") return parse_comparison(path, FilterOp::kGt, element, out);
  if (name == "$gte") return parse_comparison(path, FilterOp::kGte, element, out);
  if (name == "$lt") return parse_comparison(path, FilterOp::kLt, element, out);
  if (name == "$lte") return parse_comparison(path, FilterOp::kLte, element, out);
  if (name == "$ne") return parse_not_equal(path, value, out);
  if (name == "$in" || name == "$nin") {
    RESTITCH_TRY(FilterNodePtr node, parse_in(path, element));
    out.push_back(name == "$in" ? std::move(node) : make_parent(FilterOp::kNot, std::move(node)));
    return {};
  }
  if (name == "$not") return parse_not(path, value, out);
  if (name == "$exists") {
    FilterNodePtr node = make_leaf(path, FilterOp::kExists);
    out.push_back(value.truthy() ? std::move(node) : make_parent(FilterOp::kNot, std::move(node)));
    return {};
  }
  if (name == "$all") return parse_all(path, value, out);
  if (name == "$elemMatch") return parse_elem_match(path, value, out);
  if (name == "$regex") return parse_regex(path, siblings, out);
  if (name == "$options") {
    // Read together with $regex, wherever that stands.
    if (siblings.contains("$regex")) return {};
    return mongo_error(2, "$options needs a $regex");
  }

  FilterNodePtr node = make_leaf(path, FilterOp::kType);
  if (name == "$type") {
    RESTITCH_CHECK(read_type_operand(path.path, value, *node));
  } else if (name == "$mod") {
    node->op = FilterOp::kMod;
    RESTITCH_CHECK(read_mod_operand(value, *node));
  } else if (name == "$size") {
    node->op = FilterOp::kSize;
    RESTITCH_CHECK(read_size_operand(element, *node));
  } else if (name.substr(0, 5) == "$bits" && is_field_operator(name)) {
    node->op = FilterOp::kBits;
    RESTITCH_CHECK(read_bits_operand(path.path, element, *node));
  } else if (name == "$near" || name == "$nearSphere" || name == "$geoNear") {
    if (options_.allow_near) return mongo_error(291, "unable to find index for $geoNear query");
    return mongo_error(
        5626500,
        "$geoNear, $near, and $nearSphere are not allowed in this context, as these "
        "operators require sorting geospatial data. If you do not need sort, consider "
        "using $geoWithin instead.");
  } else if (name == "$geoWithin" || name == "$within" || name == "$geoIntersects") {
    return mongo_error(238, std::string(name) + " is not supported by this server");
  } else {
    return unknown_operator(name);
  }
  node->operand = bson::Value(value);
  out.push_back(std::move(node));
  return {};
}

Status FilterParser::parse_comparison(const FilterNode& path, FilterOp op,
                                      const bson::Element& element, Nodes& out) {
  const bson::ValueView value = element.value;
  if (value.type() == bson::Type::kUndefined) return undefined_operand();
  if (value.type() == bson::Type::kRegex && op != FilterOp::kEq) {
    return mongo_error(2, "Can't have RegEx as arg to predicate over field '" + path.path + "'.");
  }
  FilterNodePtr node = equality_leaf(path, value);
  node->op = op;
  out.push_back(std::move(node));
  return {};
}

Status FilterParser::parse_not_equal(const FilterNode& path, bson::ValueView value, Nodes& out) {
  if (value.type() == bson::Type::kUndefined) return undefined_operand();
  if (value.type() == bson::Type::kRegex) {
    return mongo_error(2, "Can't have regex as arg to $ne.");
  }
  out.push_back(make_parent(FilterOp::kNot, equality_leaf(path, value)));
  return {};
}

Result<FilterNodePtr> FilterParser::parse_in(const FilterNode& path, const bson::Element& element) {
  const auto array = element.value.as_array();
  if (!array) return mongo_error(2, std::string(element.name) + " needs an array");
  FilterNodePtr node = make_leaf(path, FilterOp::kIn);
  node->operand = bson::Value(element.value);
  for (const bson::Element& item : node->operand.view().get_document()) {
    const bson::Type type = item.value.type();
    if (type == bson::Type::kUndefined) return undefined_operand();
    if (type == bson::Type::kObject && is_operator_object(item.value.get_document())) {
      return mongo_error(2, "cannot nest $ under " + std::string(element.name));
    }
    if (type == bson::Type::kRegex) {
      const auto [pattern, options] = item.value.get_regex();
      RESTITCH_TRY(Regex regex, Regex::compile(pattern, options));
      node->regexes.push_back(std::move(regex));
    }
    if (type == bson::Type::kNull) node->in_has_null = true;
    node->in_values.push_back(item.value);
  }
  const Comparator& comparator = context_.comparator;
  std::sort(node->in_values.begin(), node->in_values.end(),
            [&](const auto& a, const auto& b) { return comparator.compare(a, b) < 0; });
  const auto last =
      std::unique(node->in_values.begin(), node->in_values.end(),
                  [&](const auto& a, const auto& b) { return comparator.equal(a, b); });
  node->in_values.erase(last, node->in_values.end());
  return node;
}

Status FilterParser::parse_not(const FilterNode& path, bson::ValueView value, Nodes& out) {
  if (value.type() == bson::Type::kRegex) {
    RESTITCH_TRY(FilterNodePtr node, regex_leaf(path, value));
    out.push_back(make_parent(FilterOp::kNot, std::move(node)));
    return {};
  }
  const auto operators = value.as_object();
  if (!operators) return mongo_error(2, "$not needs a regex or a document");
  if (operators->empty()) return mongo_error(2, "$not cannot be empty");
  Nodes nodes;
  RESTITCH_CHECK(parse_operators(path, *operators, nodes));
  out.push_back(make_parent(FilterOp::kNot, make_and(std::move(nodes))));
  return {};
}

Status FilterParser::parse_regex(const FilterNode& path, bson::View siblings, Nodes& out) {
  std::string_view pattern;
  std::string_view literal_options;
  std::string_view options;
  bool has_options = false;
  bool options_first = false;
  for (const bson::Element& element : siblings) {
    if (element.name == "$regex") {
      if (element.value.type() == bson::Type::kRegex) {
        const bson::RegexView literal = element.value.get_regex();
        pattern = literal.pattern;
        literal_options = literal.options;
      } else {
        RESTITCH_TRY(pattern, regex_text(element.value, "$regex", 51109));
      }
      options_first = has_options;
    } else if (element.name == "$options") {
      RESTITCH_TRY(options, regex_text(element.value, "$options", 51110));
      has_options = true;
    }
  }
  if (has_options && !literal_options.empty()) {
    return mongo_error(options_first ? 51074 : 51075, "options set in both $regex and $options");
  }
  RESTITCH_TRY(
      FilterNodePtr node,
      regex_leaf(path, bson::Value::regex(pattern, has_options ? options : literal_options)));
  out.push_back(std::move(node));
  return {};
}

Status FilterParser::parse_all(const FilterNode& path, bson::ValueView value, Nodes& out) {
  const auto array = value.as_array();
  if (!array) return mongo_error(2, "$all needs an array");
  if (array->empty()) {
    out.push_back(make_leaf(path, FilterOp::kAlwaysFalse));
    return {};
  }
  const auto is_elem_match = [](bson::ValueView item) {
    const auto object = item.as_object();
    return object && !object->empty() && object->begin()->name == "$elemMatch";
  };
  if (is_elem_match(array->begin()->value)) return parse_all_elem_match(path, *array, out);

  for (const bson::Element& item : *array) {
    if (item.value.type() == bson::Type::kUndefined) return undefined_operand();
    if (item.value.type() == bson::Type::kRegex) {
      RESTITCH_TRY(FilterNodePtr node, regex_leaf(path, item.value));
      out.push_back(std::move(node));
      continue;
    }
    if (item.value.type() == bson::Type::kObject && is_operator_object(item.value.get_document())) {
      return mongo_error(2, "no $ expressions in $all");
    }
    out.push_back(equality_leaf(path, item.value));
  }
  return {};
}

Status FilterParser::parse_all_elem_match(const FilterNode& path, bson::View elements, Nodes& out) {
  for (const bson::Element& item : elements) {
    const auto object = item.value.as_object();
    if (!object || object->empty() || object->begin()->name != "$elemMatch") {
      return mongo_error(2, "$all/$elemMatch has to be consistent");
    }
    RESTITCH_CHECK(parse_elem_match(path, object->begin()->value, out));
  }
  return {};
}

Status FilterParser::parse_elem_match(const FilterNode& path, bson::ValueView value, Nodes& out) {
  const auto query = value.as_object();
  if (!query) return mongo_error(2, "$elemMatch needs an Object");
  const bool starts_with_field_operator =
      is_operator_object(*query, true) && query->begin()->name != "$and" &&
      query->begin()->name != "$or" && query->begin()->name != "$nor" &&
      query->begin()->name != "$where" && query->begin()->name != "$expr" &&
      query->begin()->name != "$text" && query->begin()->name != "$jsonSchema" &&
      query->begin()->name != "$comment";
  FilterNodePtr node = make_leaf(path, FilterOp::kElemMatchObject);
  node->operand = bson::Value(value);
  if (starts_with_field_operator) {
    node->op = FilterOp::kElemMatchValue;
    const FilterNode element_itself;
    Nodes nodes;
    RESTITCH_CHECK(parse_operators(element_itself, *query, nodes));
    node->children.push_back(make_and(std::move(nodes)));
  } else {
    RESTITCH_TRY(FilterNodePtr child, parse_query(*query, Place::kElemMatch));
    node->children.push_back(std::move(child));
  }
  out.push_back(std::move(node));
  return {};
}

}  // namespace restitch::query
