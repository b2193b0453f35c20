#include "query/projection.h"

#include <algorithm>

#include "query/path.h"
#include "query/projection_program.h"

namespace restitch::query {
namespace {

// One pass over one document.
class Projector {
 public:
  Projector(const Projection::Program& program, bson::View document,
            std::vector<bson::Value>* variables)
      : program_(program), document_(document), variables_(variables) {}

  Result<bson::Document> run() {
    RESTITCH_CHECK(write_object(program_.root, document_));
    return std::move(builder_).finish();
  }

 private:
  Status write_object(const ProjectionTree& tree, bson::View object) {
    std::size_t left = tree.items.size();
    const bson::View::Iterator end = object.end();
    for (auto at = object.begin(); at != end; ++at) {
      const ProjectionItem* item = tree.find(at->name);
      if (item == nullptr) {
        if (!program_.inclusive) builder_.append_raw(at.raw());
        continue;
      }
      RESTITCH_CHECK(write_item(*item, *at, at.raw()));
      // Behind the last field of interest nothing more can be included.
      if (program_.inclusive && --left == 0) break;
    }
    return write_appended(tree, object);
  }

  Status write_item(const ProjectionItem& item, const bson::Element& element,
                    std::string_view raw) {
    switch (item.kind) {
      case ProjectionKind::kInclude:
        builder_.append_raw(raw);
        return {};
      case ProjectionKind::kSlice:
        write_slice(item.slice, element, raw);
        return {};
      case ProjectionKind::kTree:
        return write_tree(*item.tree, element.name, element.value);
      case ProjectionKind::kExclude:
      case ProjectionKind::kExpression:
      case ProjectionKind::kElemMatch:
        return {};
    }
    return {};
  }

  Status write_tree(const ProjectionTree& tree, std::string_view name, bson::ValueView value) {
    if (value.type() == bson::Type::kObject) {
      builder_.open_object(name);
      RESTITCH_CHECK(write_object(tree, value.get_document()));
      builder_.close();
    } else if (value.type() == bson::Type::kArray) {
      builder_.open_array(name);
      RESTITCH_CHECK(write_elements(tree, value.get_document()));
      builder_.close();
    } else if (!program_.inclusive) {
      builder_.append(name, value);
    } else if (tree.has_computed) {
      builder_.open_object(name);
      RESTITCH_CHECK(write_appended(tree, bson::View()));
      builder_.close();
    }
    return {};
  }

  Status write_elements(const ProjectionTree& tree, bson::View array) {
    for (const bson::Element& element : array) {
      if (element.value.type() == bson::Type::kObject) {
        builder_.push_object();
        RESTITCH_CHECK(write_object(tree, element.value.get_document()));
        builder_.close();
      } else if (element.value.type() == bson::Type::kArray) {
        builder_.push_open_array();
        RESTITCH_CHECK(write_elements(tree, element.value.get_document()));
        builder_.close();
      } else if (!program_.inclusive) {
        builder_.push(element.value);
      } else if (tree.has_computed) {
        builder_.push_object();
        RESTITCH_CHECK(write_appended(tree, bson::View()));
        builder_.close();
      }
    }
    return {};
  }

  void write_slice(const ArraySlice& slice, const bson::Element& element, std::string_view raw) {
    const auto array = element.value.as_array();
    if (!array) {
      builder_.append_raw(raw);
      return;
    }
    const auto count = static_cast<std::int64_t>(array->count());
    std::int64_t from = 0;
    std::int64_t limit = slice.limit;
    if (slice.skip) {
      from = *slice.skip >= 0 ? *slice.skip : std::max<std::int64_t>(0, count + *slice.skip);
    } else if (limit < 0) {
      limit = -limit;
      from = std::max<std::int64_t>(0, count - limit);
    }
    builder_.open_array(element.name);
    std::int64_t position = 0;
    for (const bson::Element& item : *array) {
      if (position >= from && position - from < limit) builder_.push(item.value);
      ++position;
    }
    builder_.close();
  }

  // What stands behind the document's own fields, in the order of the specification.
  Status write_appended(const ProjectionTree& tree, bson::View object) {
    if (!program_.has_appended) return {};
    for (const ProjectionItem& item : tree.items) {
      if (item.kind == ProjectionKind::kExpression) {
        RESTITCH_TRY(const bson::Value value, evaluate(*item.expression));
        builder_.append(item.name, value);
      } else if (item.kind == ProjectionKind::kElemMatch) {
        RESTITCH_CHECK(write_elem_match(item, object));
      } else if (item.kind == ProjectionKind::kTree && item.tree->has_computed &&
                 !object.contains(item.name)) {
        builder_.open_object(item.name);
        RESTITCH_CHECK(write_appended(*item.tree, bson::View()));
        builder_.close();
      }
    }
    return {};
  }

