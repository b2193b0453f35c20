#include "datasource/embedded/cursors.h"

#include <random>

#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

namespace {

constexpr std::size_t kMaxBatchBytes = bson::kMaxDocumentBytes;
constexpr std::size_t kElementOverhead = 12;  // type, index as text, terminator

std::int64_t random_id() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return static_cast<std::int64_t>(random() >> 1U) | 1;
}

}  // namespace

Result<std::int64_t> CursorTable::add(std::unique_ptr<ClientCursor> cursor) {
  cursor->stream->detach();
  cursor->last_use = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  if (cursors_.size() >= kMaxCursors) {
    return Error(ErrorCode::kMongo, 202, "too many open cursors");
  }
  do {
    cursor->id = random_id();
  } while (cursors_.contains(cursor->id));
  const std::int64_t id = cursor->id;
  ++opened_;
  cursors_.emplace(id, std::move(cursor));
  return id;
}

Result<std::shared_ptr<ClientCursor>> CursorTable::take(std::int64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = cursors_.find(id);
  if (found == cursors_.end() || found->second->is_killed) {
    return mongo_error(code::kCursorNotFound, "cursor id " + std::to_string(id) + " not found");
  }
  if (found->second->is_busy) {
    return mongo_error(code::kCursorInUse,
                       "cursor id " + std::to_string(id) + " is already in use");
  }
  found->second->is_busy = true;
  return found->second;
}

void CursorTable::give_back(const std::shared_ptr<ClientCursor>& cursor) {
  const std::lock_guard lock(mutex_);
  cursor->is_busy = false;
  cursor->last_use = std::chrono::steady_clock::now();
  if (cursor->is_killed) cursors_.erase(cursor->id);
}

void CursorTable::remove(std::int64_t id) {
  std::shared_ptr<ClientCursor> removed;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  if (const auto found = cursors_.find(id); found != cursors_.end()) {
    removed = std::move(found->second);
    cursors_.erase(found);
  }
}

template <typename Predicate>
std::size_t CursorTable::kill_if(Predicate predicate) {
  std::vector<std::shared_ptr<ClientCursor>> removed;
  const std::lock_guard lock(mutex_);
  for (auto at = cursors_.begin(); at != cursors_.end();) {
    ClientCursor& cursor = *at->second;
    if (!predicate(cursor)) {
      ++at;
    } else if (cursor.is_busy) {
      cursor.is_killed = true;
      if (cursor.wakeup) cursor.wakeup->wake();
      ++at;
    } else {
      removed.push_back(std::move(at->second));
      at = cursors_.erase(at);
    }
  }
  return removed.size();
}

bool CursorTable::kill(std::int64_t id) {
  bool was_there = false;
  kill_if([&](const ClientCursor& cursor) {
    if (cursor.id != id || cursor.is_killed) return false;
    was_there = true;
    return true;
  });
  return was_there;
}

void CursorTable::kill_all() {
  kill_if([](const ClientCursor&) { return true; });
}

void CursorTable::wake_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, cursor] : cursors_) {
    if (cursor->wakeup) cursor->wakeup->wake();
  }
}

void CursorTable::kill_of_sessions(const SessionPicker& picks) {
  kill_if([&](const ClientCursor& cursor) {
    return !cursor.session.empty() && picks(cursor.session);
  });
}

void CursorTable::kill_of_transaction(const std::string& session, std::int64_t txn_number) {
  kill_if([&](const ClientCursor& cursor) {
    return cursor.session == session && cursor.txn_number == txn_number;
  });
}

void CursorTable::kill_of_collection(storage::CollectionId collection) {
  kill_if([&](const ClientCursor& cursor) { return cursor.collection == collection; });
}

void CursorTable::expire(std::chrono::steady_clock::time_point now,
                         std::chrono::milliseconds idle_time) {
  timed_out_ += kill_if([&](const ClientCursor& cursor) {
    return !cursor.is_busy && !cursor.has_no_timeout && now - cursor.last_use > idle_time;
  });
}

CursorTable::Counts CursorTable::counts() const {
  Counts counts;
  counts.timed_out = timed_out_.load();
  const std::lock_guard lock(mutex_);
  counts.opened = opened_;
  counts.open = cursors_.size();
  for (const auto& [id, cursor] : cursors_) {
    if (cursor->is_busy) ++counts.pinned;
    if (cursor->has_no_timeout) ++counts.no_timeout;
  }
  return counts;
}

