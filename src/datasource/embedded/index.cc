#include "datasource/embedded/index.h"

#include <cmath>
#include <set>

#include "bson/compare.h"
#include "bson/extended_json.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/index_keys.h"
#include "datasource/embedded/paths.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::Type;
using bson::ValueView;
using bson::View;

constexpr std::size_t kMaxFields = 32;
constexpr std::size_t kMaxPatternBytes = 2048;
constexpr std::int64_t kMaxExpireSeconds = 2147483647;

Error cannot_create(std::string text) {
  return mongo_error(code::kCannotCreateIndex, std::move(text));
}

bool is_known_option(std::string_view name) {
  static constexpr std::string_view kOptions[] = {"v",
                                                  "key",
                                                  "name",
                                                  "ns",
                                                  "unique",
                                                  "background",
                                                  "sparse",
                                                  "hidden",
                                                  "partialFilterExpression",
                                                  "expireAfterSeconds",
                                                  "collation",
                                                  "storageEngine",
                                                  "clustered",
                                                  "prepareUnique",
                                                  "weights",
                                                  "default_language",
                                                  "language_override",
                                                  "textIndexVersion",
                                                  "2dsphereIndexVersion",
                                                  "bits",
                                                  "min",
                                                  "max",
                                                  "wildcardProjection",
                                                  "dropDups"};
  for (const std::string_view option : kOptions) {
    if (option == name) return true;
  }
  return false;
}

Status check_field_name(std::string_view name) {
  if (name.empty()) return cannot_create("Index keys cannot be an empty field.");
  std::size_t position = 0;
  for (const std::string& component : split_path(name)) {
    if (component.empty()) return cannot_create("Index keys cannot contain an empty field.");
    const bool is_reference = component == "$id" || component == "$ref" || component == "$db";
    if (component.front() == '$' && !(position > 0 && is_reference)) {
      return cannot_create("Index key contains an illegal field name: field name starts with '$'.");
    }
    ++position;
  }
  return {};
}

Status check_field_value(ValueView value) {
  if (value.is_number()) {
    const double number = value.as_double().value_or(0);
    if (std::isnan(number)) return cannot_create("Values in the index key pattern cannot be NaN.");
    if (number == 0) return cannot_create("Values in the index key pattern cannot be 0.");
    return {};
  }
  if (const auto plugin = value.as_string()) {
    if (*plugin == "hashed") return {};
    if (*plugin == "text" || *plugin == "2d" || *plugin == "2dsphere") {
      return mongo_error(code::kNotImplemented,
                         "indexes of type '" + std::string(*plugin) + "' are not available");
    }
    return cannot_create("Unknown index plugin '" + std::string(*plugin) + "'");
  }
  return cannot_create("Values in v:2 index key pattern cannot be of type " +
                       std::string(bson::alias_of(value.type())) +
                       ". Only numbers > 0, numbers < 0, and strings are allowed.");
}

Status check_key_pattern(View key) {
  if (key.empty()) return cannot_create("Index keys cannot be empty.");
  if (key.size() > kMaxPatternBytes) return cannot_create("Index key pattern too large.");
  std::set<std::string_view> seen;
  std::size_t plugins = 0;
  for (const bson::Element& element : key) {
    RESTITCH_CHECK(check_field_value(element.value));
    if (element.value.type() == Type::kString) ++plugins;
    if (element.name == "$**" || element.name.ends_with(".$**")) {
      return mongo_error(code::kNotImplemented, "wildcard indexes are not available");
    }
    RESTITCH_CHECK(check_field_name(element.name));
    if (!seen.insert(element.name).second) {
      return mongo_error(code::kBadValue, "The field '" + std::string(element.name) +
                                              "' appears multiple times in the index key pattern " +
                                              bson::to_shell(key));
    }
  }
  if (plugins > 1) return cannot_create("Can't use more than one index plugin for a single index.");
  if (seen.size() > kMaxFields) return mongo_error(13103, "too many compound keys");
  return {};
}

