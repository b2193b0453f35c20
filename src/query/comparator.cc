#include "query/comparator.h"

namespace restitch::query {
namespace {

bool is_text(bson::Type type) { return type == bson::Type::kString || type == bson::Type::kSymbol; }

bool is_container(bson::Type type) {
  return type == bson::Type::kObject || type == bson::Type::kArray;
}

void append_collated(bson::Builder& builder, std::string_view name, bson::ValueView value,
                     const Collation& collation) {
  if (is_text(value.type())) {
    builder.append(name, collation.sort_key(value.get_string()));
  } else if (is_container(value.type())) {
    if (value.type() == bson::Type::kArray) {
      builder.open_array(name);
    } else {
      builder.open_object(name);
    }
    for (const bson::Element& element : value.get_document()) {
      append_collated(builder, element.name, element.value, collation);
    }
    builder.close();
  } else {
    builder.append(name, value);
  }
}

}  // namespace

bson::Value collated(bson::ValueView value, const Collation& collation) {
  if (is_text(value.type())) return bson::Value::of(collation.sort_key(value.get_string()));
  if (!is_container(value.type())) return bson::Value(value);
  bson::Builder builder;
  append_collated(builder, "", value, collation);
  const bson::Document holder = std::move(builder).finish();
  return bson::Value(holder.view().begin()->value);
}

int Comparator::compare_collated(bson::ValueView a, bson::ValueView b) const {
  if (is_text(a.type()) && is_text(b.type())) {
    return collation_->compare(a.get_string(), b.get_string());
  }
  if (!is_container(a.type()) || a.type() != b.type()) return bson::compare(a, b);

  const bool named = a.type() == bson::Type::kObject;
  const bson::View left = a.get_document();
  const bson::View right = b.get_document();
  auto i = left.begin();
  auto j = right.begin();
  for (; i != left.end() && j != right.end(); ++i, ++j) {
    if (named) {
      const int by_class =
          bson::canonical_class(i->value.type()) - bson::canonical_class(j->value.type());
      if (by_class != 0) return by_class < 0 ? -1 : 1;
      const int by_name = i->name.compare(j->name);
      if (by_name != 0) return by_name < 0 ? -1 : 1;
    }
    const int by_value = compare_collated(i->value, j->value);
    if (by_value != 0) return by_value;
  }
  if (i != left.end()) return 1;
  return j != right.end() ? -1 : 0;
}

std::size_t Comparator::hash(bson::ValueView value) const {
  if (collation_ == nullptr || !(is_text(value.type()) || is_container(value.type()))) {
    return bson::hash(value);
  }
  return bson::hash(collated(value, *collation_));
}

}  // namespace restitch::query
