#include "rules/batches.h"

#include <utility>

namespace restitch::rules {

void Batches::look_at_reply(const char* batch) {
  const auto cursor = reply_["cursor"].as_object();
  current_ = bson::View();
  cursor_ = 0;
  if (!cursor) return;
  cursor_ = cursor->find("id").as_integer().value_or(0);
  if (const auto documents = cursor->find(batch).as_array()) current_ = *documents;
}

Task<void> Batches::open(bson::Builder command) {
  RESTITCH_CO_TRY(reply_,
                  co_await datasource::run_command(*source_, database_, std::move(command), call_));
  look_at_reply("firstBatch");
  co_return Status();
}

Task<bool> Batches::next() {
  if (cursor_ == 0) co_return false;
  bson::Builder command;
  command.append("getMore", cursor_);
  command.append("collection", collection_);
  RESTITCH_CO_TRY(reply_,
                  co_await datasource::run_command(*source_, database_, std::move(command), call_));
  look_at_reply("nextBatch");
  co_return true;
}

Task<void> Batches::close() {
  const std::int64_t id = std::exchange(cursor_, 0);
  if (id == 0) co_return Status();
  bson::Builder command;
  command.append("killCursors", collection_);
  command.open_array("cursors").push(id).close();
  auto reply = co_await datasource::run_command(*source_, database_, std::move(command), call_);
  static_cast<void>(reply);
  co_return Status();
}

}  // namespace restitch::rules