  Result<bson::Value> evaluate(const Expression& expression) {
    if (variables_ == nullptr) return expression.evaluate(document_, *program_.context);
    EvalContext context{*program_.context, document_, *variables_, std::nullopt};
    return expression.evaluate(context);
  }

  Status write_elem_match(const ProjectionItem& item, bson::View object) {
    MatchDetails details;
    RESTITCH_TRY(const bool matched, item.elem_match->matches(object, &details));
    if (!matched || !details.array_index) return {};
    const auto array = object.find(item.name).as_array();
    if (!array) return {};
    builder_.open_array(item.name);
    builder_.push(array_element(*array, *details.array_index));
    builder_.close();
    return {};
  }

  const Projection::Program& program_;
  bson::View document_;
  std::vector<bson::Value>* variables_;
  bson::Builder builder_;
};

// Replaces the first array on the path by its element `index`.
Status write_positional(bson::View object, const std::vector<std::string>& path, std::size_t depth,
                        std::optional<std::size_t> index, bson::Builder& builder) {
  for (auto at = object.begin(); at != object.end(); ++at) {
    const bson::ValueView value = at->value;
    if (at->name != path[depth]) {
      builder.append_raw(at.raw());
    } else if (value.type() == bson::Type::kArray) {
      if (!index) {
        return mongo_error(
            51246, "positional operator '.$' couldn't find a matching element in the array");
      }
      const bson::ValueView element = array_element(value.get_document(), *index);
      if (element.is_missing()) {
        return mongo_error(51247, "positional operator '.$' element mismatch");
      }
      builder.open_array(at->name).push(element).close();
    } else if (value.type() == bson::Type::kObject && depth + 1 < path.size()) {
      builder.open_object(at->name);
      RESTITCH_CHECK(write_positional(value.get_document(), path, depth + 1, index, builder));
      builder.close();
    } else {
      builder.append_raw(at.raw());
    }
  }
  return {};
}

// Adds the paths that a tree reads; false when that may be the whole document.
bool add_paths(const ProjectionTree& tree, const std::string& prefix,
               std::set<std::string>& paths) {
  for (const ProjectionItem& item : tree.items) {
    const std::string path = prefix + item.name;
    switch (item.kind) {
      case ProjectionKind::kTree:
        if (!add_paths(*item.tree, path + ".", paths)) return false;
        break;
      case ProjectionKind::kExpression: {
        std::set<std::string> fields;
        item.expression->add_dependencies(fields);
        if (fields.count("") != 0) return false;
        paths.merge(fields);
        break;
      }
      default:
        paths.insert(path);
    }
  }
  return true;
}

}  // namespace

Result<Projection> Projection::compile(bson::View spec, ProjectionDialect dialect,
                                       const CommandContext& context, const Filter* filter,
                                       const VariableScope* scope) {
  Projection projection;
  RESTITCH_TRY(projection.program_, parse_projection({spec, dialect, context, filter, scope}));
  return projection;
}

Result<bson::Document> Projection::apply(bson::View document, const MatchDetails* details) const {
  if (is_identity()) return bson::Document(document);
  RESTITCH_TRY(bson::Document projected, Projector(*program_, document, nullptr).run());
  if (!needs_match_details()) return projected;

  MatchDetails found;
  if (details != nullptr) {
    found = *details;
  } else if (program_->filter) {
    RESTITCH_CHECK(program_->filter->matches(document, &found));
  }
  bson::Builder builder;
  RESTITCH_CHECK(write_positional(projected, program_->positional, 0, found.array_index, builder));
  return std::move(builder).finish();
}

Result<bson::Document> Projection::apply(bson::View document,
                                         std::vector<bson::Value>& variables) const {
  return Projector(*program_, document, &variables).run();
}

bool Projection::is_identity() const {
  return !program_->inclusive && program_->root.items.empty();
}

bool Projection::is_inclusive() const { return program_->inclusive; }

bool Projection::needs_match_details() const { return !program_->positional.empty(); }

std::optional<std::set<std::string>> Projection::dependencies() const {
  if (!program_->inclusive || needs_match_details()) return std::nullopt;
  std::set<std::string> paths;
  if (!add_paths(program_->root, "", paths)) return std::nullopt;
  return paths;
}

}  // namespace restitch::query
