#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "datasource/embedded/change_stream/event_filter.h"
#include "datasource/embedded/change_stream/log_follower.h"
#include "datasource/embedded/change_stream/stream_options.h"
#include "datasource/embedded/cursors.h"
#include "datasource/embedded/services.h"
#include "query/pipeline/pipeline.h"

namespace restitch::datasource::embedded {

// The events of a $changeStream pipeline (spec: mongodb-engine §12). next() gives false when there
// is nothing yet; a failed next() with kWouldBlock has lost nothing and may be repeated.
class ChangeStream final : public ResultStream {
 public:
  // `stages` is the whole pipeline, $changeStream first. Checks that the log still holds the place
  // to start from (286) and the event to resume after (280). Waits for the disk.
  static Result<std::unique_ptr<ChangeStream>> make(Services& services, StreamOptions options,
                                                    bson::View stages,
                                                    std::unique_ptr<query::CommandContext> context);

  void attach(const storage::Reader&, storage::SnapshotPtr, storage::ReadTier tier,
              WorkBudget* budget) override;
  void detach() override {
    budget_ = nullptr;
    context_->budget = nullptr;
  }
  // Until when next() may look through entries that give no event.
  void set_deadline(std::chrono::steady_clock::time_point deadline) override {
    deadline_ = deadline;
  }
  Result<bool> next() override;
  bson::View document() const override { return current_; }
  bool is_finished() const override { return is_over_ && ready_.empty(); }
  bool is_tailable() const override { return true; }
  void append_cursor_fields(bson::Builder& cursor, bool is_current_given) const override;
  bool is_behind() const override { return services_.follower->is_behind(); }
  bool subscribe(const WakeupPtr& wakeup) override;
  void unsubscribe(const WakeupPtr& wakeup) override;

 private:
  ChangeStream(Services& services, StreamOptions options,
               std::unique_ptr<query::CommandContext> context);
  Status compile(bson::View stages);
  Status find_start();
  Result<bool> load_batch();
  Status process(const LogEntry& entry);
  Status add_event(const LogEntry& entry, const ResumeToken& token);
  Status add_invalidate(const LogEntry& entry);
  Status add_output(bson::Document event, const ResumeToken& token);
  bson::Document position_token() const;
  void advance(LogPosition position);
  bool is_late() const { return std::chrono::steady_clock::now() > deadline_; }

  Services& services_;
  StreamOptions options_;
  std::unique_ptr<query::CommandContext> context_;
  bson::Document stages_;
  std::optional<query::Pipeline> pipeline_;
  EventFilter filter_;
  bool splits_large_events_ = false;
  LogFollower::Interest interest_;

  storage::ReadTier tier_ = storage::ReadTier::kAll;
  WorkBudget* budget_ = nullptr;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();

  LogPosition position_;  // everything up to here is done
  LogFollower::Batch batch_;
  std::size_t batch_at_ = 0;
  std::deque<bson::Document> ready_;  // events of the entry at position_
  bool is_over_ = false;

  bson::Document current_;
  // Tokens of the last two events that next() gave; empty: none yet, or the position is behind
  // their time.
  bson::Document token_, former_token_;
  bson::Timestamp token_time_;
};

}  // namespace restitch::datasource::embedded
