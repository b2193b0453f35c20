#include <algorithm>

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/path.h"
#include "query/pipeline/document_edit.h"
#include "query/pipeline/stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

class OutStage final : public Stage {
 public:
  OutStage(std::string database, std::string collection)
      : database_(std::move(database)), collection_(std::move(collection)) {}

  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override {
    RESTITCH_CHECK(run->environment->out(database_, collection_, *input));
    return empty_stream();
  }
  bool is_writer() const override { return true; }

 private:
  std::string database_;
  std::string collection_;
};

class MergeStage final : public Stage {
 public:
  MergeStage(MergeSpec spec, std::vector<std::string> let_names, std::vector<ExpressionPtr> let)
      : spec_(std::move(spec)), let_names_(std::move(let_names)), let_(std::move(let)) {
    for (const std::string& field : spec_.on) on_paths_.push_back(split_path(field));
  }

  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override {
    StreamReader reader(*input, run->command);
    while (true) {
      RESTITCH_TRY(auto document, reader.next());
      if (!document) return empty_stream();
      RESTITCH_TRY(const Document complete, with_keys(std::move(*document)));
      RESTITCH_TRY(const Document variables, bind(complete, *run));
      RESTITCH_CHECK(run->environment->merge(spec_, complete, variables));
    }
  }
  bool is_writer() const override { return true; }

 private:
  // Every key must be there; only _id is made up.
  Result<Document> with_keys(Document document) const {
    for (std::size_t i = 0; i < on_paths_.size(); ++i) {
      const ValueView key = object_path(document, on_paths_[i]);
      if (key.is_missing() && spec_.on[i] == "_id") {
        bson::Builder builder;
        builder.append("_id", bson::ObjectId::generate()).append_all(document);
        document = std::move(builder).finish();
        continue;
      }
      if (key.is_nullish()) {
        return mongo_error(
            51132,
            "$merge write error: 'on' field cannot be missing, null, undefined or an "
            "array");
      }
      if (key.type() == Type::kArray) {
        return mongo_error(
            51185,
            "$merge write error: 'on' field cannot be missing, null, undefined or an "
            "array");
      }
    }
    return document;
  }

  Result<Document> bind(bson::View document, RunContext& run) const {
    bson::Builder builder;
    EvalContext context = run.evaluation(document);
    for (std::size_t i = 0; i < let_.size(); ++i) {
      Value storage;
      RESTITCH_TRY(const ValueView value, let_[i]->peek(context, storage));
      builder.append(let_names_[i], value);
    }
    return std::move(builder).finish();
  }

  MergeSpec spec_;
  std::vector<std::vector<std::string>> on_paths_;
  std::vector<std::string> let_names_;
  std::vector<ExpressionPtr> let_;
};

Status make_out(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  if (const auto name = element.value.as_string()) {
    out.push_back(std::make_shared<OutStage>(compiler.options.database, std::string(*name)));
    return {};
  }
  const auto object = element.value.as_object();
  if (!object) {
    return mongo_error(16990, "$out only supports a string or object argument, but found " +
                                  type_name(element.value));
  }
  const auto database = object->find("db").as_string();
  const auto collection = object->find("coll").as_string();
  if (!database || !collection || object->count() != 2) {
    return mongo_error(
        16994,
        "If an object is passed to $out it must have exactly 2 fields: 'db' and 'coll'. "
        "Found: " +
            bson::to_shell(*object));
  }
  out.push_back(std::make_shared<OutStage>(std::string(*database), std::string(*collection)));
  return {};
}

struct MergeInput {
  MergeSpec spec;
  ValueView let;
  bool has_target = false;
};

Status check_target(const MergeSpec& spec) {
  if (spec.collection.substr(0, 7) == "system.") {
    return mongo_error(31319, "Cannot $merge into special collection: " + spec.collection);
  }
  if (spec.database == "admin" || spec.database == "config" || spec.database == "local") {
    return mongo_error(31320, "Cannot $merge into internal database: " + spec.database);
  }
  return {};
}

Status read_into(ValueView value, const StageCompiler& compiler, MergeInput& input) {
  input.has_target = true;
  if (const auto name = value.as_string()) {
    input.spec.database = compiler.options.database;
    input.spec.collection = *name;
    return check_target(input.spec);
  }
  const auto object = value.as_object();
  const auto collection = object ? object->find("coll").as_string() : std::nullopt;
  if (!collection) {
    return mongo_error(
        51178, "$merge 'into' field must be a string or an object, but found " + type_name(value));
  }
  input.spec.database = object->find("db").as_string().value_or(compiler.options.database);
  input.spec.collection = *collection;
  return check_target(input.spec);
}

Status read_on(ValueView value, MergeSpec& spec) {
  if (const auto field = value.as_string()) {
    spec.on = {std::string(*field)};
    return {};
  }
  const auto array = value.as_array();
  if (!array) {
    return mongo_error(
        51186, "$merge 'on' field  must be either a string or an array of strings, but found " +
                   type_name(value));
  }
  for (const bson::Element& element : *array) {
    const auto field = element.value.as_string();
    if (!field) {
      return mongo_error(51134, "$merge 'on' array elements must be strings, but found " +
                                    type_name(element.value));
    }
    if (std::find(spec.on.begin(), spec.on.end(), *field) != spec.on.end()) {
      return mongo_error(31465, "Found a duplicate field '" + std::string(*field) + "'");
    }
    spec.on.emplace_back(*field);
  }
  if (spec.on.empty()) {
    return mongo_error(51187,
                       "If explicitly specifying $merge 'on', must include at least one field");
  }
  return {};
}

