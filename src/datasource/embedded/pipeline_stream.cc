#include "datasource/embedded/pipeline_stream.h"

#include "datasource/embedded/error_names.h"
#include "datasource/embedded/pipeline_writes.h"
#include "datasource/embedded/statistics.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Document;
using bson::View;

// Feeds a pipeline from a result stream that somebody else attaches and owns.
class BorrowedInput final : public query::DocumentStream {
 public:
  explicit BorrowedInput(ResultStream& source) : source_(source) {}

  Result<std::optional<Document>> next() override {
    RESTITCH_TRY(const auto found, next_view());
    return found ? std::optional(Document(*found)) : std::nullopt;
  }
  Result<std::optional<View>> next_view() override {
    RESTITCH_TRY(const bool found, source_.next());
    return found ? std::optional(source_.document()) : std::nullopt;
  }

 private:
  ResultStream& source_;
};

class EmptyInput final : public query::DocumentStream {
 public:
  Result<std::optional<Document>> next() override { return std::optional<Document>(); }
};

std::unique_ptr<query::CommandContext> copy_of(const query::CommandContext& context) {
  return std::make_unique<query::CommandContext>(context);
}

}  // namespace

Document concatenated(View first, View second) {
  bson::Builder builder;
  builder.open_array("");
  for (const bson::Element& element : first) builder.push(element.value);
  for (const bson::Element& element : second) builder.push(element.value);
  builder.close();
  const Document holder = std::move(builder).finish();
  return Document(holder.view().begin()->value.get_document());
}

std::string_view first_stage(View stages) {
  const auto first = stages.begin();
  if (first == stages.end()) return {};
  const auto stage = first->value.as_object();
  if (!stage || stage->empty()) return {};
  return stage->begin()->name;
}

// ---- ClusterEnvironment

// A collection that a stage reads. The environment knows it, so that it follows a cursor from batch
// to batch.
class ClusterEnvironment::Input final : public query::DocumentStream {
 public:
  Input(ClusterEnvironment& environment, std::unique_ptr<ResultStream> source)
      : environment_(environment), source_(std::move(source)), input_(*source_) {
    environment_.inputs_.insert(this);
    attach(environment_.access_);
  }
  ~Input() override { environment_.inputs_.erase(this); }

  Result<std::optional<Document>> next() override { return input_.next(); }
  void attach(const Access& access) {
    if (access.reader == nullptr) {
      source_->detach();
    } else {
      source_->attach(*access.reader, access.snapshot, access.tier, access.budget);
    }
  }

 private:
  ClusterEnvironment& environment_;
  std::unique_ptr<ResultStream> source_;
  BorrowedInput input_;
};

void ClusterEnvironment::set_access(Access access) {
  access_ = std::move(access);
  for (Input* input : inputs_) input->attach(access_);
}

Result<query::DocumentStreamPtr> ClusterEnvironment::open(std::string_view database,
                                                          std::string_view collection,
                                                          View filter) {
  RESTITCH_TRY(const CollectionPtr found, catalog_.find(database, collection));
  auto context = copy_of(context_);
  std::unique_ptr<ResultStream> stream;
  if (found && found->is_view()) {
    bson::Builder match;
    match.open_array("").push_object().append("$match", filter).close().close();
    const Document holder = std::move(match).finish();
    PipelineRequest request;
    request.ns = found->ns;
    request.stages = holder.view().begin()->value.get_document();
    request.read_time = access_.reader->cluster_time();
    request.catalog = catalog_;
    request.reader = access_.reader;
    request.tier = access_.tier;
    RESTITCH_TRY(stream, PipelineStream::make(services_, request, std::move(context)));
  } else {
    FindRequest request;
    request.filter = filter;
    request.read_time = access_.reader->cluster_time();
    request.reader = access_.reader;
    request.tier = access_.tier;
    RESTITCH_TRY(stream, FindStream::make(found, request, std::move(context)));
  }
  return query::DocumentStreamPtr(std::make_unique<Input>(*this, std::move(stream)));
}

Status ClusterEnvironment::out(std::string_view database, std::string_view collection,
                               query::DocumentStream& input) {
  return write_out(services_, Namespace{std::string(database), std::string(collection)}, input,
                   bypasses_validation_);
}

Status ClusterEnvironment::merge(const query::MergeSpec& spec, View document, View let_values) {
  return write_merge(services_, spec, document, let_values, bypasses_validation_, error_extra_);
}

Result<std::vector<Document>> ClusterEnvironment::statistics(std::string_view stage, View spec) {
  return stage_statistics(services_, ns_, stage, spec);
}

// ---- PipelineStream

