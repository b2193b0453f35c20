#include "rules/explain/field_reasons.h"

#include <algorithm>
#include <utility>

#include "rules/read_access.h"

namespace restitch::rules {
namespace {

bool is_container(bson::ValueView value) {
  return value.type() == bson::Type::kObject || value.type() == bson::Type::kArray;
}

const void* place_of(bson::ValueView value) { return value.raw().data(); }

std::string joined(const std::string& prefix, std::string_view name) {
  return prefix.empty() ? std::string(name) : prefix + "." + std::string(name);
}

// A field that is not there any more, with the places of the values it lies in, outermost first.
struct Missing {
  std::string path;
  bson::ValueView value;
  std::vector<const void*> places;
};

class Comparison {
 public:
  void members(bson::View whole, bson::View part, const std::string& prefix) {
    for (const bson::Element& element : whole) {
      const bson::ValueView left = part.find(element.name);
      const std::string path = joined(prefix, element.name);
      places_.push_back(place_of(element.value));
      compare(element.value, left, path);
      places_.pop_back();
    }
  }

  std::vector<Missing> missing;

 private:
  void compare(bson::ValueView whole, bson::ValueView left, const std::string& path) {
    if (left.is_missing()) {
      missing.push_back({path, whole, places_});
    } else if (whole.type() == left.type() && is_container(whole) && whole.raw() != left.raw()) {
      if (whole.type() == bson::Type::kObject) {
        members(whole.get_document(), left.get_document(), path);
      } else {
        elements(whole.get_document(), left.get_document(), path);
      }
    }
  }

  // Documents of an array keep their order; all else in it has been left out.
  void elements(bson::View whole, bson::View part, const std::string& path) {
    auto left = part.begin();
    for (const bson::Element& element : whole) {
      places_.push_back(place_of(element.value));
      const bool is_document = element.value.type() == bson::Type::kObject;
      const bool is_there = is_document && left != part.end();
      compare(element.value, is_there ? left->value : bson::ValueView(),
              joined(path, element.name));
      if (is_there) ++left;
      places_.pop_back();
    }
  }

  std::vector<const void*> places_;
};

// Whether a value, or one inside it, lies at the place.
bool holds_place(bson::ValueView value, const void* place) {
  if (value.is_missing() || place == nullptr) return false;
  const char* begin = value.raw().data();
  const auto* at = static_cast<const char*>(place);
  return at == begin || (at > begin && at < begin + value.raw().size());
}

// The path of the value that lies at the place inside of `value`.
std::string path_at(bson::ValueView value, const std::string& path, const void* place) {
  if (place_of(value) == place || !is_container(value)) return path;
  for (const bson::Element& element : value.get_document()) {
    if (holds_place(element.value, place)) {
      return path_at(element.value, joined(path, element.name), place);
    }
  }
  return path;
}

FieldReason reason_of(const DecisionTrace& trace, const Missing& field) {
  FieldReason reason;
  reason.path = field.path;
  if (is_reserved_field(field.path)) {
    reason.reason = "the name is reserved for the server";
    return reason;
  }
  // The permissions that were asked about it, about what it lies in, and about what lies in it.
  for (const TracedAnswer& answer : trace.answers()) {
    if (answer.permission->kind != NamedPermission::Kind::kField) continue;
    const bool is_above =
        std::find(field.places.begin(), field.places.end(), answer.current) != field.places.end();
    if (answer.truth == Truth::kTrue || !(is_above || holds_place(field.value, answer.current))) {
      continue;
    }
    if (!reason.reason.empty()) {
      reason.reason += "; " + answer.permission->name + ": " + answer.reason;
      continue;
    }
    reason.permission = answer.permission->name;
    reason.pointer = answer.permission->pointer;
    reason.reason = answer.reason;
  }
  if (reason.reason.empty()) reason.reason = "no permission covers it";
  return reason;
}

}  // namespace

std::vector<FieldReason> withheld_fields(const DecisionTrace& trace, bson::View whole,
                                         bson::View part) {
  Comparison comparison;
  comparison.members(whole, part, "");
  std::vector<FieldReason> reasons;
  for (const Missing& field : comparison.missing) reasons.push_back(reason_of(trace, field));
  return reasons;
}

std::vector<std::string> missing_paths(bson::View whole, bson::View part) {
  Comparison comparison;
  comparison.members(whole, part, "");
  std::vector<std::string> paths;
  for (Missing& field : comparison.missing) paths.push_back(std::move(field.path));
  return paths;
}

std::vector<FieldReason> unwritable_fields(const DecisionTrace& trace,
                                           const std::vector<std::string>& names,
                                           std::optional<bson::View> before,
                                           std::optional<bson::View> after) {
  std::vector<FieldReason> reasons;
  for (const std::string& name : names) {
    const bson::ValueView old = before ? before->find(name) : bson::ValueView();
    const bson::ValueView now = after ? after->find(name) : bson::ValueView();
    FieldReason reason{name, "", "", "no permission to write covers it"};
    for (const TracedAnswer& answer : trace.answers()) {
      const bool is_field = answer.permission->kind == NamedPermission::Kind::kField;
      if (!is_field || answer.truth == Truth::kTrue) continue;
      if (holds_place(now, answer.current)) {
        reason.path = path_at(now, name, answer.current);
      } else if (holds_place(old, answer.previous)) {
        reason.path = path_at(old, name, answer.previous);
      } else {
        continue;
      }
      reason.permission = answer.permission->name;
      reason.pointer = answer.permission->pointer;
      reason.reason = answer.reason;
    }
    reasons.push_back(std::move(reason));
  }
  return reasons;
}

}  // namespace restitch::rules
