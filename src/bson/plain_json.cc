#include "bson/plain_json.h"

#include <charconv>
#include <cmath>

#include "base/encoding.h"
#include "bson/decimal.h"
#include "bson/extended_json.h"
#include "bson/iso_date.h"

namespace restitch::bson {
namespace {

constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

void append_text(std::string& out, std::string_view text) {
  append_json(out, Value::of(text).view());
}

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out.append("null");
    return;
  }
  char text[40];
  const bool is_whole = value == std::trunc(value) && std::fabs(value) < kExactIntegers;
  const auto [end, failed] =
      is_whole ? std::to_chars(text, text + sizeof(text), static_cast<std::int64_t>(value))
               : std::to_chars(text, text + sizeof(text), value);
  out.append(text, end);
}

// With milliseconds always, as JavaScript prints dates.
void append_date(std::string& out, Date date) {
  if (!has_iso_form(date.millis)) {
    out.append(std::to_string(date.millis));
    return;
  }
  std::string text;
  append_iso_date(text, date.millis);
  if (text.find('.') == std::string::npos) text.insert(text.size() - 1, ".000");
  append_text(out, text);
}

void append_value(std::string& out, ValueView value);

void append_members(std::string& out, View document, bool is_array) {
  out.push_back(is_array ? '[' : '{');
  bool is_first = true;
  for (const Element& element : document) {
    if (!is_array && element.value.type() == Type::kUndefined) continue;
    if (!is_first) out.push_back(',');
    is_first = false;
    if (!is_array) {
      append_text(out, element.name);
      out.push_back(':');
    }
    append_value(out, element.value);
  }
  out.push_back(is_array ? ']' : '}');
}

void append_binary(std::string& out, BinaryView binary) {
  out.append("{\"Subtype\":").append(std::to_string(binary.subtype)).append(",\"Data\":\"");
  out.append(to_base64(binary.bytes)).append("\"}");
}

void append_value(std::string& out, ValueView value) {
  switch (value.type()) {
    case Type::kDouble:
      return append_number(out, value.get_double());
    case Type::kInt32:
      out.append(std::to_string(value.get_int32()));
      return;
    case Type::kInt64:
      out.append(std::to_string(value.get_int64()));
      return;
    case Type::kString:
    case Type::kSymbol:
    case Type::kCode:
      return append_text(out, value.get_string());
    case Type::kObject:
      return append_members(out, value.get_document(), false);
    case Type::kArray:
      return append_members(out, value.get_document(), true);
    case Type::kBinary:
      return append_binary(out, value.get_binary());
    case Type::kObjectId:
      return append_text(out, value.get_object_id().to_hex());
    case Type::kBool:
      out.append(value.get_bool() ? "true" : "false");
      return;
    case Type::kDate:
      return append_date(out, value.get_date());
    case Type::kMissing:
    case Type::kUndefined:
    case Type::kNull:
      out.append("null");
      return;
    case Type::kMinKey:
    case Type::kMaxKey:
      out.append("{}");
      return;
    default:
      break;
  }
  if (value.type() == Type::kRegex) {
    out.append("{\"Pattern\":");
    append_text(out, value.get_regex().pattern);
    out.append(",\"Options\":");
    append_text(out, value.get_regex().options);
    out.push_back('}');
  } else if (value.type() == Type::kTimestamp) {
    const Timestamp time = value.get_timestamp();
    out.append("{\"T\":").append(std::to_string(time.seconds)).append(",\"I\":");
    out.append(std::to_string(time.increment)).push_back('}');
  } else if (value.type() == Type::kDecimal128) {
    append_text(out, to_string(value.get_decimal128()));
  } else {
    append_json(out, value);
  }
}

}  // namespace

std::string to_plain_json(ValueView value) {
  std::string out;
  append_value(out, value);
  return out;
}

}  // namespace restitch::bson
