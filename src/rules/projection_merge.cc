#include "rules/projection_merge.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace restitch::rules {
namespace {

bool is_exclusion(bson::ValueView value) {
  return (value.is_number() || value.type() == bson::Type::kBool) && !value.truthy();
}

bool is_below_or_same(std::string_view path, std::string_view ancestor) {
  if (!path.starts_with(ancestor)) return false;
  return path.size() == ancestor.size() || path[ancestor.size()] == '.';
}

// Collects paths so that none is below another, as a projection demands.
class PathUnion {
 public:
  void add(const bson::Element& element) {
    for (const auto& [path, value] : paths_) {
      if (is_below_or_same(element.name, path)) return;
    }
    std::erase_if(paths_,
                  [&](const auto& entry) { return is_below_or_same(entry.first, element.name); });
    paths_.emplace_back(std::string(element.name), bson::Value(element.value));
  }

  void append_to(bson::Builder& builder) const {
    for (const auto& [path, value] : paths_) builder.append(path, value);
  }

 private:
  std::vector<std::pair<std::string, bson::Value>> paths_;
};

}  // namespace

Result<bson::Document> merge_filter_projections(const std::vector<bson::Document>& projections) {
  PathUnion paths;
  bool has_inclusion = false;
  bool has_exclusion = false;
  bool shows_id = false;
  bool withholds_id = false;
  for (const bson::Document& projection : projections) {
    for (const bson::Element& element : projection.view()) {
      const bool excludes = is_exclusion(element.value);
      if (element.name == "_id") {
        (excludes ? withholds_id : shows_id) = true;
        continue;
      }
      (excludes ? has_exclusion : has_inclusion) = true;
      paths.add(element);
    }
  }
  if (has_inclusion && has_exclusion) {
    return Error(ErrorCode::kInvalidArgument,
                 "the filters that apply mix inclusive and exclusive projections");
  }
  bson::Builder builder;
  const bool shows_only_id = shows_id && !withholds_id && !has_inclusion && !has_exclusion;
  if (withholds_id) builder.append("_id", false);
  if (shows_only_id) builder.append("_id", true);
  paths.append_to(builder);
  return std::move(builder).finish();
}

}  // namespace restitch::rules
