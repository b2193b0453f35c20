#include "query/update/modifier.h"

#include <algorithm>
#include <array>

#include "query/element_text.h"

namespace restitch::query {
namespace {

constexpr std::array<std::string_view, 15> kOperators = {
    "$set",         "$unset", "$inc",  "$mul",      "$min", "$max", "$rename", "$currentDate",
    "$setOnInsert", "$push",  "$pull", "$addToSet", "$pop", "$bit", "$pullAll"};

class SetModifier final : public Modifier {
 public:
  explicit SetModifier(bson::ValueView value) : value_(value) {}
  Result<Change> apply(const UpdateTarget&) const override { return Change::set_borrowed(value_); }
  int depth() const override { return nesting_of(value_); }

 private:
  bson::Value value_;
};

class SetOnInsertModifier final : public Modifier {
 public:
  explicit SetOnInsertModifier(bson::ValueView value) : value_(value) {}
  Result<Change> apply(const UpdateTarget& target) const override {
    return target.context.inserting ? Change::set_borrowed(value_) : Change::none();
  }
  BrokenPath on_broken_path(const ApplyContext& context) const override {
    return context.inserting ? BrokenPath::kCannotCreate : BrokenPath::kIgnore;
  }
  int depth() const override { return nesting_of(value_); }

 private:
  bson::Value value_;
};

class UnsetModifier final : public Modifier {
 public:
  Result<Change> apply(const UpdateTarget& target) const override {
    return target.value.is_missing() ? Change::none() : Change::remove();
  }
  bool creates() const override { return false; }
  BrokenPath on_broken_path(const ApplyContext&) const override { return BrokenPath::kIgnore; }
};

// $min and $max.
class BoundModifier final : public Modifier {
 public:
  BoundModifier(bson::ValueView value, bool is_min, const Comparator& comparator)
      : value_(value), comparator_(comparator), is_min_(is_min) {}
  Result<Change> apply(const UpdateTarget& target) const override {
    if (target.value.is_missing()) return Change::set_borrowed(value_);
    const int order = comparator_.compare(value_, target.value);
    const bool replaces = is_min_ ? order < 0 : order > 0;
    return replaces ? Change::set_borrowed(value_) : Change::none();
  }
  int depth() const override { return nesting_of(value_); }

 private:
  bson::Value value_;
  Comparator comparator_;
  bool is_min_;
};

class CurrentDateModifier final : public Modifier {
 public:
  explicit CurrentDateModifier(bool is_timestamp) : is_timestamp_(is_timestamp) {}
  Result<Change> apply(const UpdateTarget& target) const override {
    const CommandContext& command = target.context.command;
    if (!is_timestamp_) return Change::set(bson::Value::of(command.now));
    bson::Timestamp time = command.cluster_time;
    if (time == bson::Timestamp{}) {
      time = {static_cast<std::uint32_t>(command.now.millis / 1000), 1};
    }
    return Change::set(bson::Value::of(time));
  }

 private:
  bool is_timestamp_;
};

Result<ModifierPtr> make_current_date(const bson::Element& element) {
  if (element.value.type() == bson::Type::kBool) {
    return ModifierPtr(std::make_unique<CurrentDateModifier>(false));
  }
  const auto options = element.value.as_object();
  if (!options) {
    return mongo_error(2, std::string(bson::alias_of(element.value.type())) +
                              " is not valid type for $currentDate. Please use a boolean ('true') "
                              "or a $type expression ({$type: 'timestamp/date'}).");
  }
  std::string_view type;
  for (const bson::Element& option : *options) {
    if (option.name != "$type") {
      return mongo_error(2, "Unrecognized $currentDate option: " + std::string(option.name));
    }
    type = option.value.as_string().value_or("");
  }
  if (type != "date" && type != "timestamp") {
    return mongo_error(2,
                       "The '$type' string field is required to be 'date' or 'timestamp': "
                       "{$currentDate: {field : {$type: 'date'}}}");
  }
  return ModifierPtr(std::make_unique<CurrentDateModifier>(type == "timestamp"));
}

}  // namespace

std::string document_id_text(bson::View document) {
  const bson::ValueView id = document["_id"];
  return id.is_missing() ? "no id" : element_text("_id", id);
}

int nesting_of(bson::ValueView value) {
  if (value.type() != bson::Type::kObject && value.type() != bson::Type::kArray) return 0;
  int deepest = 0;
  for (const bson::Element& element : value.get_document()) {
    deepest = std::max(deepest, nesting_of(element.value));
  }
  return deepest + 1;
}

bool is_update_operator(std::string_view name) {
  return std::find(kOperators.begin(), kOperators.end(), name) != kOperators.end();
}

Result<ModifierPtr> make_modifier(std::string_view operator_name, const bson::Element& element,
                                  const CommandContext& context) {
  const bson::ValueView operand = element.value;
  if (operator_name == "$set") return ModifierPtr(std::make_unique<SetModifier>(operand));
  if (operator_name == "$unset") return ModifierPtr(std::make_unique<UnsetModifier>());
  if (operator_name == "$inc" || operator_name == "$mul") {
    return make_arithmetic(operator_name, element);
  }
  if (operator_name == "$min" || operator_name == "$max") {
    return ModifierPtr(
        std::make_unique<BoundModifier>(operand, operator_name == "$min", context.comparator));
  }
  if (operator_name == "$currentDate") return make_current_date(element);
  if (operator_name == "$setOnInsert") {
    return ModifierPtr(std::make_unique<SetOnInsertModifier>(operand));
  }
  if (operator_name == "$push") return make_push(operand, context);
  if (operator_name == "$addToSet") return make_add_to_set(operand, context);
  if (operator_name == "$pop") return make_pop(element);
  if (operator_name == "$pull") return make_pull(operand, context);
  if (operator_name == "$pullAll") return make_pull_all(operand, context);
  return make_bit(element);
}

}  // namespace restitch::query
