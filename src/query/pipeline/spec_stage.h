#pragma once

#include <utility>

#include "query/pipeline/stage.h"

namespace restitch::query {

// A stage that is its specification; `Stream` is made of the input, the specification and the run.
template <typename Spec, typename Stream>
class SpecStage : public Stage {
 public:
  explicit SpecStage(Spec spec) : spec_(std::move(spec)) {}
  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override {
    return DocumentStreamPtr(std::make_unique<Stream>(std::move(input), spec_, run));
  }

 protected:
  const Spec& spec() const { return spec_; }

 private:
  Spec spec_;
};

// A stream that reads its whole input before it gives anything.
class FilledStream : public DocumentStream {
 public:
  Result<std::optional<bson::Document>> next() final {
    if (input_) {
      StreamReader reader(*input_, run_->command);
      RESTITCH_CHECK(fill(reader));
      input_.reset();
    }
    return take();
  }

 protected:
  FilledStream(DocumentStreamPtr input, RunPtr run)
      : input_(std::move(input)), run_(std::move(run)) {}

  virtual Status fill(StreamReader& input) = 0;
  virtual Result<std::optional<bson::Document>> take() = 0;

  RunContext& run() const { return *run_; }
  const CommandContext& command() const { return run_->command; }
  // Counts bytes that are held, or given back (negative); false when they are too many.
  bool hold(std::int64_t bytes) {
    held_ += bytes;
    return held_ <= run_->command.memory_limit;
  }
  std::int64_t held() const { return held_; }

 private:
  DocumentStreamPtr input_;
  RunPtr run_;
  std::int64_t held_ = 0;
};

}  // namespace restitch::query
