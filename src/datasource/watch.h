#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bson/document.h"
#include "datasource/data_source.h"

namespace restitch::datasource {

// Whether the source refused to open a stream because it has none: a server that is no replica set,
// or one that does not know the stage.
bool lacks_change_streams(const Error& error);

// The struct has a constructor of its own for the reason given in client.h.
struct WatchOptions {
  WatchOptions() {}

  bson::Document pipeline;                  // an array: the stages behind $changeStream
  std::string full_document;                // updateLookup, whenAvailable, required; empty: default
  std::string full_document_before_change;  // whenAvailable, required; empty: off
  // Where to begin; at most one. None: with what happens from now on.
  bson::Document resume_after, start_after;
  std::optional<bson::Timestamp> start_at;
  bool shows_expanded_events = false;
  std::chrono::milliseconds max_wait{1000};
  std::int32_t batch_size = 0;  // 0: the source's default
};

// The change events of a collection, a database or a whole deployment (spec: mongodb-engine §12).
// It goes on by itself after errors that allow it, losing and repeating nothing. Not thread-safe;
// close() may come while another method waits. `source` and the Watch must outlive every Task.
class Watch {
 public:
  // `collection` empty: the database; `database` empty too: the deployment.
  Watch(DataSource& source, std::string database, std::string collection,
        WatchOptions options = {});
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Begins at once; next_batch() does it otherwise. Events of changes made after it has returned
  // are given.
  Task<void> open();
  // The next events; none when nothing happened for `max_wait`, or at the end. kClosing after
  // close().
  Task<std::vector<bson::Document>> next_batch();
  // Ends it at the source and in a next_batch() that waits.
  Task<void> close();

  // Where a later Watch goes on (resume_after; start_after behind an invalidate event): behind
  // every event that was given. Empty before the first reply.
  const bson::Document& resume_token() const { return token_; }
  // An invalidate event has ended it: nothing more comes.
  bool has_ended() const { return is_over_; }

 private:
  bson::Document open_command() const;
  bson::Document get_more_command() const;
  Task<std::vector<bson::Document>> run(bson::Document command);
  Task<void> rest(std::chrono::steady_clock::time_point asked) const;
  std::vector<bson::Document> take_events(bson::View cursor, std::string_view batch_name);

  DataSource* source_;
  std::string database_, collection_;
  WatchOptions options_;
  std::int64_t id_ = 0;
  bson::Document token_;
  std::vector<bson::Document> first_;  // events that came with the opening
  bool can_resume_ = false;            // what the last error allows
  bool has_given_ = false;             // an event has come
  bool is_closed_ = false;
  bool is_over_ = false;
};

}  // namespace restitch::datasource
