#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bson/document.h"
#include "query/name_places.h"

namespace restitch::query {

// Which places an update changed, as a tree of objects and arrays; printed as the
// `updateDescription` of a change event, with the values that the post-image has there.
class ChangeLog {
 public:
  explicit ChangeLog(bool is_array = false) : is_array_(is_array) {}

  // The part of the log for the container `name`, made when needed.
  ChangeLog& child(std::string_view name, bool is_array);
  void add_child(std::string_view name, ChangeLog child);
  void update(std::string_view name) { updated_.emplace_back(name); }
  void insert(std::string_view name) { inserted_.emplace_back(name); }
  void remove(std::string_view name) { removed_.emplace_back(name); }
  void resize(std::int32_t size) { new_size_ = size; }

  // {updatedFields, removedFields, truncatedArrays}
  bson::Document describe(bson::View post_image) const;
  // For each described path that its dotted text does not tell apart (a field name holds a dot, or
  // is a number and not the first component): the path's components, array indexes as int32.
  bson::Document disambiguate() const;

 private:
  // One step of a path, while the tree is walked.
  struct Component {
    std::string_view name;
    bool is_index;
  };
  using Components = std::vector<Component>;
  struct Child {
    std::string name;
    std::unique_ptr<ChangeLog> log;
  };

  void append_ambiguous(Components& path, bson::Builder& out) const;
  static void append_if_ambiguous(const Components& path, bson::Builder& out);
  void append_updated(bson::View post, const std::string& prefix, bson::Builder& out) const;
  void append_elements(bson::View post, const std::string& prefix, bson::Builder& out) const;
  void append_removed(const std::string& prefix, bson::Builder& out) const;
  void append_truncated(const std::string& prefix, bson::Builder& out) const;

  bool is_array_;
  std::vector<std::string> updated_, inserted_, removed_;
  std::vector<Child> children_;
  NamePlaces places_;  // of the children
  std::optional<std::int32_t> new_size_;
};

}  // namespace restitch::query
