#include "datasource/embedded/find_stream.h"

#include "datasource/embedded/error_names.h"
#include "datasource/embedded/index_keys.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Document;
using bson::View;

// Top-level fields that a tree of predicates reads; false when it may need the whole document.
bool add_filter_fields(const query::FilterNode& node, std::set<std::string>& fields) {
  using query::FilterOp;
  switch (node.op) {
    case FilterOp::kExpr:
    case FilterOp::kJsonSchema:
      return false;
    case FilterOp::kAnd:
    case FilterOp::kOr:
    case FilterOp::kNor:
    case FilterOp::kNot:
      for (const auto& child : node.children) {
        if (!add_filter_fields(*child, fields)) return false;
      }
      return true;
    case FilterOp::kAlwaysTrue:
    case FilterOp::kAlwaysFalse:
    case FilterOp::kSampleRate:
      return true;
    default:
      if (!node.path.empty()) fields.insert(node.path);
      return true;
  }
}

std::optional<std::set<std::string>> needed_fields(const query::Filter& filter,
                                                   const query::Projection* projection,
                                                   const query::SortPattern* sort) {
  if (projection == nullptr || projection->needs_match_details()) return std::nullopt;
  auto fields = projection->dependencies();
  if (!fields) return std::nullopt;
  if (!add_filter_fields(filter.root(), *fields)) return std::nullopt;
  if (sort != nullptr) {
    for (const query::SortPart& part : sort->parts()) fields->insert(part.path);
  }
  return fields;
}

}  // namespace

Result<std::unique_ptr<FindStream>> FindStream::make(
    CollectionPtr collection, const FindRequest& request,
    std::unique_ptr<query::CommandContext> context) {
  std::unique_ptr<FindStream> stream(new FindStream());
  stream->collection_ = std::move(collection);
  stream->context_ = std::move(context);
  stream->filter_spec_ = Document(request.filter);
  stream->limit_ = request.limit;
  stream->returns_key_ = request.returns_key;
  stream->shows_record_id_ = request.shows_record_id;
  RESTITCH_TRY(stream->filter_, query::Filter::compile(stream->filter_spec_, *stream->context_));
  RESTITCH_CHECK(stream->decide(request));
  ExecutorOptions options;
  options.filter = &*stream->filter_;
  options.sort = stream->sort();
  options.context = stream->context_.get();
  options.skip = request.skip;
  options.limit = request.limit;
  options.counts_only = request.counts_only;
  options.needs_match_details = stream->projection_ && stream->projection_->needs_match_details();
  stream->executor_ =
      std::make_unique<PlanExecutor>(stream->collection_.get(), stream->choice_.plan, options);
  return stream;
}

Status FindStream::decide(const FindRequest& request) {
  bson::ValueView hint = request.hint;
  bool is_natural_sort = false;
  if (!request.sort.empty()) {
    const bson::ValueView natural = request.sort["$natural"];
    if (!natural.is_missing()) {
      // {$natural: 1} asks for the order of storage, as the hint of that name does.
      const auto direction = natural.as_integer();
      if (request.sort.count() != 1 || (direction != 1 && direction != -1)) {
        return mongo_error(code::kBadValue,
                           "$natural sort cannot be set to a value other than -1 or 1.");
      }
      is_natural_sort = true;
      hint_owner_ = Document(request.sort);
      hint = bson::ValueView(bson::Type::kObject, hint_owner_.view().data(),
                             hint_owner_.view().size());
    } else {
      RESTITCH_TRY(sort_, query::SortPattern::compile(request.sort, *context_));
    }
  }
  if (!request.projection.empty() && !request.returns_key) {
    RESTITCH_TRY(projection_,
                 query::Projection::compile(request.projection, query::ProjectionDialect::kFind,
                                            *context_, &*filter_));
    if (projection_->is_identity()) projection_.reset();
  }
  ChoiceRequest asked;
  PlanRequest& plan = asked.plan;
  plan.collection = collection_;
  plan.filter = &*filter_;
  plan.sort = sort_ ? &*sort_ : nullptr;
  plan.collation = context_->comparator.collation();
  plan.hint = hint;
  plan.read_time = request.read_time;
  plan.min = request.min;
  plan.max = request.max;
  if (!is_natural_sort && !request.shows_record_id) {
    plan.needed_fields = needed_fields(*filter_, projection(), plan.sort);
  }
  if (!request.distinct_key.empty()) {
    plan.distinct_key = request.distinct_key;
    std::set<std::string> fields{std::string(request.distinct_key)};
    if (add_filter_fields(filter_->root(), fields)) plan.needed_fields = std::move(fields);
  }
  asked.filter = request.filter;
  asked.sort = request.sort;
  asked.projection = request.projection;
  asked.skip = request.skip;
  asked.limit = request.limit;
  asked.context = context_.get();
  asked.reader = request.reader;
  asked.tier = request.tier;
  asked.uses_cache = request.uses_plan_cache;
  RESTITCH_TRY(choice_, choose_plan(asked));
  for (const IndexScan& scan : choice_.plan.scans) ++scan.index->runtime->uses;
  return {};
}

FindStream::~FindStream() {
  if (executor_) note_works(choice_, executor_->works());
}

void FindStream::attach(const storage::Reader& reader, storage::SnapshotPtr snapshot,
                        storage::ReadTier tier, WorkBudget* budget) {
  snapshot_ = std::move(snapshot);
  context_->budget = budget;
  executor_->attach(reader, tier, budget);
}

void FindStream::detach() {
  executor_->detach();
  context_->budget = nullptr;
  snapshot_.reset();
}

bson::Document FindStream::index_key_document() const {
  if (choice_.plan.access == Access::kIdLookup) {
    return bson::make_document("_id", executor_->document()["_id"]);
  }
  if (choice_.plan.scans.empty()) return {};
  // The first key of the document: returnKey is a diagnostic for indexes without arrays.
  IndexKeys keys;
  if (!generate_keys(*choice_.plan.scans.front().index, executor_->document(), keys) ||
      keys.keys.empty()) {
    return {};
  }
  return decode_index_key(*choice_.plan.scans.front().index, keys.keys.front().key,
                          keys.keys.front().type_bits);
}

Result<bool> FindStream::next() {
  RESTITCH_TRY(const bool found, executor_->next());
  if (!found) return false;
  ++given_;
  if (projection_) {
    auto made = projection_->apply(executor_->document(), &executor_->match_details());
    if (!made) return std::move(made).error();
    projected_ = std::move(*made);
  } else if (returns_key_) {
    projected_ = index_key_document();
  }
  if (shows_record_id_ && !returns_key_) {
    bson::Builder builder;
    builder.append_all(projection_ ? projected_->view() : executor_->document());
    builder.append("$recordId", executor_->record());
    projected_ = std::move(builder).finish();
  }
  return true;
}

}  // namespace restitch::datasource::embedded
