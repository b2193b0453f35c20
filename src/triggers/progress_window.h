#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "triggers/trigger_store.h"

namespace restitch::triggers {

// The events that were taken from a stream and are not yet done with, in the stream's order. They
// may end in any order; the place moves only past those that have no unfinished one before them.
class ProgressWindow {
 public:
  // Returns the event's number.
  std::uint64_t take(bson::Document token, std::optional<bson::Timestamp> time, std::size_t bytes) {
    entries_.push_back({std::move(token), time, bytes, false, false});
    bytes_ += bytes;
    ++open_;
    return first_ + entries_.size() - 1;
  }

  void finish(std::uint64_t number, bool has_failed) {
    Entry& entry = entries_[static_cast<std::size_t>(number - first_)];
    entry.is_done = true;
    entry.has_failed = has_failed;
    bytes_ -= entry.bytes;
    --open_;
    while (!entries_.empty() && entries_.front().is_done) pop();
  }
  // The event is not done with and nobody works on it any more: the place stays before it.
  void abandon(std::uint64_t number) {
    bytes_ -= entries_[static_cast<std::size_t>(number - first_)].bytes;
    --open_;
  }

  // Deliveries under way, and the bytes of their events.
  std::size_t open() const { return open_; }
  std::size_t bytes() const { return bytes_; }
  // Taken events that the place has not passed.
  std::size_t size() const { return entries_.size(); }

  bool has_progress() const { return has_progress_; }
  Progress take_progress() {
    has_progress_ = false;
    return std::exchange(progress_, {});
  }
  // Moves the place without an event; only while nothing is taken.
  void move_to(bson::Document token) {
    progress_.token = std::move(token);
    has_progress_ = true;
  }

 private:
  struct Entry {
    bson::Document token;
    std::optional<bson::Timestamp> time;
    std::size_t bytes = 0;
    bool is_done = false, has_failed = false;
  };

  void pop() {
    Entry& entry = entries_.front();
    progress_.token = std::move(entry.token);
    if (entry.time) progress_.cluster_time = entry.time;
    ++progress_.delivered;
    if (entry.has_failed) ++progress_.failed;
    has_progress_ = true;
    entries_.pop_front();
    ++first_;
  }

  std::deque<Entry> entries_;
  std::uint64_t first_ = 0;
  std::size_t open_ = 0, bytes_ = 0;
  Progress progress_;
  bool has_progress_ = false;
};

}  // namespace restitch::triggers
