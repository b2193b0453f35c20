#include "query/pipeline/join.h"

#include "query/path.h"

namespace restitch::query {

using bson::Type;
using bson::Value;
using bson::ValueView;

namespace {

constexpr ValueView kNull(Type::kNull, nullptr, 0);

ValueView null_for_nullish(ValueView value) { return value.is_nullish() ? kNull : value; }

}  // namespace

void collect_local_values(ValueView value, std::span<const std::string> path,
                          std::vector<Value>& out) {
  if (value.type() == Type::kArray) {
    for (const bson::Element& element : value.get_document()) {
      if (path.empty()) {
        out.emplace_back(null_for_nullish(element.value));
      } else if (element.value.type() == Type::kObject) {
        collect_local_values(element.value, path, out);
      }
    }
    return;
  }
  if (path.empty()) {
    out.emplace_back(null_for_nullish(value));
    return;
  }
  if (value.type() != Type::kObject) {
    out.push_back(Value::null());
    return;
  }
  collect_local_values(value.get_document().find(path.front()), path.subspan(1), out);
}

void collect_foreign_values(ValueView value, std::span<const std::string> path,
                            std::vector<ValueView>& out) {
  if (path.empty()) {
    out.push_back(null_for_nullish(value));
    if (value.type() == Type::kArray) {
      for (const bson::Element& element : value.get_document())
        out.push_back(null_for_nullish(element.value));
    }
    return;
  }
  if (value.type() == Type::kObject) {
    collect_foreign_values(value.get_document().find(path.front()), path.subspan(1), out);
    return;
  }
  if (value.type() != Type::kArray) {
    out.push_back(kNull);
    return;
  }
  const bson::View array = value.get_document();
  if (const auto index = array_index(path.front())) {
    // As in a query: an element that a position names at the end of the path is not entered.
    const ValueView element = array_element(array, *index);
    const bool is_container = element.type() == Type::kObject || element.type() == Type::kArray;
    if (path.size() == 1) {
      if (!element.is_missing()) out.push_back(null_for_nullish(element));
    } else if (is_container) {
      collect_foreign_values(element, path.subspan(1), out);
    }
  }
  for (const bson::Element& element : array) {
    if (element.value.type() == Type::kObject) collect_foreign_values(element.value, path, out);
  }
}

bson::Document equality_query(std::string_view field, std::span<const Value* const> values,
                              const bson::Document& restriction) {
  bson::Builder in;
  std::vector<const Value*> regexes;
  for (const Value* value : values) {
    if (value->type() == Type::kRegex) {
      regexes.push_back(value);
    } else {
      in.push(*value);
    }
  }
  const Value list = Value::array(std::move(in).finish());
  bson::Builder builder;
  if (!restriction.empty()) builder.open_array("$and").push(restriction).push_object();
  if (regexes.empty()) {
    builder.open_object(field).append("$in", list).close();
  } else {
    builder.open_array("$or");
    builder.push_object().open_object(field).append("$in", list).close().close();
    for (const Value* regex : regexes) {
      builder.push_object().open_object(field).append("$eq", *regex).close().close();
    }
    builder.close();
  }
  return std::move(builder).finish();
}

}  // namespace restitch::query