// Operators a partial filter may use.
Status check_partial_node(const query::FilterNode& node, bool is_root) {
  using query::FilterOp;
  switch (node.op) {
    case FilterOp::kAnd:
    case FilterOp::kOr:
      for (const auto& child : node.children) RESTITCH_CHECK(check_partial_node(*child, false));
      return {};
    case FilterOp::kEq:
    case FilterOp::kGt:
    case FilterOp::kGte:
    case FilterOp::kLt:
    case FilterOp::kLte:
    case FilterOp::kExists:
    case FilterOp::kType:
      return {};
    case FilterOp::kIn:
      if (node.regexes.empty()) return {};
      break;
    case FilterOp::kAlwaysTrue:
      if (is_root) return {};
      break;
    default:
      break;
  }
  return cannot_create("Expression not supported in partial index");
}

Status check_partial(View partial) {
  query::CommandContext context;
  auto filter = query::Filter::compile(partial, context);
  if (!filter) return filter.error();
  return check_partial_node(filter->root(), true);
}

bool is_id_key(View key) {
  const auto first = key.begin();
  return key.count() == 1 && first->name == "_id" && first->value.as_double() == 1.0;
}

Error wrong_type(std::string_view option, ValueView value, std::string_view expected) {
  return mongo_error(code::kTypeMismatch, "The field '" + std::string(option) + "' must be " +
                                              std::string(expected) + ", but got " +
                                              std::string(bson::alias_of(value.type())));
}

struct OptionCheck {
  View spec;
  View key;
  bool is_id = false;
  bool has_plugin = false;
};

Status check_expiry(const OptionCheck& check, ValueView value) {
  if (!value.is_number()) return wrong_type("expireAfterSeconds", value, "a number");
  const double seconds = value.as_double().value_or(-1);
  if (std::isnan(seconds)) return {};
  if (seconds < 0) {
    return cannot_create(
        "TTL index 'expireAfterSeconds' option cannot be less than 0. Index spec: " +
        bson::to_shell(check.spec));
  }
  if (seconds > static_cast<double>(kMaxExpireSeconds)) {
    return cannot_create(
        "TTL index 'expireAfterSeconds' option must be within an acceptable range, try a lower "
        "number. Index spec: " +
        bson::to_shell(check.spec));
  }
  if (check.key.count() != 1) {
    return cannot_create(
        "TTL indexes are single-field indexes, compound indexes do not support "
        "TTL. Index spec: " +
        bson::to_shell(check.spec));
  }
  return {};
}

Status check_option(const OptionCheck& check, std::string_view name, ValueView value) {
  if (!is_known_option(name)) {
    return mongo_error(code::kInvalidIndexOption,
                       "The field '" + std::string(name) +
                           "' is not valid for an index specification. Specification: " +
                           bson::to_shell(check.spec));
  }
  const bool is_base = name == "v" || name == "key" || name == "name" || name == "ns" ||
                       name == "collation" || name == "background";
  if (check.is_id && !is_base) {
    return mongo_error(code::kInvalidIndexOption,
                       "The field '" + std::string(name) +
                           "' is not valid for an _id index specification. Specification: " +
                           bson::to_shell(check.spec));
  }
  if (name == "unique" || name == "sparse" || name == "background" || name == "hidden" ||
      name == "prepareUnique") {
    if (!value.as_bool() && !value.is_number()) return wrong_type(name, value, "a bool");
    if (name == "unique" && value.truthy() && check.has_plugin) {
      return mongo_error(16764,
                         "Currently hashed indexes cannot guarantee uniqueness. Use a regular "
                         "index.");
    }
    return {};
  }
  if (name == "v") {
    const auto version = value.as_integer();
    if (!value.is_number()) return wrong_type(name, value, "a number");
    if (version != 1 && version != 2) {
      return cannot_create("Invalid index specification " + bson::to_shell(check.spec) +
                           "; cannot create an index with v=" + bson::to_shell(value));
    }
    return {};
  }
  if (name == "partialFilterExpression") {
    const auto partial = value.as_object();
    if (!partial) return wrong_type(name, value, "an object");
    if (check.spec["sparse"].truthy()) {
      return cannot_create("cannot mix \"partialFilterExpression\" and \"sparse\" options");
    }
    return check_partial(*partial);
  }
  if (name == "expireAfterSeconds") return check_expiry(check, value);
  if (name == "collation" && !value.as_object()) return wrong_type(name, value, "an object");
  if (name == "wildcardProjection") {
    return mongo_error(code::kNotImplemented, "wildcard indexes are not available");
  }
  return {};
}

