#include "datasource/embedded/operation_table.h"

#include "datasource/embedded/operation.h"

namespace restitch::datasource::embedded {

OperationEntry::~OperationEntry() {
  if (table_ != nullptr) table_->leave(*this);
}

void OperationTable::enter(OperationEntry& entry, Operation& operation) {
  constexpr std::uint32_t kPositive = 0x7FFFFFFFU;
  entry.table_ = this;
  entry.operation_ = &operation;
  entry.id_ = static_cast<std::int32_t>(++last_id_ & kPositive);
  entry.started_ = std::chrono::steady_clock::now();
  Shard& shard = shard_of(entry.id_);
  const std::lock_guard lock(shard.mutex);
  entry.next_ = shard.first;
  if (shard.first != nullptr) shard.first->previous_ = &entry;
  shard.first = &entry;
}

void OperationTable::leave(OperationEntry& entry) {
  Shard& shard = shard_of(entry.id_);
  const std::lock_guard lock(shard.mutex);
  if (entry.next_ != nullptr) entry.next_->previous_ = entry.previous_;
  if (entry.previous_ != nullptr) {
    entry.previous_->next_ = entry.next_;
  } else {
    shard.first = entry.next_;
  }
}

bool OperationTable::interrupt(std::int32_t id, int code) {
  if (id <= 0) return false;
  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  for (OperationEntry* entry = shard.first; entry != nullptr; entry = entry->next_) {
    if (entry->id_ != id) continue;
    entry->interrupt_ = code;
    return true;
  }
  return false;
}

void OperationTable::interrupt_sessions(const std::function<bool(std::string_view)>& picks,
                                        int code, const OperationEntry* except) {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (OperationEntry* entry = shard.first; entry != nullptr; entry = entry->next_) {
      if (entry == except) continue;
      const std::string key = session_key_of(*entry->operation_);
      if (!key.empty() && picks(key)) entry->interrupt_ = code;
    }
  }
}

void OperationTable::for_each(
    const std::function<void(const OperationEntry&, const Operation&)>& visit) const {
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const OperationEntry* entry = shard.first; entry != nullptr; entry = entry->next_) {
      visit(*entry, *entry->operation_);
    }
  }
}

}  // namespace restitch::datasource::embedded
