#include <algorithm>

#include "query/element_text.h"
#include "query/path.h"
#include "query/update/rename.h"
#include "query/update/update_tree.h"

namespace restitch::query {
namespace {

using Kind = UpdateNode::Kind;

// The identifier inside `$[…]`; nothing for any other component.
std::optional<std::string_view> filter_identifier(std::string_view component) {
  if (component.size() < 3 || component.substr(0, 2) != "$[" || component.back() != ']') {
    return std::nullopt;
  }
  return component.substr(2, component.size() - 3);
}

Status check_path(std::string_view path, const std::vector<std::string>& components) {
  if (path.empty()) return mongo_error(56, "An empty update path is not valid.");
  if (std::find(components.begin(), components.end(), "") != components.end()) {
    return mongo_error(56, "The update path '" + std::string(path) +
                               "' contains an empty field name, which is not allowed.");
  }
  if (components.front() == "$") {
    return mongo_error(2,
                       "Cannot have positional (i.e. '$') element in the first position in path '" +
                           std::string(path) + "'");
  }
  if (filter_identifier(components.front())) {
    return mongo_error(2,
                       "Cannot have array filter identifier (i.e. '$[<id>]') element in the first "
                       "position in path '" +
                           std::string(path) + "'");
  }
  if (std::count(components.begin(), components.end(), "$") > 1) {
    return mongo_error(
        2, "Too many positional (i.e. '$') elements found in path '" + std::string(path) + "'");
  }
  return {};
}

class OperatorParser {
 public:
  OperatorParser(const CommandContext& context, std::vector<ArrayFilter> filters)
      : context_(context) {
    update_.array_filters = std::move(filters);
  }

  Result<OperatorUpdate> parse(bson::View update) {
    for (const bson::Element& element : update) {
      if (!is_update_operator(element.name)) {
        return mongo_error(9, "Unknown modifier: " + std::string(element.name) +
                                  ". Expected a valid update modifier or pipeline-style update "
                                  "specified as an array");
      }
      const auto fields = element.value.as_object();
      if (!fields) {
        return mongo_error(9, "Modifiers operate on fields but we found type " +
                                  std::string(bson::alias_of(element.value.type())) +
                                  " instead. For example: {$mod: {<field>: ...}} not {" +
                                  element_text(element) + "}");
      }
      for (const bson::Element& field : *fields) RESTITCH_CHECK(parse_field(element.name, field));
    }
    RESTITCH_CHECK(check_filters_used(update));
    put_in_order(update_.root);
    return std::move(update_);
  }

 private:
  Status parse_field(std::string_view operator_name, const bson::Element& field) {
    if (operator_name == "$rename") return parse_rename(field);
    RESTITCH_CHECK(check_path(field.name, split_path(field.name)));
    RESTITCH_TRY(ModifierPtr modifier, make_modifier(operator_name, field, context_));
    return add(field.name, std::move(modifier));
  }

  Status parse_rename(const bson::Element& field) {
    const auto target = field.value.as_string();
    if (!target) {
      return mongo_error(2, "The 'to' field for $rename must be a string: " + element_text(field));
    }
    Rename rename;
    rename.from_path = field.name;
    rename.to_path = *target;
    rename.from = split_path(field.name);
    rename.to = split_path(*target);
    if (target->find('\0') != std::string_view::npos) {
      return mongo_error(2, "The 'to' field for $rename cannot contain an embedded null byte");
    }
    RESTITCH_CHECK(check_path_names(rename.from_path, rename.from));
    RESTITCH_CHECK(check_path_names(rename.to_path, rename.to));
    RESTITCH_CHECK(check_not_dynamic("source", rename.from_path, rename.from));
    RESTITCH_CHECK(check_not_dynamic("destination", rename.to_path, rename.to));
    const std::string text = element_text(field);
    if (rename.from_path == rename.to_path) {
      return mongo_error(2, "The source and target field for $rename must differ: " + text);
    }
    const std::size_t common = std::min(rename.from.size(), rename.to.size());
    const auto common_end = rename.from.begin() + static_cast<std::ptrdiff_t>(common);
    if (std::equal(rename.from.begin(), common_end, rename.to.begin())) {
      return mongo_error(
          2, "The source and target field for $rename must not be on the same path: " + text);
    }
    RESTITCH_CHECK(add(rename.from_path, make_rename_source()));
    RESTITCH_CHECK(add(rename.to_path, make_rename_target(rename.from_path)));
    update_.renames.push_back(std::move(rename));
    return {};
  }

  static Status check_path_names(std::string_view path,
                                 const std::vector<std::string>& components) {
    if (path.empty()) return mongo_error(56, "An empty update path is not valid.");
    if (std::find(components.begin(), components.end(), "") == components.end()) return {};
    return mongo_error(56, "The update path '" + std::string(path) +
                               "' contains an empty field name, which is not allowed.");
  }

  static Status check_not_dynamic(std::string_view role, const std::string& path,
                                  const std::vector<std::string>& components) {
    for (const std::string& component : components) {
      if (component == "$" || filter_identifier(component)) {
        return mongo_error(
            2, "The " + std::string(role) + " field for $rename may not be dynamic: " + path);
      }
    }
    return {};
  }

