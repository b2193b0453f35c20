// The query language on documents in memory.

#include <stdexcept>
#include <vector>

#include "bench/macro/documents.h"
#include "bench/macro/engine_store.h"
#include "query/filter/filter.h"
#include "query/pipeline/pipeline.h"

namespace restitch::bench {
namespace {

using bson::Builder;
using bson::Document;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kDocuments = 10'000;

// Gives copies of documents, as a scan does.
class CopiesStream final : public query::DocumentStream {
 public:
  explicit CopiesStream(const std::vector<Document>& documents) : documents_(documents) {}
  Result<std::optional<Document>> next() override {
    if (at_ == documents_.size()) return std::optional<Document>();
    return std::optional(documents_[at_++]);
  }

 private:
  const std::vector<Document>& documents_;
  std::size_t at_ = 0;
};

// What a pipeline of stages over one collection never asks for.
class NoEnvironment final : public query::PipelineEnvironment {
 public:
  Result<query::DocumentStreamPtr> open(std::string_view, std::string_view, bson::View) override {
    return unused();
  }
  Status out(std::string_view, std::string_view, query::DocumentStream&) override {
    return unused();
  }
  Status merge(const query::MergeSpec&, bson::View, bson::View) override { return unused(); }
  Result<std::vector<Document>> statistics(std::string_view, bson::View) override {
    return unused();
  }

 private:
  static Error unused() { return Error(ErrorCode::kInternal, "not part of the benchmark"); }
};

template <typename T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(*result);
}

std::size_t match_all(const query::Filter& filter, const std::vector<Document>& documents) {
  std::size_t found = 0;
  for (const Document& document : documents) found += value_of(filter.matches(document)) ? 1 : 0;
  return found;
}

Document filter_spec() {
  Builder builder;
  builder.open_object("amount").append("$gte", std::int32_t{100}).append("$lt", std::int32_t{9000});
  builder.close();
  builder.open_object("category").open_array("$in");
  for (const char* name : {"category-03", "category-07", "category-11", "category-39"}) {
    builder.push(name);
  }
  builder.close().close();
  builder.append("rating", std::int32_t{4});
  return std::move(builder).finish();
}

Document pipeline_spec() {
  Builder builder;
  builder.push_object().open_object("$match").open_object("rating");
  builder.append("$gte", std::int32_t{2}).close().close().close();
  builder.push_object().open_object("$group").append("_id", "$category");
  builder.open_object("total").append("$sum", "$amount").close();
  builder.open_object("most").append("$max", "$amount").close();
  builder.open_object("count").append("$sum", std::int32_t{1}).close().close().close();
  builder.push_object().open_object("$sort").append("total", std::int32_t{-1}).close().close();
  return std::move(builder).finish();
}

std::size_t group_all(const query::Pipeline& pipeline, const std::vector<Document>& documents) {
  NoEnvironment environment;
  auto stream = value_of(pipeline.run(std::make_unique<CopiesStream>(documents), environment));
  std::size_t groups = 0;
  while (value_of(stream->next())) ++groups;
  return groups;
}

std::vector<Document> make_documents() {
  std::vector<Document> documents;
  for (std::size_t number = 0; number < kDocuments; ++number) {
    documents.push_back(item(item_id(number), number, static_cast<std::int32_t>(number)));
  }
  return documents;
}

template <typename Operation>
Outcome repeat(std::chrono::nanoseconds duration, const Operation& operation) {
  Outcome outcome;
  const Clock::time_point begin = Clock::now();
  for (Clock::time_point start = begin; start < begin + duration; start = Clock::now()) {
    if (operation() == 0) throw std::runtime_error("the query found nothing");
    outcome.latencies.record(Clock::now() - start);
    outcome.documents += kDocuments;
  }
  outcome.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return outcome;
}

}  // namespace

Outcome run_query(const Workload& workload) {
  const std::vector<Document> documents = make_documents();
  const query::CommandContext context;
  if (workload.name == "match") {
    const auto filter = value_of(query::Filter::compile(filter_spec(), context));
    return repeat(workload.duration, [&] { return match_all(filter, documents); });
  }
  const auto pipeline = value_of(query::Pipeline::compile(pipeline_spec(), context, {}));
  return repeat(workload.duration, [&] { return group_all(pipeline, documents); });
}

}  // namespace restitch::bench
