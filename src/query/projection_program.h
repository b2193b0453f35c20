#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/expression/expression.h"
#include "query/filter/filter.h"
#include "query/name_places.h"
#include "query/projection.h"

namespace restitch::query {

struct ProjectionTree;

enum class ProjectionKind : std::uint8_t {
  kInclude,
  kExclude,
  kTree,        // fields below
  kExpression,  // computed, appended behind the document's own fields
  kElemMatch,   // first element that matches, appended likewise
  kSlice,       // part of an array, in its place
};

struct ArraySlice {
  std::optional<std::int64_t> skip;
  std::int64_t limit = 0;  // without `skip`, a negative limit counts from the end
};

struct ProjectionItem {
  std::string name;
  ProjectionKind kind = ProjectionKind::kInclude;
  std::unique_ptr<ProjectionTree> tree;
  std::shared_ptr<const Expression> expression;
  std::optional<Filter> elem_match;  // {name: {$elemMatch: …}}
  ArraySlice slice;
};

struct ProjectionTree {
  std::vector<ProjectionItem> items;  // in the order of the specification
  bool has_computed = false;          // an expression stands here or below

  const ProjectionItem* find(std::string_view name) const {
    const auto place = places.find(items, name);
    return place ? &items[*place] : nullptr;
  }
  ProjectionItem& add(ProjectionItem item) {
    items.push_back(std::move(item));
    places.note_last(items);
    return items.back();
  }
  void add_front(ProjectionItem item) {
    items.insert(items.begin(), std::move(item));
    places.renew(items);
  }

  NamePlaces places;
};

struct Projection::Program {
  bool inclusive = false;
  bool has_appended = false;  // items that are appended behind the document's fields
  ProjectionTree root;
  std::vector<std::string> positional;  // path before ".$"; empty if none
  std::optional<Filter> filter;         // for the positional form
  const CommandContext* context = nullptr;
};

struct ProjectionRequest {
  bson::View spec;
  ProjectionDialect dialect;
  const CommandContext& context;
  const Filter* filter;
  const VariableScope* scope;
};
Result<std::shared_ptr<const Projection::Program>> parse_projection(
    const ProjectionRequest& request);

}  // namespace restitch::query
