#include "query/field_path.h"
#include "query/path.h"
#include "query/projection_program.h"

namespace restitch::query {
namespace {

bool is_switch(bson::ValueView value) {
  return value.is_number() || value.type() == bson::Type::kBool;
}

// The only operator of an object like {$slice: 2}; empty for anything else.
std::string_view single_operator(bson::View object) {
  if (object.count() != 1) return {};
  return object.begin()->name;
}

bool names_operator(bson::View object) {
  return !object.empty() && object.begin()->name.substr(0, 1) == "$";
}

class ProjectionParser {
 public:
  explicit ProjectionParser(const ProjectionRequest& request)
      : request_(request), program_(std::make_shared<Projection::Program>()) {
    program_->context = &request.context;
  }

  Result<std::shared_ptr<const Projection::Program>> parse() {
    if (is_aggregation() && request_.spec.empty()) {
      return mongo_error(51272, "projection specification must have at least one field");
    }
    for (const bson::Element& element : request_.spec) {
      RESTITCH_CHECK(read(std::string(element.name), element.value));
    }
    settle_mode();
    RESTITCH_CHECK(settle_id());
    return std::shared_ptr<const Projection::Program>(std::move(program_));
  }

 private:
  enum class Mode { kOpen, kInclusion, kExclusion };

  bool is_aggregation() const { return request_.dialect == ProjectionDialect::kAggregation; }

  Status read(const std::string& path, bson::ValueView value) {
    if (path == "$" || path.find(".$") != std::string::npos) {
      if (is_positional(path)) return read_positional(path, value);
    }
    RESTITCH_CHECK(check_field_path(path));
    if (is_switch(value)) return read_switch(path, value.truthy());
    const auto object = value.as_object();
    if (!object) return read_expression(path, value);
    if (object->empty()) {
      return mongo_error(
          51270, "An empty sub-projection is not a valid value. Found empty object at path");
    }
    if (names_operator(*object)) return read_operator(path, value);
    for (const bson::Element& element : *object) {
      RESTITCH_CHECK(read(path + "." + std::string(element.name), element.value));
    }
    return {};
  }

  static bool is_positional(std::string_view path) {
    return path.size() > 2 &&
           (path.substr(path.size() - 2) == ".$" || path.find(".$.") != std::string_view::npos);
  }

  Status read_switch(const std::string& path, bool include) {
    if (path == "_id") {
      RESTITCH_CHECK(reject_second_id());
      id_switch_ = include;
      return {};
    }
    if (include) {
      if (mode_ == Mode::kExclusion) {
        return mongo_error(31253,
                           "Cannot do inclusion on field " + path + " in exclusion projection");
      }
      mode_ = Mode::kInclusion;
    } else {
      if (mode_ == Mode::kInclusion) {
        return mongo_error(31254,
                           "Cannot do exclusion on field " + path + " in inclusion projection");
      }
      mode_ = Mode::kExclusion;
    }
    ProjectionItem item;
    item.kind = include ? ProjectionKind::kInclude : ProjectionKind::kExclude;
    return add(path, std::move(item));
  }

  Status reject_second_id() const {
    if (!id_switch_ && program_->root.find("_id") == nullptr) return {};
    return mongo_error(31250, "Path collision at _id");
  }

  Status read_positional(const std::string& path, bson::ValueView value) {
    if (is_aggregation()) {
      return mongo_error(31324, "Cannot use positional projection in aggregation projection");
    }
    const std::string before = path.substr(0, path.size() - 2);
    if (path.substr(path.size() - 2) != ".$" || before.find(".$") != std::string::npos) {
      return mongo_error(
          31394,
          "As of 4.4, it's illegal to specify positional operator in the middle of a path."
          "Positional projection may only be used at the end, for example: a.b.$. If the query "
          "previously used a form like a.b.$.d, remove the parts following the '$' and the results "
          "will be equivalent.");
    }
    if (!is_switch(value)) {
      return mongo_error(31271,
                         "positional projection cannot be used with an expression or sub object");
    }
    if (!value.truthy() || mode_ == Mode::kExclusion) {
      return mongo_error(31395, "positional projection cannot be used with exclusion");
    }
    if (!program_->positional.empty()) {
      return mongo_error(31276, "Cannot specify more than one positional proj. per query.");
    }
    if (has_elem_match_) {
      return mongo_error(31256, "Cannot specify positional operator and $elemMatch.");
    }
    RESTITCH_CHECK(check_field_path(before));
    mode_ = Mode::kInclusion;
    program_->positional = split_path(before);
    if (request_.filter != nullptr) program_->filter = *request_.filter;
    return add(before, ProjectionItem());
  }

  Status read_operator(const std::string& path, bson::ValueView value) {
    const bson::View object = value.get_document();
    const std::string_view name = single_operator(object);
    if (!is_aggregation()) {
      if (name == "$elemMatch") return read_elem_match(path, object.begin()->value);
      if (name == "$slice") {
        if (const auto slice = read_slice(object.begin()->value)) {
          ProjectionItem item;
          item.kind = ProjectionKind::kSlice;
          item.slice = *slice;
          return add(path, std::move(item));
        }
      }
    }
    if (name == "$meta") {
      has_meta_ = true;
      return add_expression(path, value);
    }
    return read_expression(path, value);
  }

  // Nothing where the operand is that of the aggregation operator.
  static std::optional<ArraySlice> read_slice(bson::ValueView value) {
    if (value.is_number()) return ArraySlice{std::nullopt, whole(value)};
    const auto pair = value.as_array();
    if (!pair || pair->count() != 2) return std::nullopt;
    auto at = pair->begin();
    const bson::ValueView skip = at->value;
    const bson::ValueView limit = (++at)->value;
    if (!skip.is_number() || !limit.is_number() || whole(limit) <= 0) return std::nullopt;
    return ArraySlice{whole(skip), whole(limit)};
  }

