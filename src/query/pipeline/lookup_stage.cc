#include <algorithm>
#include <deque>

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
    StreamReader reader(*input_, run_->command);
    RESTITCH_TRY(auto document, reader.next());
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

// The documents of a stream that have one of some values at a path.
class KeyStream final : public DocumentStream {
 public:
  KeyStream(DocumentStreamPtr input, const std::vector<std::string>& path, OwnedValueSet keys,
            const CommandContext& context)
      : input_(std::move(input)), path_(path), keys_(std::move(keys)), context_(context) {}

  Result<std::optional<Document>> next() override {
    StreamReader reader(*input_, context_);
    while (true) {
      RESTITCH_TRY(auto document, reader.next());
      if (!document) return document;
      values_.clear();
      collect_foreign_values(object_value(*document), path_, values_);
      for (const ValueView& value : values_) {
        if (keys_.find(value) != keys_.end()) return document;
      }
    }
  }

 private:
  DocumentStreamPtr input_;
  const std::vector<std::string>& path_;
  OwnedValueSet keys_;
  const CommandContext& context_;
  std::vector<ValueView> values_;
};

// Joins by equality: the keys of a batch of documents go into one query, whose results are handed
// out through a hash table. Batches grow, so that a small limit behind the stage stays cheap, and
// are halved when what they find is large; what a single document finds is not kept at all.
class EqualityLookupStream final : public DocumentStream {
 public:
  EqualityLookupStream(DocumentStreamPtr input, const LookupSpec& spec, RunPtr run)
      : input_(std::move(input)), spec_(spec), run_(std::move(run)) {}

  Result<std::optional<Document>> next() override {
    if (outer_.empty()) RESTITCH_CHECK(read_outer());
    if (outer_.empty()) return std::optional<Document>();
    if (joined_ == 0) RESTITCH_CHECK(join());
    Outer outer = std::move(outer_.front());
    outer_.pop_front();
    --joined_;
    RESTITCH_TRY(const Value matches, matches_of(outer));
    return std::optional(with_path(outer.document, spec_.as, matches));
  }

 private:
  struct Outer {
    Document document;
    std::vector<Value> keys;
    std::vector<std::uint32_t> found = {};  // positions in `foreign_`
    bool is_joined = false;
  };
  using Takers = ValueMap<std::vector<std::size_t>>;

  Status read_outer() {
    constexpr std::size_t kMostDocuments = 512;
    constexpr std::size_t kMostBytes = 16U << 20U;
    std::size_t bytes = 0;
    StreamReader reader(*input_, run_->command);
    while (!is_at_end_ && outer_.size() < batch_size_ && bytes < kMostBytes) {
      RESTITCH_TRY(auto document, reader.next());
      if (!document) {
        is_at_end_ = true;
        break;
      }
      Outer outer{std::move(*document), {}};
      collect_local_values(object_value(outer.document), spec_.local, outer.keys);
      bytes += 2 * outer.document.bytes().size();
      outer_.push_back(std::move(outer));
    }
    batch_size_ = std::min(batch_size_ * 4, kMostDocuments);
    return {};
  }

  // Finds the matches of as many of the documents as memory allows, at least of the first.
  Status join() {
    foreign_.clear();
    for (std::size_t count = std::min(outer_.size(), join_size_); count > 1; count /= 2) {
      RESTITCH_TRY(const bool is_done, join_first(count));
      if (is_done) {
        joined_ = count;
        join_size_ = std::max(join_size_, 2 * count);
        return {};
      }
      join_size_ = count;
    }
    joined_ = 1;
    return {};
  }

