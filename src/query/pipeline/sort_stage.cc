#include "query/pipeline/sort_stage.h"

#include <algorithm>

#include "bson/extended_json.h"
#include "query/pipeline/spec_stage.h"

namespace restitch::query {
namespace {

using bson::Document;

struct Entry {
  std::string key;
  std::uint64_t sequence;  // equal keys keep their order
  Document document;

  bool operator<(const Entry& other) const {
    const int order = key.compare(other.key);
    return order != 0 ? order < 0 : sequence < other.sequence;
  }
};

class SortStream final : public FilledStream {
 public:
  SortStream(DocumentStreamPtr input, const SortPattern& pattern, std::optional<std::int64_t> limit,
             RunPtr run)
      : FilledStream(std::move(input), std::move(run)), pattern_(pattern), limit_(limit) {}

 private:
  Result<std::optional<Document>> take() override {
    if (at_ == entries_.size()) return std::optional<Document>();
    return std::optional(std::move(entries_[at_++].document));
  }

  Status fill(StreamReader& input) override {
    for (std::uint64_t sequence = 0;; ++sequence) {
      RESTITCH_TRY(auto document, input.next());
      if (!document) break;
      RESTITCH_TRY(std::string key, pattern_.key_of(*document));
      RESTITCH_CHECK(keep({std::move(key), sequence, std::move(*document)}));
    }
    std::sort(entries_.begin(), entries_.end());
    return {};
  }

  // With a limit the entries are a heap with the worst on top.
  Status keep(Entry entry) {
    const bool is_full = limit_ && entries_.size() == static_cast<std::uint64_t>(*limit_);
    if (is_full) {
      if (!(entry < entries_.front())) return {};
      std::pop_heap(entries_.begin(), entries_.end());
      hold(-size_of(entries_.back()));
      entries_.pop_back();
    }
    if (!hold(size_of(entry))) {
      return mongo_error(292,
                         "Sort exceeded memory limit of " + std::to_string(command().memory_limit) +
                             " bytes, but did not opt in to external sorting. Aborting operation. "
                             "Pass allowDiskUse:true to opt in.");
    }
    entries_.push_back(std::move(entry));
    if (limit_) std::push_heap(entries_.begin(), entries_.end());
    return {};
  }

  static std::int64_t size_of(const Entry& entry) {
    return static_cast<std::int64_t>(sizeof(Entry) + entry.key.size() +
                                     entry.document.bytes().size());
  }

  const SortPattern& pattern_;
  std::optional<std::int64_t> limit_;
  std::vector<Entry> entries_;
  std::size_t at_ = 0;
};

Status make_sort(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto spec = element.value.as_object();
  if (!spec) return mongo_error(15973, "the $sort key specification must be an object");
  if (spec->empty()) return mongo_error(15976, "$sort stage must have at least one sort key");
  RESTITCH_TRY(SortPattern pattern, SortPattern::compile(*spec, compiler.context));
  out.push_back(std::make_shared<SortStage>(Document(*spec), std::move(pattern), std::nullopt));
  return {};
}

// The groups of a value with their sizes, largest first.
Status make_sort_by_count(const bson::Element& element, const StageCompiler& compiler,
                          Stages& out) {
  const bson::ValueView spec = element.value;
  if (const auto object = spec.as_object()) {
    if (object->empty() || object->begin()->name.substr(0, 1) != "$") {
      return mongo_error(40147,
                         "the sortByCount field must be defined as a $-prefixed path or an "
                         "expression inside an object");
    }
  } else if (const auto text = spec.as_string()) {
    if (text->substr(0, 1) != "$") {
      return mongo_error(40148,
                         "the sortByCount field must be defined as a $-prefixed path or an "
                         "expression inside an object");
    }
  } else {
    return mongo_error(40149,
                       "the sortByCount field must be specified as a string or as an object");
  }
  bson::Builder group;
  group.append("_id", spec);
  group.open_object("count").append("$sum", std::int32_t{1}).close();
  RESTITCH_CHECK(append_stage("$group", bson::Value::of(std::move(group).finish()), compiler, out));
  return append_stage("$sort", bson::Value::of(bson::make_document("count", std::int32_t{-1})),
                      compiler, out);
}

constexpr StageDefinition kStages[] = {{"$sort", make_sort}, {"$sortByCount", make_sort_by_count}};

}  // namespace

Result<DocumentStreamPtr> SortStage::open(DocumentStreamPtr input, const RunPtr& run) const {
  return DocumentStreamPtr(std::make_unique<SortStream>(std::move(input), pattern_, limit_, run));
}

StageTable order_stages() { return kStages; }

}  // namespace restitch::query
