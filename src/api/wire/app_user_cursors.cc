#include "api/wire/app_user_cursors.h"

#include <openssl/rand.h>

#include <utility>

namespace restitch::api::wire {
namespace {

constexpr int kCursorNotFound = 43;
constexpr int kExceededMemory = 146;
constexpr std::size_t kBatchBytes = 16U << 20U;

// Ids are not to be guessed, although only their owner can use them.
std::int64_t new_id() {
  std::uint64_t id = 0;
  while (id == 0) {
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&id), sizeof id) != 1) return 0;
    id &= 0x7FFFFFFFFFFFFFFFULL;
  }
  return static_cast<std::int64_t>(id);
}

// Moves `at` behind what the batch takes: at least one document, unless none are wanted.
bson::Document take_batch(bson::View::Iterator& at, bson::View::Iterator end,
                          std::optional<std::int64_t> batch_size) {
  bson::Builder batch;
  std::int64_t left = batch_size.value_or(INT64_MAX);
  for (; at != end && left > 0; ++at, --left) {
    const bool is_full = left != batch_size.value_or(INT64_MAX) &&
                         batch.size() + at->value.raw().size() > kBatchBytes;
    if (is_full) break;
    batch.push(at->value);
  }
  return std::move(batch).finish();
}

bson::Document reply(std::int64_t id, const std::string& name_space, const char* batch_name,
                     const bson::Document& batch) {
  bson::Builder builder;
  builder.open_object("cursor");
  builder.append_array(batch_name, batch);
  builder.append("id", id).append("ns", name_space);
  builder.close().append("ok", 1.0);
  return std::move(builder).finish();
}

}  // namespace

Result<bson::Document> AppUserCursors::first_batch(const std::string& owner,
                                                   const std::string& name_space,
                                                   bson::Value results,
                                                   std::optional<std::int64_t> batch_size,
                                                   bool is_single, Clock::time_point now) {
  bson::View all = results.view().get_document();
  bson::View::Iterator at = all.begin();
  const bson::Document batch = take_batch(at, all.end(), batch_size);
  if (at == all.end() || is_single) return reply(0, name_space, "firstBatch", batch);
  const std::size_t size = all.size();
  const std::size_t offset = static_cast<std::size_t>(at.raw().data() - all.bytes().data());
  const std::lock_guard lock(mutex_);
  drop_idle(now);
  if (cursors_.size() >= limits_.cursors || bytes_ + size > limits_.bytes) {
    return mongo_error(kExceededMemory, "too many results are waiting to be fetched");
  }
  cursors_.push_back({new_id(), owner, name_space, std::move(results), {}, now});
  Cursor& cursor = cursors_.back();
  all = cursor.results.view().get_document();
  cursor.at = {all.data() + offset, all.data() + all.size() - 1};
  bytes_ += size;
  return reply(cursor.id, name_space, "firstBatch", batch);
}

Result<bson::Document> AppUserCursors::next_batch(const std::string& owner, std::int64_t id,
                                                  const std::string& name_space,
                                                  std::optional<std::int64_t> batch_size,
                                                  Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  drop_idle(now);
  const Position cursor = find(owner, id);
  if (cursor == cursors_.end() || cursor->name_space != name_space) {
    return mongo_error(kCursorNotFound, "cursor id " + std::to_string(id) + " not found");
  }
  cursor->used = now;
  if (batch_size == 0) batch_size.reset();
  const bson::View all = cursor->results.view().get_document();
  const bson::Document batch = take_batch(cursor->at, all.end(), batch_size);
  const bool has_more = cursor->at != all.end();
  if (!has_more) drop(cursor);
  return reply(has_more ? id : 0, name_space, "nextBatch", batch);
}

bool AppUserCursors::kill(const std::string& owner, std::int64_t id) {
  const std::lock_guard lock(mutex_);
  const Position cursor = find(owner, id);
  if (cursor == cursors_.end()) return false;
  drop(cursor);
  return true;
}

AppUserCursors::Position AppUserCursors::find(const std::string& owner, std::int64_t id) {
  for (Position it = cursors_.begin(); it != cursors_.end(); ++it) {
    if (it->id == id && it->owner == owner) return it;
  }
  return cursors_.end();
}

void AppUserCursors::drop(Position cursor) {
  bytes_ -= cursor->results.view().get_document().size();
  cursors_.erase(cursor);
}

void AppUserCursors::drop_idle(Clock::time_point now) {
  for (Position it = cursors_.begin(); it != cursors_.end();) {
    const Position cursor = it++;
    if (now - cursor->used > limits_.idle) drop(cursor);
  }
}

}  // namespace restitch::api::wire