Status read_when_matched(ValueView value, MergeSpec& spec) {
  using When = MergeSpec::WhenMatched;
  if (value.type() == Type::kArray) {
    spec.when_matched = When::kPipeline;
    spec.pipeline = Document(value.get_document());
    return {};
  }
  const auto name = value.as_string();
  if (!name) {
    return mongo_error(
        51191, "$merge 'whenMatched' field must be either a string or an array, but found " +
                   type_name(value));
  }
  constexpr std::pair<std::string_view, When> kNames[] = {{"merge", When::kMerge},
                                                          {"replace", When::kReplace},
                                                          {"keepExisting", When::kKeepExisting},
                                                          {"fail", When::kFail}};
  for (const auto& [known, when] : kNames) {
    if (*name != known) continue;
    spec.when_matched = when;
    return {};
  }
  return mongo_error(2, "Enumeration value '" + std::string(*name) +
                            "' for field '$merge.whenMatched' is not a valid value.");
}

Status read_when_not_matched(ValueView value, MergeSpec& spec) {
  using When = MergeSpec::WhenNotMatched;
  const auto name = value.as_string();
  if (name == "insert") {
    spec.when_not_matched = When::kInsert;
  } else if (name == "discard") {
    spec.when_not_matched = When::kDiscard;
  } else if (name == "fail") {
    spec.when_not_matched = When::kFail;
  } else {
    return mongo_error(name ? 2 : 14,
                       "Enumeration value '" + (name ? std::string(*name) : bson::to_shell(value)) +
                           "' for field '$merge.whenNotMatched' is not a valid value.");
  }
  return {};
}

Status read_merge_option(const bson::Element& option, const StageCompiler& compiler,
                         MergeInput& input) {
  if (option.name == "into") return read_into(option.value, compiler, input);
  if (option.name == "on") return read_on(option.value, input.spec);
  if (option.name == "whenMatched") return read_when_matched(option.value, input.spec);
  if (option.name == "whenNotMatched") return read_when_not_matched(option.value, input.spec);
  if (option.name == "let") {
    if (option.value.type() != Type::kObject) {
      return mongo_error(14, "BSON field '$merge.let' is the wrong type '" +
                                 type_name(option.value) + "', expected type 'object'");
    }
    input.let = option.value;
    return {};
  }
  if (option.name == "targetCollectionVersion" || option.name == "allowMergeOnNullishValues")
    return {};
  return mongo_error(40415,
                     "BSON field '$merge." + std::string(option.name) + "' is an unknown field.");
}

Status check_modes(const MergeInput& input) {
  using Matched = MergeSpec::WhenMatched;
  const MergeSpec& spec = input.spec;
  constexpr std::string_view kMatched[] = {"merge", "replace", "keepExisting", "fail", "pipeline"};
  constexpr std::string_view kNotMatched[] = {"insert", "discard", "fail"};
  const auto matched = kMatched[static_cast<std::size_t>(spec.when_matched)];
  const bool inserts_only =
      spec.when_matched == Matched::kKeepExisting || spec.when_matched == Matched::kFail;
  if (inserts_only && spec.when_not_matched != MergeSpec::WhenNotMatched::kInsert) {
    return mongo_error(
        51181, "Combination of $merge modes 'whenMatched: " + std::string(matched) +
                   "' and 'whenNotMatched: " +
                   std::string(kNotMatched[static_cast<std::size_t>(spec.when_not_matched)]) +
                   "' is not supported");
  }
  if (!input.let.is_missing() && spec.when_matched != Matched::kPipeline) {
    return mongo_error(
        51199, "Cannot use 'let' variables with 'whenMatched: " + std::string(matched) + "' mode");
  }
  return {};
}

Status make_merge(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  MergeInput input;
  input.spec.when_matched = MergeSpec::WhenMatched::kMerge;
  input.spec.when_not_matched = MergeSpec::WhenNotMatched::kInsert;
  if (const auto object = element.value.as_object()) {
    for (const bson::Element& option : *object)
      RESTITCH_CHECK(read_merge_option(option, compiler, input));
  } else if (element.value.type() == Type::kString) {
    RESTITCH_CHECK(read_into(element.value, compiler, input));
  } else {
    return mongo_error(51182, "$merge only supports a string or object argument, but found " +
                                  type_name(element.value));
  }
  if (!input.has_target) {
    return mongo_error(40414, "BSON field '$merge.into' is missing but a required field");
  }
  RESTITCH_CHECK(check_modes(input));
  if (input.spec.on.empty()) input.spec.on = {"_id"};
  std::vector<std::string> names;
  std::vector<ExpressionPtr> let;
  if (input.spec.when_matched == MergeSpec::WhenMatched::kPipeline) {
    // $$new is the incoming document unless it is named otherwise.
    const Document standard = bson::make_document("new", "$$ROOT");
    input.spec.let = Document(input.let.as_object().value_or(standard.view()));
    PipelineOptions options;
    options.use = PipelineUse::kUpdate;
    for (const bson::Element& variable : input.spec.let.view()) {
      RESTITCH_TRY(ExpressionPtr value, compiler.expression(variable.value));
      names.emplace_back(variable.name);
      let.push_back(std::move(value));
      RESTITCH_CHECK(options.scope.bind(variable.name));
    }
    RESTITCH_CHECK(Pipeline::compile(input.spec.pipeline, compiler.context, std::move(options)));
  }
  out.push_back(
      std::make_shared<MergeStage>(std::move(input.spec), std::move(names), std::move(let)));
  return {};
}

constexpr std::uint32_t kOutput = kLastOnly | kNotInFacet | kNotInSub;
constexpr StageDefinition kStages[] = {{"$out", make_out, kOutput},
                                       {"$merge", make_merge, kOutput}};

}  // namespace

StageTable output_stages() { return kStages; }

}  // namespace restitch::query
