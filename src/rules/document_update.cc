#include "rules/document_update.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace restitch::rules {
namespace {

using bson::Element;
using bson::ValueView;
using bson::View;

// Whether a path may lead through the name: it must not read as an operator or an index.
bool is_plain_name(std::string_view name) {
  if (name.empty() || name.front() == '$' || name.find('.') != name.npos) return false;
  return !std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_same(ValueView a, ValueView b) { return a.type() == b.type() && a.raw() == b.raw(); }

std::optional<std::set<std::string_view>> names_of(View object) {
  std::set<std::string_view> names;
  for (const Element& element : object) {
    if (!names.insert(element.name).second) return std::nullopt;
  }
  return names;
}

class Difference {
 public:
  // False when operators cannot make the one from the other; what has been noted counts for
  // nothing then.
  bool objects(View before, View after, const std::string& prefix) {
    const auto old_names = names_of(before);
    const auto new_names = names_of(after);
    if (!old_names || !new_names) return false;
    auto old = before.begin();
    auto now = after.begin();
    for (; old != before.end(); ++old) {
      if (now != after.end() && old->name == now->name) {
        if (!is_same(old->value, now->value) && !change(*old, *now, prefix)) return false;
        ++now;
        continue;
      }
      if (new_names->contains(old->name) || !is_plain_name(old->name)) return false;
      removed_.push_back(prefix + std::string(old->name));
    }
    // New fields come behind the others, and several in the order of their names.
    std::string_view last;
    for (; now != after.end(); ++now) {
      if (old_names->contains(now->name) || !is_plain_name(now->name) || now->name <= last)
        return false;
      last = now->name;
      set_.emplace_back(prefix + std::string(now->name), now->value);
    }
    return true;
  }

  std::optional<bson::Document> to_update() const {
    if (set_.empty() && removed_.empty()) return std::nullopt;
    bson::Builder update;
    if (!set_.empty()) {
      update.open_object("$set");
      for (const auto& [path, value] : set_) update.append(path, value);
      update.close();
    }
    if (!removed_.empty()) {
      update.open_object("$unset");
      for (const std::string& path : removed_) update.append(path, true);
      update.close();
    }
    return std::move(update).finish();
  }

 private:
  bool change(const Element& before, const Element& after, const std::string& prefix) {
    if (!is_plain_name(after.name)) return false;
    value(before.value, after.value, prefix + std::string(after.name));
    return true;
  }

  // As small a change as can be said; else the whole value.
  void value(ValueView before, ValueView after, const std::string& path) {
    const std::size_t set = set_.size();
    const std::size_t removed = removed_.size();
    if (before.type() == after.type() && is_nested(before, after, path)) return;
    set_.resize(set);
    removed_.resize(removed);
    set_.emplace_back(path, after);
  }

  bool is_nested(ValueView before, ValueView after, const std::string& path) {
    if (before.type() == bson::Type::kObject) {
      return objects(before.get_document(), after.get_document(), path + ".");
    }
    return before.type() == bson::Type::kArray &&
           arrays(before.get_document(), after.get_document(), path);
  }

  // Elements that change and such that come behind; operators cannot make an array shorter.
  bool arrays(View before, View after, const std::string& path) {
    auto old = before.begin();
    std::size_t position = 0;
    for (const Element& element : after) {
      const std::string at = path + "." + std::to_string(position++);
      if (old == before.end()) {
        set_.emplace_back(at, element.value);
        continue;
      }
      if (!is_same(old->value, element.value)) value(old->value, element.value, at);
      ++old;
    }
    return old == before.end();
  }

  std::vector<std::pair<std::string, ValueView>> set_;
  std::vector<std::string> removed_;
};

}  // namespace

std::optional<bson::Document> update_between(bson::View before, bson::View after) {
  Difference difference;
  if (!difference.objects(before, after, "")) return std::nullopt;
  return difference.to_update();
}

}  // namespace restitch::rules
