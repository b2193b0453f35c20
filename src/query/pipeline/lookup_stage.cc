#include <algorithm>

#include "bson/extended_json.h"
#include "query/element_text.h"
#include "query/expression/numbers.h"
#include "query/field_path.h"
#include "query/path.h"
#include "query/pipeline/document_edit.h"
#include "query/pipeline/join.h"
#include "query/pipeline/sub_pipeline.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

struct LookupSpec {
  std::string database;
  std::string collection;
  std::vector<std::string> as;
  std::vector<std::string> local;  // empty: no equality
  std::string foreign_text;
  std::vector<std::string> foreign;
  std::optional<CorrelatedPipeline> pipeline;

  bool has_equality() const { return !local.empty(); }
};

// The growing `as` array of one outer document.
class MatchList {
 public:
  Status add(bson::View document) {
    builder_.push(document);
    if (builder_.size() > bson::kMaxInternalDocumentBytes) {
      return mongo_error(
          4568,
          "Total size of documents in from matching pipeline's $lookup stage exceeds "
          "maximum document size");
    }
    return {};
  }
  Value finish() && { return Value::array(std::move(builder_).finish()); }

 private:
  bson::Builder builder_;
};

Status read_all(DocumentStream& stream, const CommandContext& context, MatchList& out) {
  StreamReader reader(stream, context);
  while (true) {
    RESTITCH_TRY(const auto document, reader.next());
    if (!document) return {};
    RESTITCH_CHECK(out.add(*document));
  }
}

// Joins one document after the other through the sub-pipeline.
class PipelineLookupStream final : public DocumentStream {
 public:
  PipelineLookupStream(DocumentStreamPtr input, const LookupSpec& spec, RunPtr run)
      : input_(std::move(input)), spec_(spec), run_(std::move(run)) {}

  Result<std::optional<Document>> next() override {
    RESTITCH_TRY(auto document, input_->next());
    if (!document) return document;
    RESTITCH_TRY(auto variables, spec_.pipeline->bind(*document, *run_));
    RESTITCH_TRY(const DocumentStreamPtr found,
                 spec_.pipeline->run_over_collection(spec_.database, spec_.collection, *run_,
                                                     std::move(variables), cache_));
    MatchList matches;
    RESTITCH_CHECK(read_all(*found, run_->command, matches));
    return std::optional(with_path(*document, spec_.as, std::move(matches).finish()));
  }

 private:
  DocumentStreamPtr input_;
  const LookupSpec& spec_;
  RunPtr run_;
  CorrelatedPipeline::Cache cache_;
};

// Joins by equality: the keys of a batch of documents go into one query, whose results are handed
// out through a hash table. Batches grow, so that a small limit behind the stage stays cheap.
class EqualityLookupStream final : public DocumentStream {
 public:
  EqualityLookupStream(DocumentStreamPtr input, const LookupSpec& spec, RunPtr run)
      : input_(std::move(input)), spec_(spec), run_(std::move(run)) {}

  Result<std::optional<Document>> next() override {
    if (at_ == batch_.size()) {
      RESTITCH_CHECK(read_batch());
      RESTITCH_CHECK(join());
    }
    if (at_ == batch_.size()) return std::optional<Document>();
    Outer& outer = batch_[at_++];
    RESTITCH_TRY(const Value matches, finish(outer));
    return std::optional(with_path(outer.document, spec_.as, matches));
  }

 private:
  struct Outer {
    Document document;
    MatchList matches;                 // without a pipeline
    std::vector<Document> candidates;  // with one
  };

  Status read_batch() {
    constexpr std::size_t kMostDocuments = 512;
    constexpr std::size_t kMostBytes = 16U << 20U;
    batch_.clear();
    at_ = 0;
    std::size_t bytes = 0;
    StreamReader reader(*input_, run_->command);
    while (!is_at_end_ && batch_.size() < batch_size_ && bytes < kMostBytes) {
      RESTITCH_TRY(auto document, reader.next());
      if (!document) {
        is_at_end_ = true;
        break;
      }
      bytes += document->bytes().size();
      batch_.push_back({std::move(*document), {}, {}});
    }
    batch_size_ = std::min(batch_size_ * 4, kMostDocuments);
    return {};
  }

