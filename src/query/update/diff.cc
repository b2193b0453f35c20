#include "query/update/diff.h"

#include <set>
#include <string_view>

namespace restitch::query {
namespace {

// Bytes that parts of a difference take, by which MongoDB decides between a difference and the
// whole value.
constexpr std::size_t kObjectBytes = 5;
constexpr std::size_t kDocumentPadding = 15;
constexpr std::size_t kArrayBytes = 9;
constexpr std::size_t kResizeBytes = 7;
constexpr std::size_t kEntryBytes = 2;  // type byte and terminator of the name
constexpr std::size_t kSectionBytes = 8;
constexpr std::size_t kDeletionBytes = 1;
constexpr std::size_t kPrefixBytes =
    1;  // letter before the name of a nested difference or an index

struct Difference {
  ChangeLog log;
  std::size_t bytes = 0;
};

std::optional<Difference> diff_objects(bson::View before, bson::View after, std::size_t padding);
std::optional<Difference> diff_arrays(bson::View before, bson::View after);

bool same(const bson::ValueView a, const bson::ValueView b) {
  return a.type() == b.type() && a.raw() == b.raw();
}

// Difference of two containers of one kind; nothing for other values, or when it would not be
// smaller.
std::optional<Difference> diff_values(bson::ValueView before, bson::ValueView after) {
  if (before.type() != after.type()) return std::nullopt;
  if (before.type() == bson::Type::kObject) {
    return diff_objects(before.get_document(), after.get_document(), 0);
  }
  if (before.type() == bson::Type::kArray) {
    return diff_arrays(before.get_document(), after.get_document());
  }
  return std::nullopt;
}

class ObjectDifference {
 public:
  explicit ObjectDifference(std::size_t padding) { result_.bytes = kObjectBytes + padding; }

  void change(const bson::Element& before, const bson::Element& after) {
    if (auto nested = diff_values(before.value, after.value)) {
      result_.bytes += after.name.size() + kEntryBytes + kPrefixBytes + nested->bytes;
      result_.log.add_child(after.name, std::move(nested->log));
      return;
    }
    count(after.name, after.value.raw().size(), has_changed_);
    result_.log.update(after.name);
  }
  void add(const bson::Element& after) {
    count(after.name, after.value.raw().size(), has_added_);
    result_.log.insert(after.name);
  }
  void remove(std::string_view name) {
    count(name, kDeletionBytes, has_removed_);
    result_.log.remove(name);
  }
  Difference take() && { return std::move(result_); }

 private:
  void count(std::string_view name, std::size_t value_bytes, bool& has_section) {
    result_.bytes += name.size() + kEntryBytes + value_bytes;
    if (!has_section) result_.bytes += kSectionBytes;
    has_section = true;
  }

  Difference result_;
  bool has_changed_ = false;
  bool has_added_ = false;
  bool has_removed_ = false;
};

// Both are read in step. A field that is not in its turn is taken as removed, and as added when it
// comes later.
std::optional<Difference> diff_objects(bson::View before, bson::View after, std::size_t padding) {
  ObjectDifference difference(padding);
  std::set<std::string_view> out_of_turn;
  auto old = before.begin();
  auto now = after.begin();
  while (old != before.end() && now != after.end()) {
    if (old->name != now->name) {
      out_of_turn.insert(old->name);
      ++old;
      continue;
    }
    if (!same(old->value, now->value)) difference.change(*old, *now);
    ++old;
    ++now;
  }
  for (; old != before.end(); ++old) difference.remove(old->name);
  for (; now != after.end(); ++now) {
    difference.add(*now);
    out_of_turn.erase(now->name);
  }
  for (const std::string_view name : out_of_turn) difference.remove(name);

  Difference result = std::move(difference).take();
  if (after.size() <= result.bytes) return std::nullopt;
  return result;
}

std::optional<Difference> diff_arrays(bson::View before, bson::View after) {
  Difference result{ChangeLog(true), kArrayBytes};
  auto old = before.begin();
  auto now = after.begin();
  std::size_t position = 0;
  for (; now != after.end(); ++now, ++position) {
    const bool is_new = old == before.end();
    if (is_new || !same(old->value, now->value)) {
      const std::string name = std::to_string(position);
      result.bytes += name.size() + kEntryBytes + kPrefixBytes;
      auto nested = is_new ? std::nullopt : diff_values(old->value, now->value);
      if (nested) {
        result.bytes += nested->bytes;
        result.log.add_child(name, std::move(nested->log));
      } else {
        result.bytes += now->value.raw().size();
        result.log.update(name);
      }
    }
    if (!is_new) ++old;
  }
  if (old != before.end()) {
    result.bytes += kResizeBytes;
    result.log.resize(static_cast<std::int32_t>(position));
  }
  if (after.size() <= result.bytes) return std::nullopt;
  return result;
}

}  // namespace

std::optional<ChangeLog> diff_documents(bson::View before, bson::View after) {
  auto difference = diff_objects(before, after, kDocumentPadding);
  if (!difference) return std::nullopt;
  return std::move(difference->log);
}

}  // namespace restitch::query
