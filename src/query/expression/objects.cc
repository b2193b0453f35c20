#include "query/expression/object_merge.h"

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/expression/operator.h"

namespace restitch::query {

using bson::Type;
using bson::Value;
using bson::ValueView;

void ObjectMerge::add(bson::View object) {
  const auto end = object.end();
  for (auto at = object.begin(); at != end; ++at) {
    const auto found = by_name_.find(at->name);
    if (found == by_name_.end()) {
      Member& member = members_.emplace_back(Member{std::string(at->name), std::string(at.raw())});
      by_name_.emplace(member.name, &member);
      size_ += member.element.size();
    } else {
      size_ += at.raw().size() - found->second->element.size();
      found->second->element = at.raw();
    }
  }
}

bson::Document ObjectMerge::finish() const {
  bson::Builder builder;
  for (const Member& member : members_) builder.append_raw(member.element);
  return std::move(builder).finish();
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
  for (const ValueView& value : args.values) {
    RESTITCH_CHECK(merged.add(value));
    RESTITCH_CHECK(check_memory(args, merged.memory()));
  }
  return Value::of(merged.finish());
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
