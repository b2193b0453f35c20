#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasource/embedded/change_log.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// Place of a change in the log.
struct LogPosition {
  bson::Timestamp time;
  std::uint32_t index = 0;  // in its transaction

  // Behind every change of that time, and in front of every change of it.
  static LogPosition after(bson::Timestamp time) { return {time, UINT32_MAX}; }
  static LogPosition before(bson::Timestamp time);

  auto operator<=>(const LogPosition&) const = default;
};

// The time that follows: the earliest that a later change can have.
bson::Timestamp next_time(bson::Timestamp time);

enum class ChangeKind : std::uint8_t {
  kInsert,
  kUpdate,
  kReplace,
  kDelete,
  kDrop,
  kRename,
  kDropDatabase,
  kCreate,
  kCreateIndexes,
  kDropIndexes,
  kModify,
  kUnknown,
};
// `operationType` of events.
std::string_view operation_type(ChangeKind kind);
// Only shown with showExpandedEvents.
bool is_expanded(ChangeKind kind);

// An entry of the change log with the members that are asked for again and again. Immutable, shared
// by all streams.
struct LogEntry {
  explicit LogEntry(storage::ChangeLogEntry stored);

  LogPosition position;
  bson::Document body;
  std::optional<bson::Document> pre_image;
  ChangeKind kind = ChangeKind::kUnknown;
  std::string_view ns;          // in `body`
  std::string_view database;    // of `ns`
  std::string_view collection;  // of `ns`; empty for dropDatabase
  std::string target;           // full name that a rename gives; else empty
  bool is_view = false;

  std::size_t bytes() const;
  LogEntry(const LogEntry&) = delete;
  LogEntry& operator=(const LogEntry&) = delete;
};
using LogEntryPtr = std::shared_ptr<const LogEntry>;

// What a stream watches: a collection, a database (no collection), or everything (no database
// either).
struct StreamScope {
  std::string database;
  std::string collection;

  bool is_cluster() const { return database.empty(); }
  bool is_database() const { return !database.empty() && collection.empty(); }
  bool is_collection() const { return !collection.empty(); }
  std::string full() const { return database + "." + collection; }
  // Whether the change can give an event of the stream.
  bool covers(const LogEntry& entry) const;
};

}  // namespace restitch::datasource::embedded