  static std::int64_t whole(bson::ValueView number) {
    constexpr double kMost = 2147483647.0;
    const double value = number.as_double().value_or(0);
    if (!(value == value)) return 0;
    return static_cast<std::int64_t>(value > kMost ? kMost : value < -kMost ? -kMost : value);
  }

  Status read_elem_match(const std::string& path, bson::ValueView operand) {
    if (operand.type() != bson::Type::kObject) {
      return mongo_error(31274, "elemMatch: Invalid argument, object required, but got " +
                                    std::string(bson::alias_of(operand.type())));
    }
    if (!program_->positional.empty()) {
      return mongo_error(31255, "Cannot specify positional operator and $elemMatch.");
    }
    if (path.find('.') != std::string::npos) {
      return mongo_error(31275, "Cannot use $elemMatch projection on a nested field.");
    }
    bson::Builder builder;
    builder.open_object(path).append("$elemMatch", operand).close();
    const bson::Document query = std::move(builder).finish();
    ProjectionItem item;
    item.kind = ProjectionKind::kElemMatch;
    RESTITCH_TRY(item.elem_match, Filter::compile(query, request_.context));
    has_elem_match_ = true;
    program_->has_appended = true;
    return add(path, std::move(item));
  }

  Status read_expression(const std::string& path, bson::ValueView value) {
    if (mode_ == Mode::kExclusion) {
      return mongo_error(31252,
                         "Cannot use an expression other than $meta in exclusion projection");
    }
    mode_ = Mode::kInclusion;
    return add_expression(path, value);
  }

  Status add_expression(const std::string& path, bson::ValueView value) {
    static const VariableScope kNoVariables;
    auto compiled = Expression::compile(value, request_.context,
                                        request_.scope != nullptr ? *request_.scope : kNoVariables);
    if (!compiled) return name_unknown(std::move(compiled).error(), value);
    ProjectionItem item;
    item.kind = ProjectionKind::kExpression;
    item.expression = *std::move(compiled);
    program_->has_appended = true;
    return add(path, std::move(item));
  }

  // An unknown operator directly below a field has an error of its own.
  Error name_unknown(Error error, bson::ValueView value) const {
    const auto object = value.as_object();
    if (error.mongo_code() != 168 || !object) return error;
    const std::string name(single_operator(*object));
    if (name.empty() || error.message() != "Unrecognized expression '" + name + "'") return error;
    if (is_aggregation() && name == "$elemMatch") return error;
    return mongo_error(31325, "Unknown expression " + name);
  }

  Status add(const std::string& path, ProjectionItem item) {
    if (path == "_id" && id_switch_) return mongo_error(31250, "Path collision at _id");
    const bool computed = item.kind == ProjectionKind::kExpression;
    const std::vector<std::string> components = split_path(path);
    ProjectionTree* tree = &program_->root;
    std::size_t used = 0;
    for (std::size_t i = 0;; ++i) {
      tree->has_computed = tree->has_computed || computed;
      const std::string& name = components[i];
      used += name.size() + 1;
      auto* existing = const_cast<ProjectionItem*>(tree->find(name));
      const bool is_last = i + 1 == components.size();
      if (is_last) {
        if (existing != nullptr) return mongo_error(31250, "Path collision at " + path);
        item.name = name;
        tree->add(std::move(item));
        return {};
      }
      if (existing == nullptr) {
        ProjectionItem parent;
        parent.name = name;
        parent.kind = ProjectionKind::kTree;
        parent.tree = std::make_unique<ProjectionTree>();
        existing = &tree->add(std::move(parent));
      } else if (existing->kind != ProjectionKind::kTree) {
        return mongo_error(31249,
                           "Path collision at " + path + " remaining portion " + path.substr(used));
      }
      tree = existing->tree.get();
    }
  }

  void settle_mode() {
    if (mode_ != Mode::kOpen) return;
    const bool id_included = id_switch_.value_or(false);
    const bool inclusion = id_included || has_elem_match_ || (has_meta_ && is_aggregation());
    mode_ = inclusion ? Mode::kInclusion : Mode::kExclusion;
  }

  Status settle_id() {
    program_->inclusive = mode_ == Mode::kInclusion;
    const bool mentioned = program_->root.find("_id") != nullptr;
    if (mentioned) {
      return id_switch_ ? Status(mongo_error(31250, "Path collision at _id")) : Status();
    }
    const bool include = id_switch_.value_or(true);
    if (include == program_->inclusive) {
      ProjectionItem item;
      item.name = "_id";
      item.kind = include ? ProjectionKind::kInclude : ProjectionKind::kExclude;
      program_->root.add_front(std::move(item));
    }
    return {};
  }

  const ProjectionRequest& request_;
  std::shared_ptr<Projection::Program> program_;
  Mode mode_ = Mode::kOpen;
  std::optional<bool> id_switch_;
  bool has_elem_match_ = false;
  bool has_meta_ = false;
};

}  // namespace

Result<std::shared_ptr<const Projection::Program>> parse_projection(
    const ProjectionRequest& request) {
  auto program = ProjectionParser(request).parse();
  if (program || request.dialect == ProjectionDialect::kFind) return program;
  const Error& error = program.error();
  return Error(error.code(), error.mongo_code(),
               "Invalid $project :: caused by :: " + error.message());
}

}  // namespace restitch::query
