#pragma once

#include <memory>
#include <optional>

#include "datasource/embedded/change_stream/log_follower.h"
#include "datasource/embedded/cursors.h"
#include "datasource/embedded/find_stream.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

// A tailable find over a capped collection: its documents in insertion order, and those that come
// later. A failed next() with kWouldBlock has lost nothing. 136 when the document it stands at has
// been evicted.
class TailStream final : public ResultStream {
 public:
  // The views of the request are not kept.
  static Result<std::unique_ptr<TailStream>> make(Services& services, CollectionPtr collection,
                                                  const FindRequest& request,
                                                  std::unique_ptr<query::CommandContext> context,
                                                  bool awaits_data);

  void attach(const storage::Reader& reader, storage::SnapshotPtr snapshot, storage::ReadTier tier,
              WorkBudget* budget) override;
  void detach() override;
  void set_deadline(std::chrono::steady_clock::time_point deadline) override {
    context_->deadline = deadline;
  }
  Result<bool> next() override;
  bson::View document() const override { return current_; }
  // A limit is reached, or the collection was empty when it was read first.
  bool is_finished() const override { return is_over_ || (limit_ && given_ >= *limit_); }
  bool is_tailable() const override { return true; }
  bool subscribe(const WakeupPtr& wakeup) override;
  void unsubscribe(const WakeupPtr& wakeup) override;

 private:
  explicit TailStream(Services& services) : services_(services) {}
  Result<bool> advance();

  Services& services_;
  CollectionPtr collection_;
  StreamScope scope_;
  std::unique_ptr<query::CommandContext> context_;
  bson::Document filter_spec_;
  std::optional<query::Filter> filter_;
  std::optional<query::Projection> projection_;
  std::optional<std::int64_t> limit_;
  std::int64_t to_skip_ = 0, given_ = 0;
  std::optional<LogFollower::Interest> interest_;  // where it waits for data

  storage::SnapshotPtr snapshot_;
  storage::RecordId decided_ = 0;  // records below it are decided in snapshot_
  storage::ReadTier tier_ = storage::ReadTier::kAll;
  WorkBudget* budget_ = nullptr;
  std::unique_ptr<storage::RecordCursor> cursor_;
  bool is_positioned_ = false;  // cursor_ has met the last record again

  std::optional<storage::RecordId> last_;  // looked at already
  LogPosition position_;                   // what the last state that was read to its end held
  bool is_over_ = false;
  bson::Document current_;
};

}  // namespace restitch::datasource::embedded
