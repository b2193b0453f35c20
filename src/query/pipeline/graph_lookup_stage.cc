#include <algorithm>

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/field_path.h"
#include "query/path.h"
#include "query/pipeline/document_edit.h"
#include "query/pipeline/join.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

struct GraphSpec {
  std::string collection;
  ExpressionPtr start;
  std::vector<std::string> connect_from;
  std::string connect_to;
  std::vector<std::string> as;
  std::vector<std::string> depth_field;  // empty: none
  std::optional<std::int64_t> max_depth;
  Document restriction;
};

// The search from one document, level by level.
class GraphSearch {
 public:
  GraphSearch(const GraphSpec& spec, std::string_view database, RunContext& run)
      : spec_(spec),
        database_(database),
        run_(run),
        asked_(make_value_container<OwnedValueSet>(run.command.comparator)),
        seen_ids_(make_value_container<OwnedValueSet>(run.command.comparator)) {}

  Result<Value> run(bson::View document) {
    EvalContext context = run_.evaluation(document);
    RESTITCH_TRY(const Value start, spec_.start->evaluate(context));
    add_start(start);
    for (std::int64_t depth = 0; !frontier_.empty(); ++depth) {
      RESTITCH_CHECK(visit_level(depth));
      if (spec_.max_depth && depth >= *spec_.max_depth) break;
    }
    bson::Builder builder;
    for (const Document& found : found_) builder.push(found);
    return Value::array(std::move(builder).finish());
  }

 private:
  void add_start(ValueView start) {
    if (start.type() == Type::kArray) {
      for (const bson::Element& element : start.get_document()) ask(Value(element.value));
    } else if (!start.is_missing()) {
      ask(Value(start));
    }
  }

  void ask(Value value) {
    const auto [at, is_new] = asked_.insert(std::move(value));
    if (!is_new) return;
    frontier_.push_back(&*at);
    grow(at->view().raw().size());
  }

  Status visit_level(std::int64_t depth) {
    const Document query = equality_query(spec_.connect_to, frontier_, spec_.restriction);
    frontier_.clear();
    RESTITCH_TRY(const DocumentStreamPtr stream,
                 run_.environment->open(database_, spec_.collection, query));
    StreamReader reader(*stream, run_.command);
    while (true) {
      RESTITCH_TRY(auto document, reader.next());
      if (!document) return {};
      if (!seen_ids_.insert(Value(document->find("_id"))).second) continue;
      std::vector<Value> next;
      collect_local_values(object_value(*document), spec_.connect_from, next);
      for (Value& value : next) {
        if (!value.view().is_nullish()) ask(std::move(value));
      }
      if (!spec_.depth_field.empty()) {
        document = with_path(*document, spec_.depth_field, Value::of(depth));
      }
      grow(document->bytes().size());
      if (memory_ > run_.command.memory_limit) {
        return mongo_error(40099, "$graphLookup reached maximum memory consumption");
      }
      found_.push_back(std::move(*document));
    }
  }

  void grow(std::size_t bytes) {
    constexpr std::int64_t kPerEntry = 80;
    memory_ += static_cast<std::int64_t>(bytes) + kPerEntry;
  }

  const GraphSpec& spec_;
  std::string_view database_;
  RunContext& run_;
  OwnedValueSet asked_;
  OwnedValueSet seen_ids_;
  std::vector<const Value*> frontier_;
  std::vector<Document> found_;
  std::int64_t memory_ = 0;
};

class GraphLookupStage final : public DocumentStage {
 public:
  GraphLookupStage(GraphSpec spec, std::string database)
      : spec_(std::move(spec)), database_(std::move(database)) {}

  Result<std::optional<Document>> apply(Document document, RunContext& run) const override {
    GraphSearch search(spec_, database_, run);
    RESTITCH_TRY(const Value found, search.run(document));
    return std::optional(with_path(document, spec_.as, found));
  }
  bool lets_filter_pass(const std::set<std::string>& fields) const override {
    return !fields.contains(spec_.as.front());
  }

 private:
  GraphSpec spec_;
  std::string database_;
};

Status read_max_depth(ValueView value, GraphSpec& spec) {
  if (!value.is_number()) {
    return mongo_error(40100, "maxDepth must be numeric, found type: " + type_name(value));
  }
  const double approximate = *value.as_double();
  if (approximate < 0) {
    return mongo_error(40101,
                       "maxDepth requires a nonnegative argument, found: " + bson::to_shell(value));
  }
  spec.max_depth = value.as_integer();
  if (!spec.max_depth) {
    return mongo_error(
        40102, "maxDepth could not be represented as a long long: " + bson::to_shell(value));
  }
  return {};
}

Status read_option(const bson::Element& option, const StageCompiler& compiler, GraphSpec& spec) {
  const std::string name(option.name);
  if (name == "startWith") {
    RESTITCH_TRY(spec.start, compiler.expression(option.value));
    return {};
  }
  if (name == "maxDepth") return read_max_depth(option.value, spec);
  if (name == "restrictSearchWithMatch") {
    const auto query = option.value.as_object();
    if (!query) {
      return mongo_error(
          40185, "restrictSearchWithMatch must be an object, found " + type_name(option.value));
    }
    spec.restriction = Document(*query);
    const auto filter = Filter::compile(spec.restriction, compiler.context);
    if (!filter) {
      return mongo_error(40186,
                         "Failed to parse 'restrictSearchWithMatch' option to $graphLookup: " +
                             filter.error().message());
    }
    return {};
  }
  const bool is_known = name == "from" || name == "as" || name == "connectFromField" ||
                        name == "connectToField" || name == "depthField";
  if (!is_known) return mongo_error(40104, "Unknown argument to $graphLookup: " + name);
  const auto text = option.value.as_string();
  if (!text) {
    return mongo_error(40103, "expected string as argument for " + name +
                                  ", found: " + bson::to_shell(option.value));
  }
  if (name == "from") {
    spec.collection = *text;
    return {};
  }
  RESTITCH_CHECK(check_field_path(*text));
  if (name == "connectToField") {
    spec.connect_to = *text;
  } else {
    auto& path = name == "as"                 ? spec.as
                 : name == "connectFromField" ? spec.connect_from
                                              : spec.depth_field;
    path = split_path(*text);
  }
  return {};
}

Status make_graph_lookup(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto object = element.value.as_object();
  if (!object) {
    return mongo_error(40327, "the $graphLookup stage specification must be an object, but found " +
                                  type_name(element.value));
  }
  GraphSpec spec;
  for (const bson::Element& option : *object) RESTITCH_CHECK(read_option(option, compiler, spec));
  if (spec.collection.empty() || !spec.start || spec.connect_from.empty() ||
      spec.connect_to.empty() || spec.as.empty()) {
    return mongo_error(40105,
                       "$graphLookup requires 'from', 'as', 'startWith', 'connectFromField', and "
                       "'connectToField' to be specified.");
  }
  out.push_back(std::make_shared<GraphLookupStage>(std::move(spec), compiler.options.database));
  return {};
}

constexpr StageDefinition kStages[] = {{"$graphLookup", make_graph_lookup}};

}  // namespace

StageTable graph_lookup_stages() { return kStages; }

}  // namespace restitch::query