  Status join() {
    if (batch_.empty()) return {};
    auto keys = make_value_container<ValueMap<std::vector<std::size_t>>>(run_->command.comparator);
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      std::vector<Value> values;
      collect_local_values(object_value(batch_[i].document), spec_.local, values);
      for (Value& value : values) {
        std::vector<std::size_t>& takers = keys[std::move(value)];
        if (takers.empty() || takers.back() != i) takers.push_back(i);
      }
    }
    if (keys.empty()) return {};
    std::vector<const Value*> list;
    list.reserve(keys.size());
    for (const auto& entry : keys) list.push_back(&entry.first);
    const Comparator& comparator = run_->command.comparator;
    std::sort(list.begin(), list.end(),
              [&](const Value* a, const Value* b) { return comparator.compare(*a, *b) < 0; });
    const Document query = equality_query(spec_.foreign_text, list, Document());
    RESTITCH_TRY(const DocumentStreamPtr foreign,
                 run_->environment->open(spec_.database, spec_.collection, query));
    StreamReader reader(*foreign, run_->command);
    while (true) {
      RESTITCH_TRY(const auto document, reader.next());
      if (!document) return {};
      RESTITCH_CHECK(hand_out(*document, keys));
    }
  }

  Status hand_out(const Document& document, const ValueMap<std::vector<std::size_t>>& keys) {
    values_.clear();
    collect_foreign_values(object_value(document), spec_.foreign, values_);
    takers_.clear();
    for (const ValueView& value : values_) {
      const auto found = keys.find(value);
      if (found != keys.end())
        takers_.insert(takers_.end(), found->second.begin(), found->second.end());
    }
    std::sort(takers_.begin(), takers_.end());
    takers_.erase(std::unique(takers_.begin(), takers_.end()), takers_.end());
    for (const std::size_t taker : takers_) {
      if (spec_.pipeline) {
        batch_[taker].candidates.push_back(document);
      } else {
        RESTITCH_CHECK(batch_[taker].matches.add(document));
      }
    }
    return {};
  }

  Result<Value> finish(Outer& outer) {
    if (!spec_.pipeline) return std::move(outer.matches).finish();
    RESTITCH_TRY(auto variables, spec_.pipeline->bind(outer.document, *run_));
    RESTITCH_TRY(
        const DocumentStreamPtr found,
        spec_.pipeline->run_over(std::make_unique<VectorStream>(std::move(outer.candidates)), *run_,
                                 std::move(variables)));
    MatchList matches;
    RESTITCH_CHECK(read_all(*found, run_->command, matches));
    return std::move(matches).finish();
  }

  DocumentStreamPtr input_;
  const LookupSpec& spec_;
  RunPtr run_;
  std::vector<Outer> batch_;
  std::size_t at_ = 0;
  std::size_t batch_size_ = 1;
  bool is_at_end_ = false;
  std::vector<ValueView> values_;
  std::vector<std::size_t> takers_;
};

class LookupStage final : public Stage {
 public:
  explicit LookupStage(LookupSpec spec) : spec_(std::move(spec)) {}

  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override {
    if (spec_.has_equality()) {
      return DocumentStreamPtr(
          std::make_unique<EqualityLookupStream>(std::move(input), spec_, run));
    }
    return DocumentStreamPtr(std::make_unique<PipelineLookupStream>(std::move(input), spec_, run));
  }
  bool lets_filter_pass(const std::set<std::string>& fields) const override {
    return !fields.contains(spec_.as.front());
  }

 private:
  LookupSpec spec_;
};

