#include "query/expression/object_merge.h"

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/expression/operator.h"

namespace restitch::query {

using bson::Type;
using bson::Value;
using bson::ValueView;

void ObjectMerge::add(bson::View object) {
  if (!merged_) {
    merged_ = bson::Document(object);
    return;
  }
  const bson::View before = merged_->view();
  bson::Builder builder;
  for (auto at = before.begin(); at != before.end(); ++at) {
    const ValueView newer = object.find(at->name);
    builder.append(at->name, newer.is_missing() ? at->value : newer);
  }
  for (const bson::Element& element : object) {
    if (!before.contains(element.name)) builder.append(element.name, element.value);
  }
  merged_ = std::move(builder).finish();
}

Status ObjectMerge::add(ValueView value) {
  if (value.is_nullish()) return {};
  if (value.type() != Type::kObject) {
    return mongo_error(40400, "$mergeObjects requires object inputs, but input " +
                                  bson::to_shell(value) + " is of type " + type_name(value));
  }
  add(value.get_document());
  return {};
}

namespace {

Result<Value> merge(const Args& args) {
  ObjectMerge merged;
  for (const ValueView& value : args.values) RESTITCH_CHECK(merged.add(value));
  return Value::of(std::move(merged).finish());
}

Result<Value> bson_size(const Args& args) {
  if (args[0].is_nullish()) return Value::null();
  const auto object = args[0].as_object();
  if (!object) {
    return mongo_error(31393, "$bsonSize requires a document input, found: " + type_name(args[0]));
  }
  return Value::of(static_cast<std::int32_t>(object->size()));
}

constexpr OperatorDefinition kOperators[] = {
    eager("$mergeObjects", 0, kAnyNumber, merge),
    eager("$bsonSize", 1, bson_size),
};

}  // namespace

OperatorTable object_operators() { return kOperators; }

}  // namespace restitch::query