Error in_specification(Error error, View spec, bool name_accepted) {
  Builder shown;
  shown.append_all(spec);
  if (name_accepted && !spec.contains("v")) shown.append("v", std::int32_t{2});
  return mongo_error(error.mongo_code(), "Error in specification " +
                                             bson::to_shell(std::move(shown).finish().view()) +
                                             " :: caused by :: " + error.message());
}

Status check_collation(View collation) {
  auto parsed = query::Collation::parse(collation);
  if (!parsed) return parsed.error();
  return {};
}

// The completed collation of an index: its own, else the collection's; empty for the simple one.
Result<Document> completed_collation(View spec, View default_collation) {
  View wanted = default_collation;
  if (const auto own = spec["collation"].as_object()) wanted = *own;
  if (wanted.empty()) return Document();
  RESTITCH_TRY(const auto parsed, query::Collation::parse(wanted));
  return parsed ? parsed->spec() : Document();
}

}  // namespace

bool Index::is_hashed() const {
  for (const IndexField& field : fields) {
    if (field.hashed) return true;
  }
  return false;
}

bool Index::is_multikey() const {
  for (std::size_t field = 0; field < fields.size(); ++field) {
    if (multikey_bits(field) != 0) return true;
  }
  return false;
}

Result<std::shared_ptr<const StoredFilter>> StoredFilter::compile(View spec,
                                                                  query::Comparator comparator) {
  auto stored = std::make_shared<StoredFilter>();
  stored->context.comparator = std::move(comparator);
  stored->spec = Document(spec);
  RESTITCH_TRY(stored->filter, query::Filter::compile(stored->spec, stored->context));
  return std::shared_ptr<const StoredFilter>(std::move(stored));
}

std::string default_index_name(View key) {
  std::string name;
  for (const bson::Element& element : key) {
    if (!name.empty()) name += '_';
    name += element.name;
    name += '_';
    if (const auto text = element.value.as_string()) {
      name += *text;
    } else if (const auto integer = element.value.as_integer()) {
      name += std::to_string(*integer);
    } else {
      name += bson::to_shell(element.value);
    }
  }
  return name;
}

Document id_index_spec(View default_collation) {
  Builder builder;
  builder.append("v", std::int32_t{2});
  builder.open_object("key").append("_id", std::int32_t{1}).close();
  builder.append("name", "_id_");
  if (!default_collation.empty()) builder.append("collation", default_collation);
  return std::move(builder).finish();
}