  Result<bool> join_first(std::size_t count) {
    constexpr std::size_t kMostBytes = 16U << 20U;
    auto takers = make_value_container<Takers>(run_->command.comparator);
    for (std::size_t i = 0; i < count; ++i) {
      outer_[i].found.clear();
      for (const Value& key : outer_[i].keys) {
        std::vector<std::size_t>& list = takers[key];
        if (list.empty() || list.back() != i) list.push_back(i);
      }
    }
    std::vector<const Value*> keys;
    keys.reserve(takers.size());
    for (const auto& entry : takers) keys.push_back(&entry.first);
    std::size_t bytes = 0;
    if (!keys.empty()) {
      RESTITCH_TRY(const DocumentStreamPtr stream, open(keys));
      StreamReader reader(*stream, run_->command);
      while (true) {
        RESTITCH_TRY(auto document, reader.next());
        if (!document) break;
        bytes += document->bytes().size() + sizeof(Document);
        bytes += hand_out(*document, takers) * sizeof(std::uint32_t);
        if (bytes > kMostBytes) {
          foreign_.clear();
          return false;
        }
        foreign_.push_back(std::move(*document));
      }
    }
    for (std::size_t i = 0; i < count; ++i) outer_[i].is_joined = true;
    return true;
  }

  // The foreign documents that have one of the keys, and perhaps some others.
  Result<DocumentStreamPtr> open(std::vector<const Value*>& keys) const {
    const Comparator& comparator = run_->command.comparator;
    std::sort(keys.begin(), keys.end(),
              [&](const Value* a, const Value* b) { return comparator.compare(*a, *b) < 0; });
    const Document query = equality_query(spec_.foreign_text, keys, Document());
    return run_->environment->open(spec_.database, spec_.collection, query);
  }

  // Tells those who want the next document of `foreign_`; returns their number.
  std::size_t hand_out(const Document& document, const Takers& takers) {
    values_.clear();
    collect_foreign_values(object_value(document), spec_.foreign, values_);
    places_.clear();
    for (const ValueView& value : values_) {
      const auto found = takers.find(value);
      if (found != takers.end()) {
        places_.insert(places_.end(), found->second.begin(), found->second.end());
      }
    }
    std::sort(places_.begin(), places_.end());
    places_.erase(std::unique(places_.begin(), places_.end()), places_.end());
    for (const std::size_t place : places_) {
      outer_[place].found.push_back(static_cast<std::uint32_t>(foreign_.size()));
    }
    return places_.size();
  }

  Result<Value> matches_of(Outer& outer) {
    MatchList matches;
    if (outer.is_joined && !spec_.pipeline) {
      for (const std::uint32_t position : outer.found) {
        RESTITCH_CHECK(matches.add(foreign_[position]));
      }
      return std::move(matches).finish();
    }
    RESTITCH_TRY(DocumentStreamPtr stream, stream_of(outer));
    if (spec_.pipeline) {
      RESTITCH_TRY(auto variables, spec_.pipeline->bind(outer.document, *run_));
      RESTITCH_TRY(stream,
                   spec_.pipeline->run_over(std::move(stream), *run_, std::move(variables)));
    }
    RESTITCH_CHECK(read_all(*stream, run_->command, matches));
    return std::move(matches).finish();
  }

  Result<DocumentStreamPtr> stream_of(const Outer& outer) const {
    if (outer.is_joined) {
      std::vector<Document> documents;
      documents.reserve(outer.found.size());
      for (const std::uint32_t position : outer.found) documents.push_back(foreign_[position]);
      return DocumentStreamPtr(std::make_unique<VectorStream>(std::move(documents)));
    }
    if (outer.keys.empty()) return empty_stream();
    auto keys = make_value_container<OwnedValueSet>(run_->command.comparator);
    keys.insert(outer.keys.begin(), outer.keys.end());
    std::vector<const Value*> list;
    for (const Value& key : keys) list.push_back(&key);
    RESTITCH_TRY(DocumentStreamPtr stream, open(list));
    return DocumentStreamPtr(std::make_unique<KeyStream>(std::move(stream), spec_.foreign,
                                                         std::move(keys), run_->command));
  }

  DocumentStreamPtr input_;
  const LookupSpec& spec_;
  RunPtr run_;
  std::deque<Outer> outer_;  // not yet handed out
  std::size_t joined_ = 0;   // so many of them are ready
  std::vector<Document> foreign_;
  std::size_t batch_size_ = 1;
  std::size_t join_size_ = 512;
  bool is_at_end_ = false;
  std::vector<ValueView> values_;
  std::vector<std::size_t> places_;
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
