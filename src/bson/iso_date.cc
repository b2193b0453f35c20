#include "bson/iso_date.h"

#include <chrono>

namespace restitch::bson {
namespace {

constexpr std::int64_t kMillisPerDay = 86'400'000;
constexpr std::int64_t kFirstIsoMillis = -62'167'219'200'000;  // 0000-01-01T00:00:00Z
constexpr std::int64_t kEndOfIsoMillis = 253'402'300'800'000;  // 10000-01-01T00:00:00Z

void append_padded(std::string& out, unsigned value, int digits) {
  char text[8];
  for (int i = digits - 1; i >= 0; --i) {
    text[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out.append(text, static_cast<std::size_t>(digits));
}

// A cursor over the text; every reader returns false when the text does not continue as asked.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }

  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool digits(int count, int& out) {
    if (text_.size() < static_cast<std::size_t>(count)) return false;
    out = 0;
    for (int i = 0; i < count; ++i) {
      const char c = text_[static_cast<std::size_t>(i)];
      if (c < '0' || c > '9') return false;
      out = out * 10 + (c - '0');
    }
    text_.remove_prefix(static_cast<std::size_t>(count));
    return true;
  }

  // One or more digits after the point, as milliseconds.
  bool fraction(int& millis) {
    int digit = 0;
    int scale = 100;
    if (!digits(1, digit)) return false;
    millis = 0;
    do {
      millis += digit * scale;
      scale /= 10;
    } while (digits(1, digit));
    return true;
  }

 private:
  std::string_view text_;
};

struct Clock {
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millis = 0;
};

bool read_clock(Reader& in, Clock& out) {
  if (!in.digits(2, out.hour) || !in.take(':') || !in.digits(2, out.minute)) return false;
  if (in.take(':')) {
    if (!in.digits(2, out.second)) return false;
    if (in.take('.') && !in.fraction(out.millis)) return false;
  }
  return out.hour < 24 && out.minute < 60 && out.second < 60;
}

bool read_zone(Reader& in, int& minutes) {
  if (in.take('Z')) return true;
  const bool negative = in.take('-');
  if (!negative && !in.take('+')) return false;
  int hours = 0;
  int rest = 0;
  if (!in.digits(2, hours)) return false;
  if (!in.done()) {
    in.take(':');
    if (!in.digits(2, rest)) return false;
  }
  if (hours > 23 || rest > 59) return false;
  minutes = (hours * 60 + rest) * (negative ? -1 : 1);
  return true;
}

}  // namespace

bool has_iso_form(std::int64_t millis) {
  return millis >= kFirstIsoMillis && millis < kEndOfIsoMillis;
}

void append_iso_date(std::string& out, std::int64_t millis) {
  std::int64_t days = millis / kMillisPerDay;
  std::int64_t rest = millis % kMillisPerDay;
  if (rest < 0) {
    rest += kMillisPerDay;
    --days;
  }
  const std::chrono::year_month_day date(
      std::chrono::sys_days(std::chrono::days(static_cast<int>(days))));
  const auto in_day = static_cast<unsigned>(rest);
  append_padded(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  out.push_back('-');
  append_padded(out, static_cast<unsigned>(date.month()), 2);
  out.push_back('-');
  append_padded(out, static_cast<unsigned>(date.day()), 2);
  out.push_back('T');
  append_padded(out, in_day / 3'600'000, 2);
  out.push_back(':');
  append_padded(out, in_day / 60'000 % 60, 2);
  out.push_back(':');
  append_padded(out, in_day / 1'000 % 60, 2);
  if (in_day % 1'000 != 0) {
    out.push_back('.');
    append_padded(out, in_day % 1'000, 3);
  }
  out.push_back('Z');
}

std::optional<std::int64_t> parse_iso_date(std::string_view text) {
  Reader in(text);
  int year = 0;
  int month = 0;
  int day = 0;
  if (!in.digits(4, year) || !in.take('-') || !in.digits(2, month) || !in.take('-') ||
      !in.digits(2, day)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  Clock clock;
  int zone = 0;
  if (!in.done()) {
    if (!in.take('T') || !read_clock(in, clock) || !read_zone(in, zone) || !in.done()) {
      return std::nullopt;
    }
  }
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + clock.hour) * 60 + clock.minute - zone) * 60'000 + clock.second * 1'000 +
         clock.millis;
}

}  // namespace restitch::bson