Result<std::unique_ptr<PipelineStream>> PipelineStream::make(
    Services& services, const PipelineRequest& request,
    std::unique_ptr<query::CommandContext> context) {
  const CatalogView catalog = request.catalog.value_or(CatalogView(*services.catalog));
  CollectionPtr collection;
  if (!request.ns.collection.empty()) {
    RESTITCH_TRY(collection, catalog.find(request.ns.database, request.ns.collection));
  }
  if (collection && collection->is_view()) {
    if (request.view_depth >= kMaxViewDepth) {
      return mongo_error(165, "View depth too deep or view cycle detected; maximum depth is " +
                                  std::to_string(kMaxViewDepth));
    }
    const Document stages = concatenated(collection->view_pipeline, request.stages);
    PipelineRequest resolved = request;
    resolved.ns.collection = collection->view_on;
    resolved.stages = stages;
    ++resolved.view_depth;
    return make(services, resolved, std::move(context));
  }
  std::unique_ptr<PipelineStream> stream(new PipelineStream());
  stream->context_ = std::move(context);
  stream->stages_ = Document(request.stages);
  query::PipelineOptions options;
  options.database = request.ns.database;
  options.collection = request.ns.collection;
  RESTITCH_TRY(stream->pipeline_,
               query::Pipeline::compile(stream->stages_, *stream->context_, std::move(options)));
  stream->environment_ =
      std::make_unique<ClusterEnvironment>(services, catalog, *stream->context_, request.ns);
  stream->environment_->set_bypass_validation(request.bypasses_validation);
  stream->environment_->set_error_extra(request.error_extra);
  RESTITCH_CHECK(stream->open_source(collection, request));
  return stream;
}

Status PipelineStream::open_source(const CollectionPtr& collection,
                                   const PipelineRequest& request) {
  if (pipeline_->starts_with_source()) return {};
  if (request.ns.collection.empty()) {
    return mongo_error(code::kInvalidNamespace, "{aggregate: 1} is not valid for '" +
                                                    std::string(first_stage(stages_)) +
                                                    "'; a collection is required.");
  }
  const query::Pipeline::Pushdown pushed = pipeline_->take_pushdown();
  pushed_ = {pushed.sort, pushed.skip.value_or(0), pushed.limit};
  FindRequest find;
  find.filter = pushed.filter;
  find.sort = pushed.sort;
  find.skip = pushed.skip.value_or(0);
  find.limit = pushed.limit;
  find.counts_only = pushed.count_only;
  find.hint = request.hint;
  find.read_time = request.read_time;
  find.reader = request.reader;
  find.tier = request.tier;
  RESTITCH_TRY(source_, FindStream::make(collection, find, copy_of(*context_)));
  return {};
}

std::size_t PipelineStream::pushed_stages() const {
  // As many as leave nothing of a pipeline that ends with them.
  std::size_t count = 0;
  bson::Builder prefix;
  for (const bson::Element& element : stages_.view()) {
    prefix.push(element.value);
    bson::Builder copy = prefix;
    const Document stages = std::move(copy).finish();
    auto pipeline = query::Pipeline::compile(stages, *context_, {});
    if (!pipeline) break;
    static_cast<void>(pipeline->take_pushdown());
    if (!pipeline->empty()) break;
    ++count;
  }
  return count;
}

storage::CollectionId PipelineStream::collection() const {
  return source_ && source_->collection() ? source_->collection()->ident : 0;
}

void PipelineStream::attach(const storage::Reader& reader, storage::SnapshotPtr snapshot,
                            storage::ReadTier tier, WorkBudget* budget) {
  context_->budget = budget;
  environment_->set_access({&reader, snapshot, tier, budget});
  if (source_) source_->attach(reader, std::move(snapshot), tier, budget);
}

void PipelineStream::detach() {
  context_->budget = nullptr;
  environment_->set_access({});
  if (source_) source_->detach();
}

void PipelineStream::set_deadline(std::chrono::steady_clock::time_point deadline) {
  context_->deadline = deadline;
  if (source_) source_->set_deadline(deadline);
}

Result<bool> PipelineStream::next() {
  if (!stream_) {
    query::DocumentStreamPtr input;
    if (source_) {
      input = std::make_unique<BorrowedInput>(*source_);
    } else {
      input = std::make_unique<EmptyInput>();
    }
    RESTITCH_TRY(stream_, pipeline_->run(std::move(input), *environment_));
  }
  RESTITCH_TRY(const auto document, stream_->next_view());
  current_ = document.value_or(View());
  return document.has_value();
}

}  // namespace restitch::datasource::embedded
