#include "datasource/embedded/change_stream/change_stream.h"

#include "bson/extended_json.h"
#include "datasource/embedded/change_stream/event_builder.h"
#include "datasource/embedded/change_stream/event_images.h"
#include "datasource/embedded/change_stream/split_event.h"
#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::size_t kReadBatch = 256;
constexpr std::string_view kSplitStage = "$changeStreamSplitLargeEvent";

Error history_lost() {
  return mongo_error(code::kHistoryLost,
                     "Resume of change stream was not possible, as the resume point may no longer "
                     "be in the oplog.");
}

Error token_not_found(const ResumeToken& token) {
  return mongo_error(code::kChangeStreamFatal,
                     "cannot resume stream; the resume token was not found. " +
                         bson::to_shell(token.document().view()));
}

// The stages behind $changeStream, without the one that splits events; whether it was there.
Result<std::pair<Document, bool>> user_stages(View stages) {
  Builder builder;
  builder.open_array("s");
  bool is_first = true;
  bool has_split = false;
  for (const bson::Element& element : stages) {
    if (std::exchange(is_first, false)) continue;
    if (has_split) {
      return mongo_error(7182802,
                         std::string(kSplitStage) + " must be the last stage in the pipeline");
    }
    const auto stage = element.value.as_object();
    if (stage && !stage->empty() && stage->begin()->name == kSplitStage) {
      const auto spec = stage->begin()->value.as_object();
      if (!spec || !spec->empty()) {
        return mongo_error(7182800, std::string(kSplitStage) + " spec should be an empty object");
      }
      has_split = true;
      continue;
    }
    builder.push(element.value);
  }
  builder.close();
  const Document holder = std::move(builder).finish();
  return std::pair(Document(holder["s"].get_document()), has_split);
}

}  // namespace

ChangeStream::ChangeStream(Services& services, StreamOptions options,
                           std::unique_ptr<query::CommandContext> context)
    : services_(services),
      options_(std::move(options)),
      context_(std::move(context)),
      interest_(*services.follower) {}

Result<std::unique_ptr<ChangeStream>> ChangeStream::make(
    Services& services, StreamOptions options, View stages,
    std::unique_ptr<query::CommandContext> context) {
  std::unique_ptr<ChangeStream> stream(
      new ChangeStream(services, std::move(options), std::move(context)));
  RESTITCH_CHECK(stream->compile(stages));
  RESTITCH_CHECK(stream->find_start());
  return stream;
}

Status ChangeStream::compile(View stages) {
  RESTITCH_TRY(auto user, user_stages(stages));
  stages_ = std::move(user.first);
  splits_large_events_ = user.second;
  query::PipelineOptions options;
  options.use = query::PipelineUse::kChangeStream;
  options.database = options_.scope.database;
  options.collection = options_.scope.collection;
  RESTITCH_TRY(pipeline_, query::Pipeline::compile(stages_, *context_, std::move(options)));
  const Document leading = pipeline_->take_filter();
  RESTITCH_TRY(filter_, EventFilter::make(leading, *context_));
  return {};
}

Status ChangeStream::find_start() {
  if (!options_.resume) {
    position_ = options_.start_at ? LogPosition::before(*options_.start_at)
                                  : LogPosition::after(services_.engine->last_committed());
    if (options_.start_at && *options_.start_at < services_.engine->oldest_change()) {
      return history_lost();
    }
    return {};
  }
  const ResumeToken& token = *options_.resume;
  if (token.time < services_.engine->oldest_change()) return history_lost();
  if (!token.is_event) {
    position_ = LogPosition::before(token.time);
    options_.resume.reset();
    return {};
  }
  position_ =
      token.index > 0 ? LogPosition{token.time, token.index - 1} : LogPosition::before(token.time);
  RESTITCH_TRY(auto found, services_.engine->changes_after(position_.time, position_.index, 1));
  if (found.empty()) return token_not_found(token);
  const LogEntry entry(std::move(found.front()));
  const bool is_hidden = is_expanded(entry.kind) && !options_.shows_expanded_events;
  if (is_hidden || !options_.scope.covers(entry) || !token.names(entry)) {
    return token_not_found(token);
  }
  token_ = token.document();
  token_time_ = token.time;
  return {};
}

void ChangeStream::attach(const storage::Reader&, storage::SnapshotPtr, storage::ReadTier tier,
                          WorkBudget* budget) {
  tier_ = tier;
  budget_ = budget;
  context_->budget = budget;
}

// Several changes can have one time: while nothing later was looked at, the last event's token is
// the only one that says what was given.
void ChangeStream::advance(LogPosition position) {
  if (position <= position_) return;
  position_ = position;
  if (token_time_ < position.time) token_ = Document();
}

Result<bool> ChangeStream::next() {
  bool has_loaded = false;
  for (;;) {
    if (!ready_.empty()) {
      current_ = std::move(ready_.front());
      ready_.pop_front();
      former_token_ = token_.empty() ? position_token() : std::move(token_);
      token_ = Document(current_["_id"].get_document());
      token_time_ = position_.time;
      return true;
    }
    if (is_over_) return false;
    if (batch_at_ == batch_.entries.size()) {
      if (std::exchange(has_loaded, true) && is_late()) return false;
      RESTITCH_TRY(const bool has_more, load_batch());
      if (!has_more) return false;
      continue;
    }
    if (budget_ != nullptr && !budget_->spend()) {
      return Error(ErrorCode::kWouldBlock, "the stream has more to do");
    }
    const LogEntry& entry = *batch_.entries[batch_at_];
    if (Status processed = process(entry); !processed) {
      // It is processed again.
      ready_.clear();
      is_over_ = false;
      return std::move(processed).error();
    }
    ++batch_at_;
    advance(entry.position);
  }
}

