#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/field_path.h"
#include "query/path.h"
#include "query/pipeline/document_edit.h"
#include "query/pipeline/stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

struct UnwindSpec {
  std::vector<std::string> path;
  std::vector<std::string> index_path;  // empty: none
  bool preserves = false;
};

class UnwindStream final : public DocumentStream {
 public:
  UnwindStream(DocumentStreamPtr input, const UnwindSpec& spec, RunPtr run)
      : input_(std::move(input)), spec_(spec), run_(std::move(run)) {}

  Result<std::optional<Document>> next() override {
    StreamReader reader(*input_, run_->command);
    while (true) {
      if (at_ != end_) {
        Document out = with_path(document_, spec_.path, at_->value);
        ++at_;
        return std::optional(with_index(std::move(out), Value::of(index_++)));
      }
      RESTITCH_TRY(auto document, reader.next());
      if (!document) return document;
      const ValueView value = object_path(*document, spec_.path);
      if (value.type() == Type::kArray && !value.get_document().empty()) {
        document_ = std::move(*document);
        const bson::View array = object_path(document_, spec_.path).get_document();
        at_ = array.begin();
        end_ = array.end();
        index_ = 0;
        continue;
      }
      const bool is_empty = value.type() == Type::kArray;
      if (is_empty || value.is_nullish()) {
        if (!spec_.preserves) continue;
        // An empty array leaves no field behind; null stays.
        if (is_empty) document = with_path(*document, spec_.path, {});
      }
      return std::optional(with_index(std::move(*document), Value::null()));
    }
  }

 private:
  Document with_index(Document document, const Value& index) const {
    if (spec_.index_path.empty()) return document;
    return with_path(document, spec_.index_path, index);
  }

  DocumentStreamPtr input_;
  const UnwindSpec& spec_;
  RunPtr run_;
  Document document_;  // whose array is being unwound
  bson::View::Iterator at_;
  bson::View::Iterator end_;
  std::int64_t index_ = 0;
};

class UnwindStage final : public Stage {
 public:
  explicit UnwindStage(UnwindSpec spec) : spec_(std::move(spec)) {}
  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override {
    return DocumentStreamPtr(std::make_unique<UnwindStream>(std::move(input), spec_, run));
  }
  bool lets_filter_pass(const std::set<std::string>& fields) const override {
    if (fields.contains(spec_.path.front())) return false;
    return spec_.index_path.empty() || !fields.contains(spec_.index_path.front());
  }

 private:
  UnwindSpec spec_;
};

Status read_path(ValueView value, UnwindSpec& spec) {
  const auto path = value.as_string();
  if (!path) {
    return mongo_error(28808,
                       "expected a string as the path for $unwind stage, got " + type_name(value));
  }
  if (path->substr(0, 1) != "$") {
    return mongo_error(
        28818, "path option to $unwind stage should be prefixed with a '$': " + std::string(*path));
  }
  RESTITCH_CHECK(check_field_path(path->substr(1)));
  spec.path = split_path(path->substr(1));
  return {};
}

Status read_option(const bson::Element& option, UnwindSpec& spec) {
  if (option.name == "path") return read_path(option.value, spec);
  if (option.name == "preserveNullAndEmptyArrays") {
    const auto flag = option.value.as_bool();
    if (!flag) {
      return mongo_error(28809,
                         "expected a boolean for the preserveNullAndEmptyArrays option to $unwind "
                         "stage, got " +
                             type_name(option.value));
    }
    spec.preserves = *flag;
    return {};
  }
  if (option.name != "includeArrayIndex") {
    return mongo_error(28811, "unrecognized option to $unwind stage: " + std::string(option.name));
  }
  const auto field = option.value.as_string();
  if (!field || field->empty()) {
    return mongo_error(28810,
                       "expected a non-empty string for the includeArrayIndex  option to $unwind "
                       "stage, got " +
                           type_name(option.value));
  }
  if (field->front() == '$') {
    return mongo_error(
        28822, "includeArrayIndex option to $unwind stage should not be prefixed with a '$': " +
                   std::string(*field));
  }
  RESTITCH_CHECK(check_field_path(*field));
  spec.index_path = split_path(*field);
  return {};
}

Status make_unwind(const bson::Element& element, const StageCompiler&, Stages& out) {
  UnwindSpec spec;
  if (element.value.type() == Type::kString) {
    RESTITCH_CHECK(read_path(element.value, spec));
  } else if (const auto object = element.value.as_object()) {
    for (const bson::Element& option : *object) RESTITCH_CHECK(read_option(option, spec));
    if (spec.path.empty()) return mongo_error(28812, "no path specified to $unwind stage");
  } else {
    return mongo_error(15981,
                       "expected either a string or an object as specification for $unwind stage, "
                       "got " +
                           type_name(element.value));
  }
  out.push_back(std::make_shared<UnwindStage>(std::move(spec)));
  return {};
}

constexpr StageDefinition kStages[] = {{"$unwind", make_unwind}};

}  // namespace

StageTable unwind_stages() { return kStages; }

}  // namespace restitch::query
