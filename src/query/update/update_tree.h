#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"
#include "query/filter/filter.h"
#include "query/name_places.h"
#include "query/update/modifier.h"

namespace restitch::query {

struct UpdateNode;

struct UpdateChild {
  std::string name;  // field name or array index; for a filter node: the identifier, empty for $[]
  std::unique_ptr<UpdateNode> node;
};

// One step of the operators' paths, merged to a tree.
struct UpdateNode {
  enum class Kind : std::uint8_t { kLeaf, kFields, kFilteredElements };

  Kind kind = Kind::kFields;
  ModifierPtr modifier;                    // leaf
  std::string path;                        // leaf: the path as it was given
  std::vector<UpdateChild> children;       // in the order of application
  NamePlaces places;                       // of the children while they are parsed
  std::unique_ptr<UpdateNode> positional;  // below `$`
};

struct ArrayFilter {
  std::string identifier;
  Filter filter;
  bson::Document source;
};

struct Rename {
  std::string from_path, to_path;
  std::vector<std::string> from, to;
};

struct OperatorUpdate {
  UpdateNode root;
  std::vector<ArrayFilter> array_filters;
  std::vector<Rename> renames;
  std::string id_path;       // first path that starts with _id; empty if none
  std::string dollar_field;  // first path component that starts with `$`; empty if none
  int depth = 0;             // nesting that the result may reach by the update alone

  const ArrayFilter* find_filter(std::string_view identifier) const;
};

// Whether `a` comes before `b` in the order of application: numbers as numbers, all else as text (a
// number with leading zeros where the other is none, so that the order is total).
bool precedes(std::string_view a, std::string_view b);

Result<std::vector<ArrayFilter>> parse_array_filters(bson::View filters,
                                                     const CommandContext& context);
Result<OperatorUpdate> parse_operators(bson::View update, bson::View array_filters,
                                       const CommandContext& context);

// Checks a document's renames against it (errors 2 and 28).
Status check_renames(const OperatorUpdate& update, bson::View document);

}  // namespace restitch::query
