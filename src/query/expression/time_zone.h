#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace restitch::query {

// A fixed offset or a zone of the Olson data base (ICU). Immutable, cheap to copy, thread-safe.
class TimeZone {
 public:
  TimeZone() = default;  // UTC

  // "Europe/Berlin", "UTC", "GMT", "+02", "+0200", "+02:00". Error 40485 for anything else.
  static Result<TimeZone> parse(std::string_view name);
  static TimeZone fixed(std::int64_t offset_millis);

  std::int64_t offset_at(std::int64_t utc_millis) const;
  std::int64_t to_local(std::int64_t utc_millis) const {
    return utc_millis + offset_at(utc_millis);
  }
  // The moment of a wall-clock time. One that occurs twice is the first; one that is skipped counts
  // on from the offset before the gap.
  std::int64_t to_utc(std::int64_t local_millis) const;
  bool is_utc() const { return !zone_ && offset_ == 0; }

  struct Zone;

 private:
  std::shared_ptr<const Zone> zone_;
  std::int64_t offset_ = 0;
};

}  // namespace restitch::query
