#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace restitch::query {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};
template <typename T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

// Finds the items of a list by their member `name`: from front to back in a short list, through a
// table in a long one.
class NamePlaces {
 public:
  template <typename Items>
  std::optional<std::size_t> find(const Items& items, std::string_view name) const {
    if (!table_.empty()) {
      const auto found = table_.find(name);
      return found == table_.end() ? std::nullopt : std::optional(found->second);
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i].name == name) return i;
    }
    return std::nullopt;
  }

  // To be called when an item has been added at the back.
  template <typename Items>
  void note_last(const Items& items) {
    constexpr std::size_t kSearched = 16;
    if (items.size() <= kSearched) return;
    for (std::size_t i = table_.empty() ? 0 : items.size() - 1; i < items.size(); ++i) {
      table_.emplace(items[i].name, i);
    }
  }
  // To be called when the items have moved.
  template <typename Items>
  void renew(const Items& items) {
    table_.clear();
    note_last(items);
  }

 private:
  TextMap<std::size_t> table_;
};

}  // namespace restitch::query
