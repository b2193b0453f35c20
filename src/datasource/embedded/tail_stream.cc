#include "datasource/embedded/tail_stream.h"

#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

using bson::Document;

Result<std::unique_ptr<TailStream>> TailStream::make(Services& services, CollectionPtr collection,
                                                     const FindRequest& request,
                                                     std::unique_ptr<query::CommandContext> context,
                                                     bool awaits_data) {
  std::unique_ptr<TailStream> stream(new TailStream(services));
  stream->scope_ = {collection->ns.database, collection->ns.collection};
  stream->collection_ = std::move(collection);
  stream->context_ = std::move(context);
  stream->filter_spec_ = Document(request.filter);
  RESTITCH_TRY(stream->filter_, query::Filter::compile(stream->filter_spec_, *stream->context_));
  if (!request.projection.empty()) {
    RESTITCH_TRY(stream->projection_,
                 query::Projection::compile(request.projection, query::ProjectionDialect::kFind,
                                            *stream->context_, &*stream->filter_));
    if (stream->projection_->is_identity()) stream->projection_.reset();
  }
  stream->limit_ = request.limit;
  stream->to_skip_ = request.skip;
  if (awaits_data) stream->interest_.emplace(*services.follower);
  return stream;
}

void TailStream::attach(const storage::Reader&, storage::SnapshotPtr, storage::ReadTier tier,
                        WorkBudget* budget) {
  detach();
  decided_ = collection_->counters->open_inserts.limit(*services_.engine, collection_->ident);
  snapshot_ = services_.engine->snapshot();
  tier_ = tier;
  budget_ = budget;
  context_->budget = budget;
}

void TailStream::detach() {
  cursor_.reset();
  is_positioned_ = false;
  snapshot_.reset();
  budget_ = nullptr;
  context_->budget = nullptr;
}

// Moves the cursor to the next record behind the last one.
Result<bool> TailStream::advance() {
  if (!cursor_) cursor_ = snapshot_->records(collection_->ident, true, tier_, last_);
  if (last_ && !is_positioned_) {
    RESTITCH_TRY(const bool found, cursor_->next());
    if (!found || cursor_->id() != *last_) {
      return mongo_error(code::kCappedPositionLost,
                         "CollectionScan died due to position in capped collection being deleted. "
                         "Last seen record id: RecordId(" +
                             std::to_string(*last_) + ")");
    }
  }
  is_positioned_ = true;
  RESTITCH_TRY(const bool found, cursor_->next());
  return found && cursor_->id() < decided_;
}

Result<bool> TailStream::next() {
  constexpr int kCheckInterval = 128;
  for (int looked_at = 1; !is_finished(); ++looked_at) {
    // What was looked at is not looked at again: the next batch goes on from here.
    if (looked_at % kCheckInterval == 0 && context_->expired()) return false;
    if (budget_ != nullptr && !budget_->spend()) {
      return Error(ErrorCode::kWouldBlock, "the scan has more to do");
    }
    RESTITCH_TRY(const bool found, advance());
    if (!found) {
      is_over_ = !last_;
      position_ = LogPosition::after(snapshot_->cluster_time());
      return false;
    }
    // Passed only when nothing can ask for another thread any more, where it is looked at again.
    const storage::RecordId seen = cursor_->id();
    query::MatchDetails details;
    RESTITCH_TRY(const bool matches, filter_->matches(cursor_->document(), &details));
    if (!matches || to_skip_ > 0) {
      if (matches) --to_skip_;
      last_ = seen;
      continue;
    }
    if (projection_) {
      RESTITCH_TRY(current_, projection_->apply(cursor_->document(), &details));
    } else {
      current_ = Document(cursor_->document());
    }
    last_ = seen;
    ++given_;
    return true;
  }
  return false;
}

bool TailStream::subscribe(const WakeupPtr& wakeup) {
  return interest_ && services_.follower->subscribe(scope_, position_, wakeup);
}

void TailStream::unsubscribe(const WakeupPtr& wakeup) {
  services_.follower->unsubscribe(scope_, wakeup);
}

}  // namespace restitch::datasource::embedded