Status read_from(ValueView value, const StageCompiler& compiler, LookupSpec& spec) {
  spec.database = compiler.options.database;
  if (const auto name = value.as_string()) {
    spec.collection = *name;
    return {};
  }
  const auto object = value.as_object();
  const auto database = object ? object->find("db").as_string() : std::nullopt;
  const auto collection = object ? object->find("coll").as_string() : std::nullopt;
  if (!database || !collection) {
    return mongo_error(9, "$lookup argument '" + element_text("from", value) +
                              "' must be a string, is type " + type_name(value));
  }
  spec.database = *database;
  spec.collection = *collection;
  return {};
}

Result<std::string_view> read_field(const bson::Element& option) {
  const auto text = option.value.as_string();
  if (!text) {
    return mongo_error(9, "$lookup argument '" + element_text(option) +
                              "' must be a string, is type " + type_name(option.value));
  }
  RESTITCH_CHECK(check_field_path(*text));
  return *text;
}

// The parts that need more than one option.
Status finish_spec(ValueView pipeline, ValueView let, bool has_from, const bson::View& given,
                   const StageCompiler& compiler, LookupSpec& spec) {
  if (!has_from) {
    const auto stages = pipeline.as_array();
    const bool brings_documents =
        stages && !stages->empty() &&
        stages->begin()->value.as_object().value_or(bson::View()).contains("$documents");
    if (!brings_documents) {
      return mongo_error(
          9, "missing 'from' option to $lookup stage specification: " + bson::to_shell(given));
    }
  }
  if (spec.as.empty()) {
    return mongo_error(9, "must specify 'as' field for a $lookup");
  }
  if (pipeline.is_missing() && (spec.local.empty() || spec.foreign.empty())) {
    return mongo_error(
        9,
        "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be "
        "specified");
  }
  if (spec.local.empty() != spec.foreign.empty()) {
    return mongo_error(
        9, "$lookup requires both or neither of 'localField' and 'foreignField' to be specified");
  }
  if (pipeline.is_missing()) {
    if (!let.is_missing()) {
      return mongo_error(9, "$lookup with a 'let' argument must also specify 'pipeline'");
    }
    return {};
  }
  RESTITCH_TRY(spec.pipeline,
               CorrelatedPipeline::compile(pipeline, let, compiler, spec.collection));
  return {};
}

Status make_lookup(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto object = element.value.as_object();
  if (!object) {
    return mongo_error(
        9, "the $lookup specification must be an Object, but found " + type_name(element.value));
  }
  LookupSpec spec;
  ValueView pipeline;
  ValueView let;
  bool has_from = false;
  for (const bson::Element& option : *object) {
    if (option.name == "from") {
      RESTITCH_CHECK(read_from(option.value, compiler, spec));
      has_from = true;
    } else if (option.name == "pipeline") {
      if (option.value.type() != Type::kArray) {
        return mongo_error(14, "A pipeline must be an array of objects");
      }
      pipeline = option.value;
    } else if (option.name == "let") {
      if (option.value.type() != Type::kObject) {
        return mongo_error(9, "$lookup argument '" + element_text(option) +
                                  "' must be an object, is type " + type_name(option.value));
      }
      let = option.value;
    } else if (option.name == "as" || option.name == "localField" ||
               option.name == "foreignField") {
      RESTITCH_TRY(const std::string_view text, read_field(option));
      auto& path = option.name == "as"           ? spec.as
                   : option.name == "localField" ? spec.local
                                                 : spec.foreign;
      path = split_path(text);
      if (option.name == "foreignField") spec.foreign_text = text;
    } else {
      return mongo_error(9, "unknown argument to $lookup: " + std::string(option.name));
    }
  }
  RESTITCH_CHECK(finish_spec(pipeline, let, has_from, *object, compiler, spec));
  out.push_back(std::make_shared<LookupStage>(std::move(spec)));
  return {};
}

constexpr StageDefinition kStages[] = {{"$lookup", make_lookup}};

}  // namespace

StageTable lookup_stages() { return kStages; }

}  // namespace restitch::query