Result<IndexRequest> parse_index_request(View spec, View default_collation) {
  if (!spec.contains("key")) {
    return in_specification(
        mongo_error(code::kFailedToParse,
                    "The 'key' field is a required property of an index specification"),
        spec, false);
  }
  const auto key = spec["key"].as_object();
  if (!key) return in_specification(wrong_type("key", spec["key"], "an object"), spec, false);
  const bool is_id = is_id_key(*key);
  bool name_accepted = false;
  const auto check_all = [&]() -> Status {
    RESTITCH_CHECK(check_key_pattern(*key));
    const ValueView name = spec["name"];
    if (name.is_missing() && !is_id) {
      return mongo_error(code::kFailedToParse,
                         "The 'name' field is a required property of an index specification");
    }
    if (!name.is_missing() && !name.as_string()) return wrong_type("name", name, "a string");
    if (name.as_string() == "*") {
      return mongo_error(code::kBadValue, "The index name '*' is not valid.");
    }
    name_accepted = true;
    if (!name.is_missing() && name.as_string()->empty()) {
      return cannot_create("index name cannot be empty");
    }
    OptionCheck check{spec, *key, is_id, false};
    for (const bson::Element& element : *key) {
      if (element.value.as_string()) check.has_plugin = true;
    }
    for (const bson::Element& element : spec) {
      RESTITCH_CHECK(check_option(check, element.name, element.value));
    }
    if (const auto collation = spec["collation"].as_object()) {
      RESTITCH_CHECK(check_collation(*collation));
    }
    return {};
  };
  if (Status checked = check_all(); !checked) {
    return in_specification(std::move(checked).error(), spec, name_accepted);
  }

  IndexRequest request;
  if (is_id) {
    request.spec = id_index_spec(default_collation);
    request.signature = index_signature(request.spec);
    return request;
  }
  RESTITCH_TRY(const Document collation, completed_collation(spec, default_collation));
  Builder builder;
  builder.append("v", std::int32_t{2});
  builder.append("key", *key);
  builder.append("name", *spec["name"].as_string());
  for (const bson::Element& element : spec) {
    if (element.name == "unique" || element.name == "sparse" || element.name == "hidden" ||
        element.name == "prepareUnique") {
      if (element.value.truthy()) builder.append(element.name, true);
    } else if (element.name == "expireAfterSeconds") {
      const double seconds = element.value.as_double().value_or(0);
      const std::int64_t whole =
          std::isnan(seconds) ? kMaxExpireSeconds : static_cast<std::int64_t>(seconds);
      builder.append(element.name, static_cast<std::int32_t>(whole));
    } else if (element.name == "partialFilterExpression") {
      builder.append(element.name, element.value);
    }
  }
  if (!collation.empty()) builder.append("collation", collation);
  request.spec = std::move(builder).finish();
  request.signature = index_signature(request.spec);
  return request;
}

Document index_signature(View spec) {
  Builder builder;
  builder.append("key", spec["key"]);
  builder.append("unique", spec["unique"].truthy());
  builder.append("sparse", spec["sparse"].truthy());
  builder.append("partialFilterExpression", spec["partialFilterExpression"]);
  builder.append("collation", spec["collation"]);
  return std::move(builder).finish();
}

Result<std::shared_ptr<Index>> make_index(storage::IndexId ident, View spec) {
  auto index = std::make_shared<Index>();
  index->ident = ident;
  index->spec = Document(spec);
  index->name = std::string(spec["name"].as_string().value_or(""));
  index->key = Document(spec["key"].as_object().value_or(View()));
  for (const bson::Element& element : index->key.view()) {
    IndexField field;
    field.path = std::string(element.name);
    field.components = split_path(element.name);
    field.hashed = element.value.as_string() == "hashed";
    field.descending = element.value.is_number() && element.value.as_double().value_or(1) < 0;
    for (std::size_t at = 1; at < field.components.size(); ++at) {
      if (array_position(field.components[at])) field.has_numeric_component = true;
    }
    index->fields.push_back(std::move(field));
  }
  index->unique = spec["unique"].truthy() || index->is_id();
  index->prepares_unique = spec["prepareUnique"].truthy() && !index->unique;
  index->sparse = spec["sparse"].truthy();
  index->hidden = spec["hidden"].truthy();
  if (spec.contains("expireAfterSeconds")) {
    index->expire_after_seconds = spec["expireAfterSeconds"].as_integer();
  }
  if (const auto collation = spec["collation"].as_object()) {
    RESTITCH_TRY(index->collation, query::Collation::parse(*collation));
  }
  if (const auto partial = spec["partialFilterExpression"].as_object()) {
    RESTITCH_TRY(index->partial,
                 StoredFilter::compile(*partial, query::Comparator(index->collation)));
  }
  index->runtime = std::make_shared<IndexRuntime>(index->fields.size());
  return index;
}

}  // namespace restitch::datasource::embedded