// False when there is nothing to read now.
Result<bool> ChangeStream::load_batch() {
  advance(batch_.scanned);
  if (tier_ == storage::ReadTier::kAll) services_.follower->catch_up();
  auto recent = services_.follower->recent(options_.scope, position_, kReadBatch);
  if (recent) {
    batch_ = std::move(*recent);
  } else {
    if (tier_ == storage::ReadTier::kCacheOnly) {
      return Error(ErrorCode::kWouldBlock, "the change log has to be read");
    }
    RESTITCH_TRY(batch_, services_.follower->stored(options_.scope, position_, kReadBatch));
  }
  batch_at_ = 0;
  if (!batch_.entries.empty()) return true;
  advance(batch_.scanned);
  return !batch_.is_at_end;
}

Status ChangeStream::process(const LogEntry& entry) {
  if (is_expanded(entry.kind) && !options_.shows_expanded_events) return {};
  const bool is_resumed = options_.resume && options_.resume->position() == entry.position;
  if (is_resumed && options_.resume->is_invalidate) {
    options_.resume.reset();
    return {};
  }
  // A fragment's own event is built again; add_output() leaves out what was given.
  if (!is_resumed || options_.resume->fragment) {
    RESTITCH_CHECK(add_event(entry, ResumeToken::of(entry, false)));
  }
  if (invalidates(entry, options_.scope)) RESTITCH_CHECK(add_invalidate(entry));
  if (is_resumed) options_.resume.reset();
  return {};
}

Status ChangeStream::add_event(const LogEntry& entry, const ResumeToken& token) {
  if (!filter_.may_match(entry.kind)) return {};
  const Document token_document = token.document();
  EventImages images;
  if (needs_images(entry.kind, options_)) {
    if (filter_.has_conditions_without_images()) {
      const Document bare = build_event(entry, options_, token_document, {});
      RESTITCH_TRY(const bool may_match, filter_.matches_without_images(bare));
      if (!may_match) return {};
    }
    RESTITCH_TRY(images, find_images(services_, entry, options_, tier_));
  }
  Document event = build_event(entry, options_, token_document, images);
  RESTITCH_TRY(const bool matches, filter_.matches(event));
  if (!matches) return {};
  return add_output(std::move(event), token);
}

Status ChangeStream::add_invalidate(const LogEntry& entry) {
  is_over_ = true;
  if (!filter_.may_match_invalidate()) return {};
  const ResumeToken token = ResumeToken::of(entry, true);
  Document event = build_invalidate_event(entry, token.document());
  RESTITCH_TRY(const bool matches, filter_.matches(event));
  if (!matches) return {};
  return add_output(std::move(event), token);
}

Status ChangeStream::add_output(Document event, const ResumeToken& token) {
  const Document expected = token.document();
  if (!pipeline_->empty()) {
    RESTITCH_TRY(auto output, pipeline_->apply(std::move(event)));
    if (!output) return {};
    event = std::move(*output);
    const auto id = event["_id"].as_object();
    if (!id || id->bytes() != expected.bytes()) {
      return mongo_error(
          code::kChangeStreamFatal,
          "Encountered an event whose _id field, which contains the resume token, was modified by "
          "the pipeline. Modifying the _id field of an event makes it impossible to resume the "
          "stream from that point. Only transformations that retain the unmodified _id field are "
          "allowed. Expected: " +
              bson::to_shell(expected.view()) + " but found: " +
              (event["_id"].is_missing() ? "missing" : bson::to_shell(event["_id"])));
    }
  }
  const bool was_split = options_.resume && options_.resume->fragment && !token.is_invalidate;
  if (!splits_large_events_) {
    if (was_split) return token_not_found(*options_.resume);
    if (event.bytes().size() > bson::kMaxInternalDocumentBytes) {
      return event_too_large(event.bytes().size());
    }
    ready_.push_back(std::move(event));
    return {};
  }
  RESTITCH_TRY(auto fragments, split_event(std::move(event), token));
  if (was_split && fragments.size() <= *options_.resume->fragment) {
    return token_not_found(*options_.resume);
  }
  const std::size_t first = was_split ? std::size_t{*options_.resume->fragment} + 1 : 0;
  for (std::size_t at = first; at < fragments.size(); ++at) {
    ready_.push_back(std::move(fragments[at]));
  }
  return {};
}

// Names the place behind everything that was looked at.
Document ChangeStream::position_token() const {
  bson::Timestamp time = position_.time;
  if (position_.index == UINT32_MAX) {
    time = next_time(time);
  }
  return ResumeToken::high_water_mark(time).document();
}

void ChangeStream::append_cursor_fields(Builder& cursor, bool is_current_given) const {
  const Document& token = is_current_given ? token_ : former_token_;
  cursor.append("postBatchResumeToken", token.empty() ? position_token() : token);
}

bool ChangeStream::subscribe(const WakeupPtr& wakeup) {
  return services_.follower->subscribe(options_.scope, position_, wakeup);
}

void ChangeStream::unsubscribe(const WakeupPtr& wakeup) {
  services_.follower->unsubscribe(options_.scope, wakeup);
}

}  // namespace restitch::datasource::embedded
