#include <unordered_map>

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/expression/operator.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

struct Pair {
  std::string_view key;
  ValueView value;
};

Result<std::string_view> checked_key(ValueView key, int code, int null_code, const char* text) {
  const auto name = key.as_string();
  if (!name) return mongo_error(code, text + type_name(key));
  if (name->find('\0') != std::string_view::npos) {
    return mongo_error(null_code, "Key field cannot contain an embedded null byte");
  }
  return *name;
}

Result<Pair> pair_from_array(ValueView element) {
  if (element.type() != Type::kArray) {
    return mongo_error(40396,
                       "$arrayToObject requires a consistent input format. Elements must all "
                       "be arrays or all be objects. Array was detected, now found: " +
                           type_name(element));
  }
  const bson::View array = element.get_document();
  const std::size_t count = array.count();
  if (count != 2) {
    return mongo_error(40397,
                       "$arrayToObject requires an array of size 2 arrays,found array of size: " +
                           std::to_string(count));
  }
  auto at = array.begin();
  RESTITCH_TRY(
      const std::string_view key,
      checked_key(at->value, 40395, 4940400,
                  "$arrayToObject requires an array of key-value pairs, where the key must "
                  "be of type string. Found key type: "));
  ++at;
  return Pair{key, at->value};
}

Result<Pair> pair_from_object(ValueView element) {
  if (element.type() != Type::kObject) {
    return mongo_error(40391,
                       "$arrayToObject requires a consistent input format. Elements must all "
                       "be arrays or all be objects. Object was detected, now found: " +
                           type_name(element));
  }
  const bson::View object = element.get_document();
  const std::size_t count = object.count();
  if (count != 2) {
    return mongo_error(40392,
                       "$arrayToObject requires an object keys of 'k' and 'v'. Found incorrect "
                       "number of keys:" +
                           std::to_string(count));
  }
  const ValueView key = object.find("k");
  const ValueView value = object.find("v");
  if (key.is_missing() || value.is_missing()) {
    return mongo_error(40393,
                       "$arrayToObject requires an object with keys 'k' and 'v'. Missing either "
                       "or both keys from: " +
                           bson::to_shell(object));
  }
  RESTITCH_TRY(
      const std::string_view name,
      checked_key(key, 40394, 4940401,
                  "$arrayToObject requires an object with keys 'k' and 'v', where the value "
                  "of 'k' must be of type string. Found type: "));
  return Pair{name, value};
}

// The last value of a repeated key wins, at the place of the first.
class Pairs {
 public:
  void put(const Pair& pair) {
    const auto [at, is_new] = places_.emplace(pair.key, pairs_.size());
    if (is_new) {
      pairs_.push_back(pair);
    } else {
      pairs_[at->second].value = pair.value;
    }
  }
  Value object() const {
    bson::Builder builder;
    for (const Pair& pair : pairs_) builder.append(pair.key, pair.value);
    return Value::of(std::move(builder).finish());
  }

 private:
  std::vector<Pair> pairs_;
  std::unordered_map<std::string_view, std::size_t> places_;
};

Result<Value> array_to_object(const Args& args) {
  if (args[0].is_nullish()) return Value::null();
  const auto array = args[0].as_array();
  if (!array) {
    return mongo_error(40386,
                       "$arrayToObject requires an array input, found: " + type_name(args[0]));
  }
  Pairs pairs;
  std::optional<Type> form;
  for (const bson::Element& element : *array) {
    if (!form) form = element.value.type();
    if (*form != Type::kArray && *form != Type::kObject) {
      return mongo_error(
          40398, "Unrecognised input type format for $arrayToObject: " + type_name(element.value));
    }
    RESTITCH_TRY(const Pair pair, *form == Type::kArray ? pair_from_array(element.value)
                                                        : pair_from_object(element.value));
    pairs.put(pair);
  }
  return pairs.object();
}

Result<Value> object_to_array(const Args& args) {
  if (args[0].is_nullish()) return Value::null();
  const auto object = args[0].as_object();
  if (!object) {
    return mongo_error(40390,
                       "$objectToArray requires a document input, found: " + type_name(args[0]));
  }
  bson::Builder builder;
  for (const bson::Element& element : *object) {
    builder.push_object().append("k", element.name).append("v", element.value).close();
  }
  return Value::array(std::move(builder).finish());
}

constexpr OperatorDefinition kOperators[] = {
    eager("$arrayToObject", 1, array_to_object),
    eager("$objectToArray", 1, object_to_array),
};

}  // namespace

OperatorTable array_conversion_operators() { return kOperators; }

}  // namespace restitch::query
