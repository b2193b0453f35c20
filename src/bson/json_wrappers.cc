#include "bson/json_wrappers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/encoding.h"
#include "bson/decimal.h"
#include "bson/iso_date.h"
#include "bson/json_text.h"

namespace restitch::bson {
namespace {

constexpr std::uint8_t kOldBinarySubtype = 2;
constexpr std::uint8_t kUuidSubtype = 4;

bool set(WrapperValue& out, Type type, const void* data, std::size_t size) {
  out.type = type;
  out.bytes.assign(static_cast<const char*>(data), size);
  return true;
}

bool set_empty(WrapperValue& out, Type type) { return set(out, type, "", 0); }

void append_u32(std::string& out, std::size_t value) {
  const auto word = static_cast<std::uint32_t>(value);
  out.append(reinterpret_cast<const char*>(&word), 4);
}

void append_counted(std::string& out, std::string_view text) {
  append_u32(out, text.size() + 1);
  out.append(text).push_back('\0');
}

template <typename T>
bool parse_whole(std::string_view text, T& value) {
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  return end.ec == std::errc() && end.ptr == text.data() + text.size();
}

template <typename T>
bool integer_text(ValueView value, Type type, WrapperValue& out) {
  const auto text = value.as_string();
  T number = 0;
  return text && parse_whole(*text, number) && set(out, type, &number, sizeof(T));
}

bool number_int(View object, WrapperValue& out) {
  return integer_text<std::int32_t>(object.begin()->value, Type::kInt32, out);
}

bool number_long(View object, WrapperValue& out) {
  return integer_text<std::int64_t>(object.begin()->value, Type::kInt64, out);
}

bool number_double(View object, WrapperValue& out) {
  const auto text = object.begin()->value.as_string();
  if (!text) return false;
  double number = 0;
  if (*text == "NaN") {
    number = std::numeric_limits<double>::quiet_NaN();
  } else if (*text == "Infinity" || *text == "-Infinity") {
    number = (*text)[0] == '-' ? -std::numeric_limits<double>::infinity()
                               : std::numeric_limits<double>::infinity();
  } else {
    // from_chars also knows "inf" and "nan", which are no form of this wrapper.
    if (text->find_first_not_of("0123456789+-.eE") != std::string_view::npos) return false;
    if (!parse_whole(*text, number)) return false;
  }
  return set(out, Type::kDouble, &number, 8);
}

bool number_decimal(View object, WrapperValue& out) {
  const auto text = object.begin()->value.as_string();
  const auto number = text ? decimal_from_string_exact(*text) : std::nullopt;
  if (!number) return false;
  const std::uint64_t halves[2] = {number->low, number->high};
  return set(out, Type::kDecimal128, halves, 16);
}

bool object_id(View object, WrapperValue& out) {
  const auto text = object.begin()->value.as_string();
  const auto id = text ? ObjectId::from_hex(*text) : std::nullopt;
  return id && set(out, Type::kObjectId, id->bytes.data(), 12);
}

bool date(View object, WrapperValue& out) {
  const ValueView value = object.begin()->value;
  std::optional<std::int64_t> millis;
  if (const auto text = value.as_string()) {
    millis = parse_iso_date(*text);
  } else if (value.type() != Type::kDecimal128) {
    millis = value.as_integer();
  }
  return millis && set(out, Type::kDate, &*millis, 8);
}

bool set_binary(WrapperValue& out, std::uint8_t subtype, std::string_view bytes) {
  out.type = Type::kBinary;
  out.bytes.clear();
  const bool repeats_length = subtype == kOldBinarySubtype;
  append_u32(out.bytes, bytes.size() + (repeats_length ? 4 : 0));
  out.bytes.push_back(static_cast<char>(subtype));
  if (repeats_length) append_u32(out.bytes, bytes.size());
  out.bytes.append(bytes);
  return true;
}

// One or two hex digits, or a small integer.
std::optional<std::uint8_t> subtype_of(ValueView value) {
  unsigned subtype = 256;
  if (const auto text = value.as_string()) {
    if (text->empty() || text->size() > 2) return std::nullopt;
    const auto end = std::from_chars(text->data(), text->data() + text->size(), subtype, 16);
    if (end.ec != std::errc() || end.ptr != text->data() + text->size()) return std::nullopt;
  } else if (value.type() == Type::kInt32 && value.get_int32() >= 0) {
    subtype = static_cast<unsigned>(value.get_int32());
  }
  return subtype < 256 ? std::optional(static_cast<std::uint8_t>(subtype)) : std::nullopt;
}

bool binary_parts(ValueView base64, ValueView subtype, WrapperValue& out) {
  const auto text = base64.as_string();
  const auto kind = subtype_of(subtype);
  if (!text || !kind) return false;
  const auto bytes = from_base64(*text);
  return bytes && set_binary(out, *kind, *bytes);
}

bool binary(View object, WrapperValue& out) {
  const auto inner = object.begin()->value.as_object();
  if (!inner || inner->count() != 2) return false;
  return inner->find("subType").type() == Type::kString &&
         binary_parts(inner->find("base64"), inner->find("subType"), out);
}

bool legacy_binary(View object, WrapperValue& out) {
  return binary_parts(object.find("$binary"), object.find("$type"), out);
}

bool uuid(View object, WrapperValue& out) {
  const auto text = object.begin()->value.as_string();
  if (!text || text->size() != 36) return false;
  std::string hex;
  for (std::size_t i = 0; i < text->size(); ++i) {
    const bool is_hyphen_place = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_hyphen_place != ((*text)[i] == '-')) return false;
    if (!is_hyphen_place) hex.push_back((*text)[i]);
  }
  const auto bytes = from_hex(hex);
  return bytes && set_binary(out, kUuidSubtype, *bytes);
}

std::optional<std::uint32_t> u32_of(ValueView value) {
  const auto number = value.is_number() ? value.as_integer() : std::nullopt;
  if (!number || *number < 0 || *number > std::numeric_limits<std::uint32_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(*number);
}

bool timestamp(View object, WrapperValue& out) {
  const auto inner = object.begin()->value.as_object();
  if (!inner || inner->count() != 2) return false;
  const auto seconds = u32_of(inner->find("t"));
  const auto increment = u32_of(inner->find("i"));
  if (!seconds || !increment) return false;
  const std::uint64_t bits = static_cast<std::uint64_t>(*seconds) << 32U | *increment;
  return set(out, Type::kTimestamp, &bits, 8);
}

bool regex_parts(ValueView pattern, ValueView options, WrapperValue& out) {
  if (pattern.type() != Type::kString || options.type() != Type::kString) return false;
  const std::string_view text = pattern.get_string();
  std::string sorted(options.get_string());
  if (text.find('\0') != std::string_view::npos || sorted.find('\0') != std::string::npos) {
    return false;
  }
  // Options are single letters, of ASCII all; sorting the bytes of others would tear them.
  if (ascii_prefix(sorted) != sorted.size()) return false;
  std::sort(sorted.begin(), sorted.end());
  out.type = Type::kRegex;
  out.bytes.assign(text).push_back('\0');
  out.bytes.append(sorted).push_back('\0');
  return true;
}

bool regular_expression(View object, WrapperValue& out) {
  const auto inner = object.begin()->value.as_object();
  if (!inner || inner->count() != 2) return false;
  return regex_parts(inner->find("pattern"), inner->find("options"), out);
}

bool legacy_regex(View object, WrapperValue& out) {
  return regex_parts(object.find("$regex"), object.find("$options"), out);
}

bool text_value(ValueView value, Type type, WrapperValue& out) {
  if (value.type() != Type::kString) return false;
  return set(out, type, value.raw().data(), value.raw().size());
}

bool symbol(View object, WrapperValue& out) {
  return text_value(object.begin()->value, Type::kSymbol, out);
}

bool code(View object, WrapperValue& out) {
  return text_value(object.begin()->value, Type::kCode, out);
}

bool code_with_scope(View object, WrapperValue& out) {
  const auto text = object.find("$code").as_string();
  const auto scope = object.find("$scope").as_object();
  if (!text || !scope) return false;
  out.type = Type::kCodeWithScope;
  out.bytes.clear();
  append_u32(out.bytes, 4 + 4 + text->size() + 1 + scope->size());
  append_counted(out.bytes, *text);
  out.bytes.append(scope->bytes());
  return true;
}

bool db_pointer(View object, WrapperValue& out) {
  const auto inner = object.begin()->value.as_object();
  if (!inner || inner->count() != 2) return false;
  const auto name = inner->find("$ref").as_string();
  const auto id = inner->find("$id").as_object_id();
  if (!name || !id) return false;
  out.type = Type::kDbPointer;
  out.bytes.clear();
  append_counted(out.bytes, *name);
  out.bytes.append(reinterpret_cast<const char*>(id->bytes.data()), 12);
  return true;
}

bool is_one(ValueView value) { return value.type() == Type::kInt32 && value.get_int32() == 1; }

bool min_key(View object, WrapperValue& out) {
  return is_one(object.begin()->value) && set_empty(out, Type::kMinKey);
}

bool max_key(View object, WrapperValue& out) {
  return is_one(object.begin()->value) && set_empty(out, Type::kMaxKey);
}

bool undefined(View object, WrapperValue& out) {
  return object.begin()->value.as_bool().value_or(false) && set_empty(out, Type::kUndefined);
}

using Interpreter = bool (*)(View, WrapperValue&);

// Wrappers of one member, by its name.
struct Single {
  std::string_view name;
  Interpreter interpret;
};

constexpr Single kSingles[] = {
    {"$numberInt", number_int},
    {"$numberLong", number_long},
    {"$numberDouble", number_double},
    {"$oid", object_id},
    {"$date", date},
    {"$numberDecimal", number_decimal},
    {"$binary", binary},
    {"$uuid", uuid},
    {"$timestamp", timestamp},
    {"$regularExpression", regular_expression},
    {"$undefined", undefined},
    {"$minKey", min_key},
    {"$maxKey", max_key},
    {"$code", code},
    {"$symbol", symbol},
    {"$dbPointer", db_pointer},
};

// Wrappers of two members, in either order. `is_operator` marks pairs that queries use as well, so
// that members of other types than text leave the object alone.
struct Pair {
  std::string_view first;
  std::string_view second;
  Interpreter interpret;
  bool is_operator;
};

constexpr Pair kPairs[] = {
    {"$binary", "$type", legacy_binary, false},
    {"$code", "$scope", code_with_scope, false},
    {"$regex", "$options", legacy_regex, true},
};

WrapperOutcome finish(bool converted, std::string_view name, WrapperValue& out) {
  if (converted) return WrapperOutcome::kConverted;
  out.problem.assign("bad value for ").append(name);
  return WrapperOutcome::kBad;
}

const Pair* find_pair(std::string_view a, std::string_view b) {
  for (const Pair& pair : kPairs) {
    if ((a == pair.first && b == pair.second) || (a == pair.second && b == pair.first))
      return &pair;
  }
  return nullptr;
}

}  // namespace

WrapperOutcome interpret_wrapper(View object, WrapperValue& out) {
  auto member = object.begin();
  const std::string_view name = member->name;
  ++member;
  const bool is_single = member == object.end();
  if (!is_single) {
    const std::string_view second = member->name;
    ++member;
    const Pair* pair = member == object.end() ? find_pair(name, second) : nullptr;
    if (pair != nullptr) {
      const bool converted = pair->interpret(object, out);
      if (!converted && pair->is_operator) return WrapperOutcome::kNotWrapper;
      return finish(converted, pair->first, out);
    }
  }
  for (const Single& single : kSingles) {
    if (single.name != name) continue;
    if (is_single) return finish(single.interpret(object, out), name, out);
    out.problem.assign(name).append(" stands with other members");
    return WrapperOutcome::kBad;
  }
  return WrapperOutcome::kNotWrapper;
}

}  // namespace restitch::bson
