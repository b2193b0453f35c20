#include "query/expression/element_choice.h"

#include "bson/extended_json.h"

namespace restitch::query {

using bson::Type;
using bson::Value;
using bson::ValueView;

Result<ElementOrder> ElementOrder::compile(ValueView spec, const CommandContext& context, int code,
                                           std::string_view name) {
  ElementOrder order;
  order.comparator_ = context.comparator;
  if (const auto pattern = spec.as_object()) {
    RESTITCH_TRY(order.pattern_, SortPattern::compile(*pattern, context));
    return order;
  }
  const auto direction = spec.as_integer();
  if (!direction || (*direction != 1 && *direction != -1)) {
    return mongo_error(code, "The " + std::string(name) +
                                 " element value must be either 1 or -1, or "
                                 "an object, but found " +
                                 bson::to_shell(spec));
  }
  order.descending_ = *direction == -1;
  return order;
}

Result<ElementOrder::Key> ElementOrder::key_of(ValueView element) const {
  Key key;
  if (!pattern_) {
    key.value = Value(element);
    return key;
  }
  // What is no object has none of the fields.
  const bson::View document =
      element.type() == Type::kObject ? element.get_document() : bson::View();
  RESTITCH_TRY(key.bytes, pattern_->key_of(document));
  return key;
}

bool ElementOrder::less(const Key& a, const Key& b) const {
  if (pattern_) return a.bytes < b.bytes;
  const int order = comparator_.compare(a.value, b.value);
  return descending_ ? order > 0 : order < 0;
}

Result<std::int64_t> element_count(ValueView n) {
  if (!n.is_number()) {
    return mongo_error(5787902,
                       "Value for 'n' must be of integral type, but found " + bson::to_shell(n));
  }
  const auto count = n.as_integer();
  if (!count) {
    return mongo_error(5787903,
                       "Value for 'n' must be of integral type, but found " + bson::to_shell(n));
  }
  if (*count <= 0) {
    return mongo_error(5787908, "'n' must be greater than 0, found " + std::to_string(*count));
  }
  return *count;
}

}  // namespace restitch::query
