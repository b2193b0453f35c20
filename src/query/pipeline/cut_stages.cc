#include "query/pipeline/cut_stages.h"

#include <algorithm>
#include <random>

#include "bson/extended_json.h"
#include "query/element_text.h"
#include "query/expression/numbers.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Value;
using bson::ValueView;

class LimitStream final : public DocumentStream {
 public:
  LimitStream(DocumentStreamPtr input, std::int64_t limit)
      : input_(std::move(input)), left_(limit) {}
  Result<std::optional<Document>> next() override {
    if (left_ == 0) return std::optional<Document>();
    // The source is let go with the last document.
    if (--left_ > 0) return input_->next();
    auto last = input_->next();
    input_.reset();
    return last;
  }

 private:
  DocumentStreamPtr input_;
  std::int64_t left_;
};

class SkipStream final : public DocumentStream {
 public:
  SkipStream(DocumentStreamPtr input, std::int64_t skip, RunPtr run)
      : input_(std::move(input)), left_(skip), run_(std::move(run)) {}
  Result<std::optional<Document>> next() override {
    StreamReader reader(*input_, run_->command);
    for (; left_ > 0; --left_) {
      RESTITCH_TRY(const auto skipped, reader.next());
      if (!skipped) {
        left_ = 0;
        return std::optional<Document>();
      }
    }
    return input_->next();
  }

 private:
  DocumentStreamPtr input_;
  std::int64_t left_;
  RunPtr run_;
};

class CountStream final : public DocumentStream {
 public:
  CountStream(DocumentStreamPtr input, std::string field, RunPtr run)
      : input_(std::move(input)), field_(std::move(field)), run_(std::move(run)) {}
  Result<std::optional<Document>> next() override {
    if (!input_) return std::optional<Document>();
    StreamReader reader(*input_, run_->command);
    std::int64_t count = 0;
    while (true) {
      RESTITCH_TRY(const auto document, reader.next());
      if (!document) break;
      ++count;
    }
    input_.reset();
    if (count == 0) return std::optional<Document>();
    return std::optional(bson::make_document(field_, make_integer(count, true)));
  }

 private:
  DocumentStreamPtr input_;
  std::string field_;
  RunPtr run_;
};

class CountStage final : public Stage {
 public:
  explicit CountStage(std::string field) : field_(std::move(field)) {}
  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override {
    return DocumentStreamPtr(std::make_unique<CountStream>(std::move(input), field_, run));
  }
  StageKind kind() const override { return StageKind::kCount; }
  bool ignores_contents() const override { return true; }

 private:
  std::string field_;
};

// A uniform choice without replacement (reservoir), in random order.
class SampleStage final : public Stage {
 public:
  explicit SampleStage(std::int64_t size) : size_(size) {}

  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override {
    std::mt19937_64 random{std::random_device{}()};
    std::vector<Document> chosen;
    StreamReader reader(*input, run->command);
    std::int64_t memory = 0;
    for (std::uint64_t seen = 0;; ++seen) {
      RESTITCH_TRY(auto document, reader.next());
      if (!document) break;
      if (chosen.size() < static_cast<std::uint64_t>(size_)) {
        memory += static_cast<std::int64_t>(document->bytes().size());
        if (memory > run->command.memory_limit) {
          return mongo_error(292, "Sort exceeded memory limit of " +
                                      std::to_string(run->command.memory_limit) +
                                      " bytes, but did not opt in to external sorting.");
        }
        chosen.push_back(std::move(*document));
        continue;
      }
      const std::uint64_t at = std::uniform_int_distribution<std::uint64_t>(0, seen)(random);
      if (at < chosen.size()) chosen[at] = std::move(*document);
    }
    std::shuffle(chosen.begin(), chosen.end(), random);
    return DocumentStreamPtr(std::make_unique<VectorStream>(std::move(chosen)));
  }
  bool is_deterministic() const override { return false; }

 private:
  std::int64_t size_;
};

// A non-negative integer operand of $limit or $skip, with their common texts.
Result<std::int64_t> read_count(const bson::Element& element, int code) {
  const std::string name(element.name);
  const std::string prefix = "invalid argument to " + name + " stage: ";
  const std::string shown = element_text(element);
  if (!element.value.is_number()) {
    return mongo_error(code, prefix + "Expected a number in: " + shown);
  }
  const auto count = element.value.as_integer();
  if (!count) {
    const double value = *element.value.as_double();
    constexpr double kLimit = 9223372036854775808.0;
    const bool is_fraction = value > -kLimit && value < kLimit;
    return mongo_error(code, prefix +
                                 (is_fraction ? "Expected an integer: "
                                              : "Cannot represent as a 64-bit integer: ") +
                                 shown);
  }
  if (*count < 0) return mongo_error(code, prefix + "Expected a non-negative number in: " + shown);
  return *count;
}

Status make_limit(const bson::Element& element, const StageCompiler&, Stages& out) {
  RESTITCH_TRY(const std::int64_t limit, read_count(element, 5107201));
  if (limit == 0) return mongo_error(15958, "the limit must be positive");
  out.push_back(std::make_shared<LimitStage>(limit));
  return {};
}

Status make_skip(const bson::Element& element, const StageCompiler&, Stages& out) {
  RESTITCH_TRY(const std::int64_t skip, read_count(element, 5107200));
  if (skip > 0) out.push_back(std::make_shared<SkipStage>(skip));
  return {};
}

Status make_count(const bson::Element& element, const StageCompiler&, Stages& out) {
  const auto field = element.value.as_string();
  if (!field) return mongo_error(40156, "the count field must be a non-empty string");
  if (field->empty()) return mongo_error(40157, "the count field must be a non-empty string");
  if (field->front() == '$')
    return mongo_error(40158, "the count field cannot be a $-prefixed path");
  if (field->find('\0') != std::string_view::npos) {
    return mongo_error(40159, "the count field cannot contain a null byte");
  }
  if (field->find('.') != std::string_view::npos) {
    return mongo_error(40160, "the count field cannot contain '.'");
  }
  out.push_back(std::make_shared<CountStage>(std::string(*field)));
  return {};
}

Status make_sample(const bson::Element& element, const StageCompiler&, Stages& out) {
  const auto spec = element.value.as_object();
  if (!spec) return mongo_error(28745, "the $sample stage specification must be an object");
  std::optional<double> size;
  for (const bson::Element& argument : *spec) {
    if (argument.name != "size") {
      return mongo_error(28748, "unrecognized option to $sample: " + std::string(argument.name));
    }
    size = argument.value.as_double();
    if (!size) return mongo_error(28746, "size argument to $sample must be a number");
  }
  if (!size) return mongo_error(28749, "$sample stage must specify a size");
  if (!(*size >= 1))
    return mongo_error(28747, "size argument to $sample must be a positive integer");
  constexpr double kMost = 9e18;
  out.push_back(std::make_shared<SampleStage>(static_cast<std::int64_t>(std::min(*size, kMost))));
  return {};
}

constexpr StageDefinition kStages[] = {
    {"$limit", make_limit},
    {"$skip", make_skip},
    {"$count", make_count},
    {"$sample", make_sample},
};

}  // namespace

Result<DocumentStreamPtr> LimitStage::open(DocumentStreamPtr input, const RunPtr&) const {
  return DocumentStreamPtr(std::make_unique<LimitStream>(std::move(input), limit_));
}

Result<DocumentStreamPtr> SkipStage::open(DocumentStreamPtr input, const RunPtr& run) const {
  return DocumentStreamPtr(std::make_unique<SkipStream>(std::move(input), skip_, run));
}

StageTable cut_stages() { return kStages; }

}  // namespace restitch::query
