#include <charconv>
#include <cstring>

#include "bson/decimal.h"
#include "bson/decimal_parts.h"

namespace restitch::bson {
namespace {

constexpr std::int64_t kExponentCap = 1'000'000'000;

// What was cut off behind the last kept digit, as a share of that digit's unit.
enum class Rest : std::uint8_t { kNothing, kBelowHalf, kHalf, kAboveHalf };

Rest with_digit(unsigned digit, Rest below) {
  if (digit == 5) return below == Rest::kNothing ? Rest::kHalf : Rest::kAboveHalf;
  if (digit > 5) return Rest::kAboveHalf;
  return digit == 0 && below == Rest::kNothing ? Rest::kNothing : Rest::kBelowHalf;
}

struct Digits {
  Uint128 coefficient = 0;
  std::int64_t exponent = 0;
  Rest rest = Rest::kNothing;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equals_ignoring_case(std::string_view text, std::string_view lower_case) {
  if (text.size() != lower_case.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != lower_case[i]) return false;
  }
  return true;
}

// Reads digits with at most one point from the front of `text`; false if there is no digit.
bool read_digits(std::string_view& text, Digits& out) {
  bool any = false;
  bool after_point = false;
  int kept = 0;
  bool first_cut = true;
  while (!text.empty()) {
    const char c = text.front();
    if (c == '.' && !after_point) {
      after_point = true;
    } else if (is_digit(c)) {
      any = true;
      const auto digit = static_cast<unsigned>(c - '0');
      if (kept < kDecimalDigits) {
        out.coefficient = out.coefficient * 10 + digit;
        if (out.coefficient != 0) ++kept;
        if (after_point) --out.exponent;
      } else {
        if (first_cut) {
          out.rest = with_digit(digit, Rest::kNothing);
          first_cut = false;
        } else if (digit != 0) {
          if (out.rest == Rest::kNothing) out.rest = Rest::kBelowHalf;
          if (out.rest == Rest::kHalf) out.rest = Rest::kAboveHalf;
        }
        if (!after_point) ++out.exponent;
      }
    } else {
      break;
    }
    text.remove_prefix(1);
  }
  return any;
}

// Reads "E", an optional sign and digits up to the end of `text`.
bool read_exponent(std::string_view text, std::int64_t& exponent) {
  text.remove_prefix(1);
  const bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  if (text.empty()) return false;
  std::int64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    if (value < kExponentCap) value = value * 10 + (c - '0');
  }
  exponent += negative ? -value : value;
  return true;
}

// Brings the exponent into range and rounds half to even. False above the range.
bool fit(Digits& digits) {
  while (digits.exponent < kMinDecimalExponent) {
    if (digits.coefficient == 0 && digits.rest == Rest::kNothing) {
      digits.exponent = kMinDecimalExponent;
      break;
    }
    if (digits.coefficient == 0) {
      digits.rest = Rest::kBelowHalf;
      digits.exponent = kMinDecimalExponent;
      break;
    }
    digits.rest = with_digit(static_cast<unsigned>(digits.coefficient % 10), digits.rest);
    digits.coefficient /= 10;
    ++digits.exponent;
  }
  const bool odd = (digits.coefficient & 1U) != 0;
  if (digits.rest == Rest::kAboveHalf || (digits.rest == Rest::kHalf && odd)) {
    if (++digits.coefficient == power_of_ten(kDecimalDigits)) {
      digits.coefficient /= 10;
      ++digits.exponent;
    }
  }
  if (digits.coefficient == 0 && digits.exponent > kMaxDecimalExponent) {
    digits.exponent = kMaxDecimalExponent;
  }
  while (digits.exponent > kMaxDecimalExponent) {
    if (digits.coefficient * 10 >= power_of_ten(kDecimalDigits)) return false;
    digits.coefficient *= 10;
    --digits.exponent;
  }
  return true;
}

std::optional<Decimal128> parse(std::string_view text, bool exact) {
  DecimalParts parts;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    parts.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (equals_ignoring_case(text, "nan")) {
    parts.kind = DecimalParts::Kind::kNan;
    parts.negative = false;
    return join(parts);
  }
  if (equals_ignoring_case(text, "inf") || equals_ignoring_case(text, "infinity")) {
    parts.kind = DecimalParts::Kind::kInfinite;
    return join(parts);
  }
  Digits digits;
  if (!read_digits(text, digits)) return std::nullopt;
  if (!text.empty()) {
    if (lower(text.front()) != 'e' || !read_exponent(text, digits.exponent)) return std::nullopt;
  }
  if (!fit(digits)) return std::nullopt;
  if (exact && digits.rest != Rest::kNothing) return std::nullopt;
  parts.coefficient = digits.coefficient;
  parts.exponent = static_cast<int>(digits.exponent);
  return join(parts);
}

std::size_t write_digits(Uint128 value, char (&buffer)[40]) {
  char* at = buffer + sizeof(buffer);
  do {
    *--at = static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  const auto size = static_cast<std::size_t>(buffer + sizeof(buffer) - at);
  std::memmove(buffer, at, size);
  return size;
}

void append_scientific(std::string& out, std::string_view digits, int adjusted) {
  out.push_back(digits.front());
  if (digits.size() > 1) {
    out.push_back('.');
    out.append(digits.substr(1));
  }
  out.push_back('E');
  out.push_back(adjusted < 0 ? '-' : '+');
  char text[8];
  const auto end = std::to_chars(text, text + sizeof(text), adjusted < 0 ? -adjusted : adjusted);
  out.append(text, end.ptr);
}

void append_plain(std::string& out, std::string_view digits, int exponent) {
  if (exponent == 0) {
    out.append(digits);
    return;
  }
  const auto fraction = static_cast<std::size_t>(-exponent);
  if (fraction < digits.size()) {
    out.append(digits.substr(0, digits.size() - fraction));
    out.push_back('.');
    out.append(digits.substr(digits.size() - fraction));
    return;
  }
  out.append("0.");
  out.append(fraction - digits.size(), '0');
  out.append(digits);
}

}  // namespace

std::optional<Decimal128> decimal_from_string(std::string_view text) { return parse(text, false); }

std::optional<Decimal128> decimal_from_string_exact(std::string_view text) {
  return parse(text, true);
}

void append_string(std::string& out, Decimal128 value) {
  const DecimalParts parts = split(value);
  if (parts.kind == DecimalParts::Kind::kNan) {
    out.append("NaN");
    return;
  }
  if (parts.negative) out.push_back('-');
  if (parts.kind == DecimalParts::Kind::kInfinite) {
    out.append("Infinity");
    return;
  }
  char buffer[40];
  const std::string_view digits(buffer, write_digits(parts.coefficient, buffer));
  const int adjusted = parts.exponent + static_cast<int>(digits.size()) - 1;
  if (parts.exponent > 0 || adjusted < -6) {
    append_scientific(out, digits, adjusted);
  } else {
    append_plain(out, digits, parts.exponent);
  }
}

std::string to_string(Decimal128 value) {
  std::string out;
  append_string(out, value);
  return out;
}

}  // namespace restitch::bson
