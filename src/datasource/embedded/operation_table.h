#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>

#include "bson/document.h"

namespace restitch::datasource::embedded {

struct Operation;
class OperationTable;

// The place of one running command in the table; leaves it when it is destroyed.
class OperationEntry {
 public:
  OperationEntry() = default;
  OperationEntry(const OperationEntry&) = delete;
  OperationEntry& operator=(const OperationEntry&) = delete;
  ~OperationEntry();

  std::int32_t id() const { return id_; }
  std::chrono::steady_clock::time_point started() const { return started_; }
  // Set by whoever wants the command to end: the code it ends with. Zero while it may go on.
  const std::atomic<int>& interrupt() const { return interrupt_; }

 private:
  friend class OperationTable;

  OperationTable* table_ = nullptr;
  Operation* operation_ = nullptr;
  OperationEntry* next_ = nullptr;
  OperationEntry* previous_ = nullptr;
  std::int32_t id_ = 0;
  std::chrono::steady_clock::time_point started_;
  std::atomic<int> interrupt_{0};
};

// All running commands: for currentOp and killOp. Thread-safe; entering and leaving neither
// allocates nor meets other threads often.
class OperationTable {
 public:
  // What is read of `operation` later (database, command, caller) must not change any more.
  void enter(OperationEntry& entry, Operation& operation);

  // False if there is no such command.
  bool interrupt(std::int32_t id, int code);
  // Interrupts the commands that the predicate picks by their lsid (16 bytes, may be empty).
  void interrupt_sessions(const std::function<bool(std::string_view)>& picks, int code,
                          const OperationEntry* except);
  // Calls `visit` for each, with the table's locks held: it must be short.
  void for_each(const std::function<void(const OperationEntry&, const Operation&)>& visit) const;

 private:
  friend class OperationEntry;

  struct alignas(64) Shard {
    mutable std::mutex mutex;
    OperationEntry* first = nullptr;
  };
  static constexpr std::size_t kShards = 16;

  Shard& shard_of(std::int32_t id) { return shards_[static_cast<std::uint32_t>(id) % kShards]; }
  void leave(OperationEntry& entry);

  std::atomic<std::uint32_t> last_id_{0};
  std::array<Shard, kShards> shards_;
};

}  // namespace restitch::datasource::embedded