std::vector<bson::Document> CursorTable::describe(std::string_view host) const {
  std::vector<bson::Document> list;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, cursor] : cursors_) {
    if (cursor->is_busy) continue;
    bson::Builder builder;
    builder.append("type", "idleCursor").append("host", host).append("ns", cursor->ns);
    if (!cursor->session.empty()) {
      builder.open_object("lsid").append_binary("id", 4, cursor->session).close();
    }
    builder.open_object("cursor");
    builder.append("cursorId", id);
    builder.append("noCursorTimeout", cursor->has_no_timeout).append("tailable", false);
    builder.close();
    list.push_back(std::move(builder).finish());
  }
  return list;
}

std::size_t CursorTable::size() const {
  const std::lock_guard lock(mutex_);
  return cursors_.size();
}

std::optional<std::string> CursorTable::namespace_of(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = cursors_.find(id);
  if (found == cursors_.end()) return std::nullopt;
  return found->second->ns;
}

std::optional<std::string> CursorTable::owner_of(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = cursors_.find(id);
  if (found == cursors_.end()) return std::nullopt;
  return found->second->owner;
}

bool CursorTable::is_killed(const ClientCursor& cursor) const {
  const std::lock_guard lock(mutex_);
  return cursor.is_killed;
}

bool CursorTable::is_change_stream(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = cursors_.find(id);
  return found != cursors_.end() && found->second->is_change_stream;
}

namespace {

Result<Batch> fill_batch(bson::Builder& array, ClientCursor& cursor, const BatchOptions& options) {
  ResultStream& stream = *cursor.stream;
  std::int64_t count = 0;
  std::size_t bytes = 0;
  const auto fits = [&](bson::View document) {
    return count == 0 || bytes + document.size() + kElementOverhead <= kMaxBatchBytes;
  };
  const auto give = [&](bson::View document) {
    array.push(document);
    bytes += document.size() + kElementOverhead;
    ++count;
  };
  if (cursor.pending && (!options.batch_size || *options.batch_size > 0)) {
    give(*cursor.pending);
    cursor.pending.reset();
  }
  while (!options.batch_size || count < *options.batch_size) {
    auto found = stream.next();
    if (!found) {
      const bool can_end = stream.is_tailable() && count > 0;
      if (can_end && found.error().code() == ErrorCode::kWouldBlock) return Batch{count, false};
      return std::move(found).error();
    }
    if (!*found) return Batch{count, !stream.is_tailable() || stream.is_finished()};
    const bson::View document = stream.document();
    if (!fits(document)) {
      cursor.pending = bson::Document(document);
      return Batch{count, false};
    }
    give(document);
  }
  return Batch{count, stream.is_finished()};
}

}  // namespace

Result<Batch> read_batch(bson::Builder& array, ClientCursor& cursor, const BatchOptions& options) {
  ExecutionSummary before;
  if (options.summary != nullptr) cursor.stream->summarize(before);
  auto batch = fill_batch(array, cursor, options);
  if (options.summary != nullptr) {
    cursor.stream->summarize(*options.summary);
    options.summary->keys_examined -= before.keys_examined;
    options.summary->documents_examined -= before.documents_examined;
    if (batch) options.summary->returned += batch->count;
  }
  return batch;
}

Result<bson::Document> open_cursor_reply(CursorTable& table, std::unique_ptr<ClientCursor> cursor,
                                         const BatchOptions& options) {
  bson::Builder reply;
  reply.open_object("cursor");
  reply.open_array("firstBatch");
  RESTITCH_TRY(const Batch batch, read_batch(reply, *cursor, options));
  const bool is_exhausted = batch.is_exhausted;
  reply.close();
  cursor->stream->append_cursor_fields(reply, !cursor->pending);
  std::int64_t id = 0;
  const std::string ns = cursor->ns;
  const storage::SnapshotPtr pinned = cursor->snapshot;
  if (!is_exhausted && !options.is_single) {
    RESTITCH_TRY(id, table.add(std::move(cursor)));
  }
  reply.append("id", id);
  reply.append("ns", ns);
  if (pinned) reply.append("atClusterTime", pinned->cluster_time());
  reply.close();
  return std::move(reply).finish();
}

}  // namespace restitch::datasource::embedded