  Status add(std::string_view path, ModifierPtr modifier) {
    const std::vector<std::string> components = split_path(path);
    note_path(path, components, modifier->depth());
    UpdateNode* node = &update_.root;
    std::size_t used = 0;
    for (std::size_t i = 0; i < components.size(); ++i) {
      used += components[i].size() + (i == 0 ? 0 : 1);
      const bool is_last = i + 1 == components.size();
      const Kind kind = is_last                                ? Kind::kLeaf
                        : filter_identifier(components[i + 1]) ? Kind::kFilteredElements
                                                               : Kind::kFields;
      RESTITCH_TRY(std::unique_ptr<UpdateNode> * slot, slot_for(*node, components[i], path));
      if (*slot == nullptr) {
        *slot = std::make_unique<UpdateNode>();
        (*slot)->kind = kind;
      } else if (is_last || (*slot)->kind != kind) {
        return mongo_error(40, "Updating the path '" + std::string(path) +
                                   "' would create a conflict at '" +
                                   std::string(path.substr(0, used)) + "'");
      }
      node = slot->get();
    }
    node->modifier = std::move(modifier);
    node->path = path;
    return {};
  }

  // Where the node for `component` below `node` hangs or is to hang.
  Result<std::unique_ptr<UpdateNode>*> slot_for(UpdateNode& node, std::string_view component,
                                                std::string_view path) {
    if (node.kind == Kind::kFields && component == "$") return &node.positional;
    if (node.kind == Kind::kFilteredElements) {
      component = *filter_identifier(component);
      if (!component.empty() && update_.find_filter(component) == nullptr) {
        return mongo_error(2, "No array filter found for identifier '" + std::string(component) +
                                  "' in path '" + std::string(path) + "'");
      }
      used_filters_.insert(std::string(component));
    }
    if (const auto place = node.places.find(node.children, component)) {
      return &node.children[*place].node;
    }
    node.children.push_back({std::string(component), nullptr});
    node.places.note_last(node.children);
    return &node.children.back().node;
  }

  static void put_in_order(UpdateNode& node) {
    std::sort(node.children.begin(), node.children.end(),
              [](const UpdateChild& a, const UpdateChild& b) { return precedes(a.name, b.name); });
    node.places = NamePlaces();
    for (const UpdateChild& child : node.children) put_in_order(*child.node);
    if (node.positional) put_in_order(*node.positional);
  }

  void note_path(std::string_view path, const std::vector<std::string>& components, int depth) {
    if (components.front() == "_id" && update_.id_path.empty()) update_.id_path = path;
    if (components.front().front() == '$' && update_.dollar_field.empty()) {
      update_.dollar_field = components.front();
    }
    update_.depth = std::max(update_.depth, static_cast<int>(components.size()) + depth);
  }

  Status check_filters_used(bson::View update) const {
    for (const ArrayFilter& filter : update_.array_filters) {
      if (used_filters_.count(filter.identifier) != 0) continue;
      return mongo_error(9, "The array filter for identifier '" + filter.identifier +
                                "' was not used in the update " + bson::to_shell(update));
    }
    return {};
  }

  const CommandContext& context_;
  OperatorUpdate update_;
  std::set<std::string> used_filters_;
};

}  // namespace

const ArrayFilter* OperatorUpdate::find_filter(std::string_view identifier) const {
  for (const ArrayFilter& filter : array_filters) {
    if (filter.identifier == identifier) return &filter;
  }
  return nullptr;
}

bool precedes(std::string_view a, std::string_view b) {
  const auto x = array_index(a);
  const auto y = array_index(b);
  if (x && y) return *x < *y;
  if (!x && !y) return a < b;
  constexpr std::size_t kDigits = 10;
  const std::string_view digits = x ? a : b;
  const std::string padded = std::string(kDigits - digits.size(), '0') + std::string(digits);
  return x ? padded < b : a < padded;
}

Result<std::vector<ArrayFilter>> parse_array_filters(bson::View filters,
                                                     const CommandContext& context) {
  std::vector<ArrayFilter> parsed;
  for (const bson::Element& element : filters) {
    const auto query = element.value.as_object();
    if (!query) {
      return mongo_error(14, "BSON field 'update.updates.arrayFilters." +
                                 std::string(element.name) + "' is the wrong type '" +
                                 std::string(bson::alias_of(element.value.type())) +
                                 "', expected type 'object'");
    }
    std::string identifier;
    RESTITCH_TRY(Filter filter, Filter::compile_array_filter(*query, context, &identifier));
    for (const ArrayFilter& other : parsed) {
      if (other.identifier == identifier) {
        return mongo_error(
            9, "Found multiple array filters with the same top-level field name " + identifier);
      }
    }
    parsed.push_back({std::move(identifier), std::move(filter), bson::Document(*query)});
  }
  return parsed;
}

Result<OperatorUpdate> parse_operators(bson::View update, bson::View array_filters,
                                       const CommandContext& context) {
  RESTITCH_TRY(std::vector<ArrayFilter> filters, parse_array_filters(array_filters, context));
  return OperatorParser(context, std::move(filters)).parse(update);
}

}  // namespace restitch::query
