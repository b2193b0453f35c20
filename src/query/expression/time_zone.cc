#include "query/expression/time_zone.h"

#include <unicode/basictz.h>
#include <unicode/timezone.h>

#include <optional>
#include <string>

#include "query/expression/calendar.h"

namespace restitch::query {

struct TimeZone::Zone {
  std::unique_ptr<const icu::BasicTimeZone> zone;
};

namespace {

std::optional<int> two_digits(std::string_view text) {
  if (text.size() < 2 || text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
    return std::nullopt;
  }
  return (text[0] - '0') * 10 + (text[1] - '0');
}

// "+hh", "+hhmm", "+hh:mm" in milliseconds.
std::optional<std::int64_t> parse_offset(std::string_view text) {
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const std::int64_t sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hours = two_digits(text);
  if (!hours) return std::nullopt;
  text.remove_prefix(2);
  if (text.empty()) return sign * *hours * kMillisPerHour;
  if (text.front() == ':') text.remove_prefix(1);
  const auto minutes = two_digits(text);
  if (!minutes || text.size() != 2) return std::nullopt;
  return sign * (*hours * kMillisPerHour + *minutes * kMillisPerMinute);
}

std::unique_ptr<const icu::BasicTimeZone> find_zone(std::string_view name) {
  const auto id =
      icu::UnicodeString::fromUTF8({name.data(), static_cast<std::int32_t>(name.size())});
  UErrorCode status = U_ZERO_ERROR;
  UBool is_system = 0;
  icu::UnicodeString canonical;
  icu::TimeZone::getCanonicalID(id, canonical, is_system, status);
  if (U_FAILURE(status) != 0 || is_system == 0) return nullptr;
  std::unique_ptr<icu::TimeZone> zone(icu::TimeZone::createTimeZone(id));
  const auto* basic = dynamic_cast<const icu::BasicTimeZone*>(zone.get());
  if (basic == nullptr) return nullptr;
  static_cast<void>(zone.release());
  return std::unique_ptr<const icu::BasicTimeZone>(basic);
}

// The zone asked for last on this thread: expressions name one zone over and over.
struct LastZone {
  std::string name;
  TimeZone zone;
};

}  // namespace

TimeZone TimeZone::fixed(std::int64_t offset_millis) {
  TimeZone zone;
  zone.offset_ = offset_millis;
  return zone;
}

Result<TimeZone> TimeZone::parse(std::string_view name) {
  if (name == "UTC" || name == "GMT" || name == "Z") return TimeZone();
  if (const auto offset = parse_offset(name)) return fixed(*offset);
  thread_local LastZone last;
  if (!name.empty() && last.name == name) return last.zone;
  auto found = find_zone(name);
  if (!found) {
    return mongo_error(40485, "unrecognized time zone identifier: \"" + std::string(name) + "\"");
  }
  TimeZone zone;
  zone.zone_ = std::make_shared<const Zone>(Zone{std::move(found)});
  last = {std::string(name), zone};
  return zone;
}

std::int64_t TimeZone::offset_at(std::int64_t utc_millis) const {
  if (!zone_) return offset_;
  std::int32_t raw = 0;
  std::int32_t daylight = 0;
  UErrorCode status = U_ZERO_ERROR;
  zone_->zone->getOffset(static_cast<UDate>(utc_millis), 0, raw, daylight, status);
  return static_cast<std::int64_t>(raw) + daylight;
}

std::int64_t TimeZone::to_utc(std::int64_t local_millis) const {
  if (!zone_) return local_millis - offset_;
  std::int32_t raw = 0;
  std::int32_t daylight = 0;
  UErrorCode status = U_ZERO_ERROR;
  zone_->zone->getOffsetFromLocal(static_cast<UDate>(local_millis), UCAL_TZ_LOCAL_FORMER,
                                  UCAL_TZ_LOCAL_FORMER, raw, daylight, status);
  return local_millis - raw - daylight;
}

}  // namespace restitch::query
