#pragma once

#include <optional>
#include <string>
#include <vector>

#include "query/pipeline/stage.h"

namespace restitch::query {

// An equality in a leading {$match: {$expr: …}} between a field and something that depends on
// variables only. It narrows what is read from the collection, so that an index may serve it; the
// $match itself stays.
struct Probe {
  std::string field;
  ExpressionPtr value;
};

// The pipeline of $lookup with its variables.
class CorrelatedPipeline {
 public:
  // `let` is an object or missing.
  static Result<CorrelatedPipeline> compile(bson::ValueView stages, bson::ValueView let,
                                            const StageCompiler& compiler,
                                            std::string_view collection);

  // The values of all variables in scope for one outer document.
  Result<std::vector<bson::Value>> bind(bson::View document, RunContext& run) const;

  // Over documents that were found otherwise.
  Result<DocumentStreamPtr> run_over(DocumentStreamPtr input, const RunContext& run,
                                     std::vector<bson::Value> variables) const {
    return whole_.run(std::move(input), *run.environment, std::move(variables));
  }

  // What one run of the outer stage keeps from document to document.
  struct Cache {
    std::optional<std::vector<bson::Document>> prefix;
    bool is_too_large = false;
  };
  // Over the collection. The part that does not depend on the variables is evaluated once.
  Result<DocumentStreamPtr> run_over_collection(std::string_view database,
                                                std::string_view collection, const RunContext& run,
                                                std::vector<bson::Value> variables,
                                                Cache& cache) const;

 private:
  Result<DocumentStreamPtr> open(const Pipeline& pipeline, std::string_view database,
                                 std::string_view collection, const bson::Document& filter,
                                 const RunContext& run, std::vector<bson::Value> variables) const;
  Result<bson::Document> probe_filter(const RunContext& run,
                                      std::vector<bson::Value>& variables) const;
  Status fill(std::string_view database, std::string_view collection, const RunContext& run,
              const std::vector<bson::Value>& variables, Cache& cache) const;

  std::vector<ExpressionPtr> let_;
  std::size_t outer_variables_ = 0;
  Pipeline whole_;
  Pipeline uncorrelated_;  // the longest prefix without the variables; its leading filter is in
                           // `prefix_filter_`
  bson::Document prefix_filter_;
  Pipeline rest_;  // what follows the prefix
  bool has_prefix_ = false;
  std::vector<Probe> probes_;
};

}  // namespace restitch::query
