#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"
#include "query/expression/expression.h"
#include "query/filter/filter.h"
#include "query/sort.h"

namespace restitch::query {

// Text of error 31082: of the search stages and the commands for search indexes.
inline constexpr std::string_view kSearchNotEnabled =
    "Using Atlas Search Database Commands and the $listSearchIndexes aggregation stage requires "
    "additional "
    "configuration. Please connect to Atlas or an AtlasCLI local deployment to enable.";

// A pull stream of documents. Both kinds of `next` give nothing at the end; after an error the
// stream is dead.
class DocumentStream {
 public:
  virtual ~DocumentStream() = default;
  virtual Result<std::optional<bson::Document>> next() = 0;
  // For who only looks at the document, which is valid until the next call: a source that has it
  // lying somewhere need not copy it.
  virtual Result<std::optional<bson::View>> next_view() {
    RESTITCH_TRY(viewed_, next());
    return viewed_ ? std::optional(viewed_->view()) : std::nullopt;
  }

 private:
  std::optional<bson::Document> viewed_;
};
using DocumentStreamPtr = std::unique_ptr<DocumentStream>;

struct MergeSpec {  // $merge, validated
  std::string database, collection;
  std::vector<std::string> on;
  enum class WhenMatched : std::uint8_t {
    kMerge,
    kReplace,
    kKeepExisting,
    kFail,
    kPipeline
  } when_matched;
  enum class WhenNotMatched : std::uint8_t { kInsert, kDiscard, kFail } when_not_matched;
  bson::Document pipeline;  // array, for kPipeline
  bson::Document let;       // values already evaluated per document are passed to merge()
};

// What stages need from the engine that runs the pipeline. All calls are made from the thread that
// pulls.
class PipelineEnvironment {
 public:
  virtual ~PipelineEnvironment() = default;
  // Documents of a collection that match `filter` (an empty stream if there is no such collection;
  // a view is resolved). Used by $lookup, $graphLookup, $unionWith.
  virtual Result<DocumentStreamPtr> open(std::string_view database, std::string_view collection,
                                         bson::View filter) = 0;
  // $out: replaces the collection's contents atomically with what was written between begin and
  // commit.
  virtual Status out(std::string_view database, std::string_view collection,
                     DocumentStream& input) = 0;
  // $merge for one batch of documents with their evaluated `let` values.
  virtual Status merge(const MergeSpec& spec, bson::View document, bson::View let_values) = 0;
  // $collStats, $indexStats, $currentOp: one-off sources; error 40324-like if the engine has none.
  virtual Result<std::vector<bson::Document>> statistics(std::string_view stage,
                                                         bson::View spec) = 0;
};

enum class PipelineUse : std::uint8_t {
  kAggregate,  // command
  kSub,        // inside $lookup, $facet, $unionWith
  kUpdate,  // pipeline-style update: $set, $unset, $project, $replaceWith and their synonyms only
  kChangeStream,  // behind $changeStream: the stages of mongodb-engine §12
};

struct PipelineOptions {
  PipelineUse use = PipelineUse::kAggregate;
  std::string database;    // names in $lookup etc. refer to it
  std::string collection;  // "" for aggregate: 1
  VariableScope scope;     // variables visible from outside (a sub-pipeline's `let`)
  int depth = 0;           // of sub-pipelines around this one
};

class Stage;

// A compiled pipeline (spec: mongodb-engine §9). Immutable, thread-safe.
class Pipeline {
 public:
  Pipeline() = default;
  // `stages` is the array. `context` must outlive the pipeline.
  static Result<Pipeline> compile(bson::View stages, const CommandContext& context,
                                  PipelineOptions options);

  // 40324 for a stage that no pipeline knows; nothing else is checked.
  static Status check_stage_names(bson::View stages);

  // The same in two parts as well: `head` is the longest leading part whose output depends neither
  // on the variables in slots from `first_variable` on nor on chance, `rest` is what follows.
  struct Parts;
  static Result<Parts> compile_parts(bson::View stages, const CommandContext& context,
                                     PipelineOptions options, std::size_t first_variable);

  // Runs over `input` (ignored by pipelines that start with $documents or a statistics stage).
  // `variables` are the values of options.scope; kept by value.
  Result<DocumentStreamPtr> run(DocumentStreamPtr input, PipelineEnvironment& environment,
                                std::vector<bson::Value> variables = {}) const;

  // Single document through a pipeline of per-document stages (kUpdate).
  Result<bson::Document> transform(bson::View document) const;

  // The same for a pipeline whose stages may also drop the document (kChangeStream).
  Result<std::optional<bson::Document>> apply(bson::Document document) const;

  // What an engine may serve from its indexes instead of a whole scan. The stages concerned are
  // removed from the pipeline and must be honoured by the input that is passed to run().
  struct Pushdown {
    bson::Document filter;                    // {} if none
    bson::Document sort;                      // {} if none
    std::optional<std::int64_t> skip, limit;  // in the order: sort, skip, limit
    bool count_only =
        false;  // nothing of the documents is read (a leading $count / $group with constants)
  };
  Pushdown take_pushdown();
  // Only the filter of leading $match stages, for a source that knows nothing else.
  bson::Document take_filter();

  bool starts_with_source() const;  // $documents, $collStats, …: no collection is scanned
  bool is_deterministic()
      const;            // neither $sample nor a writing stage; the same input gives the same output
  bool writes() const;  // ends in $out or $merge
  bool empty() const { return stages_.empty(); }

 private:
  Pipeline(std::vector<std::shared_ptr<const Stage>> stages, const CommandContext& context);

  std::vector<std::shared_ptr<const Stage>> stages_;
  const CommandContext* context_ = nullptr;
};

struct Pipeline::Parts {
  Pipeline whole, head, rest;
  std::size_t head_stages = 0;
};

}  // namespace restitch::query
