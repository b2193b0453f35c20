#include <charconv>
#include <cmath>

#include "base/encoding.h"
#include "bson/decimal.h"
#include "bson/extended_json.h"
#include "bson/iso_date.h"
#include "bson/json_text.h"
#include "bson/scoped_code.h"

namespace restitch::bson {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

template <typename T>
void append_integer(std::string& out, T value) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  out.append(text, static_cast<std::size_t>(end.ptr - text));
}

void append_escape(std::string& out, char c) {
  switch (c) {
    case '"':
      out.append("\\\"");
      return;
    case '\\':
      out.append("\\\\");
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    case '\b':
      out.append("\\b");
      return;
    case '\f':
      out.append("\\f");
      return;
    default:
      out.append("\\u00");
      out.push_back(kHexDigits[static_cast<unsigned char>(c) >> 4U]);
      out.push_back(kHexDigits[static_cast<unsigned char>(c) & 0xFU]);
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    const char* const stop = end_of_plain_run(at, end);
    out.append(at, static_cast<std::size_t>(stop - at));
    if (stop == end) break;
    append_escape(out, *stop);
    at = stop + 1;
  }
  out.push_back('"');
}

void append_object_id(std::string& out, std::string_view bytes) {
  out.append("{\"$oid\":\"");
  for (const char c : bytes) {
    out.push_back(kHexDigits[static_cast<unsigned char>(c) >> 4U]);
    out.push_back(kHexDigits[static_cast<unsigned char>(c) & 0xFU]);
  }
  out.append("\"}");
}

void append_binary_json(std::string& out, BinaryView binary) {
  std::string_view bytes = binary.bytes;
  // Subtype 2 repeats its length inside; the text form holds the payload alone.
  if (binary.subtype == 2 && bytes.size() >= 4) bytes.remove_prefix(4);
  out.append("{\"$binary\":{\"base64\":\"");
  out.append(to_base64(bytes));
  out.append("\",\"subType\":\"");
  out.push_back(kHexDigits[binary.subtype >> 4U]);
  out.push_back(kHexDigits[binary.subtype & 0xFU]);
  out.append("\"}}");
}

class Writer {
 public:
  Writer(std::string& out, JsonMode mode) : out_(out), relaxed_(mode == JsonMode::kRelaxed) {}

  void value(ValueView value) {
    switch (value.type()) {
      case Type::kDouble:
        return number(value.get_double());
      case Type::kString:
        return append_quoted(out_, value.get_string());
      case Type::kObject:
        return object(value.get_document());
      case Type::kArray:
        return array(value.get_document());
      case Type::kBinary:
        return append_binary_json(out_, value.get_binary());
      case Type::kObjectId:
        return append_object_id(out_, value.raw());
      case Type::kBool:
        out_.append(value.get_bool() ? "true" : "false");
        return;
      case Type::kDate:
        return date(value.get_date());
      case Type::kNull:
        out_.append("null");
        return;
      case Type::kRegex:
        return regex(value.get_regex());
      case Type::kDbPointer:
        return db_pointer(value.raw());
      case Type::kCode:
        return wrapped_text("{\"$code\":", value.get_string());
      case Type::kSymbol:
        return wrapped_text("{\"$symbol\":", value.get_string());
      case Type::kCodeWithScope:
        return code_with_scope(value);
      case Type::kInt32:
        return integer("{\"$numberInt\":\"", value.get_int32());
      case Type::kTimestamp:
        return timestamp(value.get_timestamp());
      case Type::kInt64:
        return integer("{\"$numberLong\":\"", value.get_int64());
      case Type::kDecimal128:
        out_.append("{\"$numberDecimal\":\"");
        append_string(out_, value.get_decimal128());
        out_.append("\"}");
        return;
      case Type::kMinKey:
        out_.append("{\"$minKey\":1}");
        return;
      case Type::kMaxKey:
        out_.append("{\"$maxKey\":1}");
        return;
      case Type::kMissing:
      case Type::kUndefined:
        out_.append("{\"$undefined\":true}");
        return;
    }
  }

  void object(View view) {
    out_.push_back('{');
    bool first = true;
    for (const Element& element : view) {
      if (!first) out_.push_back(',');
      first = false;
      append_quoted(out_, element.name);
      out_.push_back(':');
      value(element.value);
    }
    out_.push_back('}');
  }

 private:
  void array(View view) {
    out_.push_back('[');
    bool first = true;
    for (const Element& element : view) {
      if (!first) out_.push_back(',');
      first = false;
      value(element.value);
    }
    out_.push_back(']');
  }

  void number(double value) {
    if (relaxed_ && std::isfinite(value)) return append_double(out_, value);
    out_.append("{\"$numberDouble\":\"");
    append_double(out_, value);
    out_.append("\"}");
  }

  template <typename T>
  void integer(std::string_view wrapper, T value) {
    if (relaxed_) return append_integer(out_, value);
    out_.append(wrapper);
    append_integer(out_, value);
    out_.append("\"}");
  }

  void date(Date value) {
    out_.append("{\"$date\":");
    if (relaxed_ && value.millis >= 0 && has_iso_form(value.millis)) {
      out_.push_back('"');
      append_iso_date(out_, value.millis);
      out_.append("\"}");
      return;
    }
    out_.append("{\"$numberLong\":\"");
    append_integer(out_, value.millis);
    out_.append("\"}}");
  }

  void timestamp(Timestamp value) {
    out_.append("{\"$timestamp\":{\"t\":");
    append_integer(out_, value.seconds);
    out_.append(",\"i\":");
    append_integer(out_, value.increment);
    out_.append("}}");
  }

  void regex(RegexView value) {
    out_.append("{\"$regularExpression\":{\"pattern\":");
    append_quoted(out_, value.pattern);
    out_.append(",\"options\":");
    append_quoted(out_, value.options);
    out_.append("}}");
  }

  void db_pointer(std::string_view raw) {
    out_.append("{\"$dbPointer\":{\"$ref\":");
    append_quoted(out_, raw.substr(4, raw.size() - 4 - 1 - 12));
    out_.append(",\"$id\":");
    append_object_id(out_, raw.substr(raw.size() - 12));
    out_.append("}}");
  }

  void wrapped_text(std::string_view wrapper, std::string_view text) {
    out_.append(wrapper);
    append_quoted(out_, text);
    out_.push_back('}');
  }

  void code_with_scope(ValueView value) {
    const ScopedCode scoped = scoped_code(value);
    out_.append("{\"$code\":");
    append_quoted(out_, scoped.code);
    out_.append(",\"$scope\":");
    object(scoped.scope);
    out_.push_back('}');
  }

  std::string& out_;
  bool relaxed_;
};

}  // namespace

void append_double(std::string& out, double value) {
  constexpr double kPlainIntegers = 1e15;
  constexpr int kLeastPlainExponent = -7;
  constexpr int kFirstLargeExponent = 17;
  if (std::isnan(value)) {
    out.append("NaN");
    return;
  }
  if (std::isinf(value)) {
    out.append(value < 0 ? "-Infinity" : "Infinity");
    return;
  }
  if (std::fabs(value) < kPlainIntegers && value == std::trunc(value)) {
    if (value == 0.0 && std::signbit(value)) out.push_back('-');
    append_integer(out, static_cast<std::int64_t>(value));
    out.append(".0");
    return;
  }
  char text[40];
  auto end = std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific);
  const std::string_view scientific(text, static_cast<std::size_t>(end.ptr - text));
  const std::size_t mark = scientific.find('e');
  int exponent = 0;
  std::from_chars(text + mark + (scientific[mark + 1] == '+' ? 2 : 1), end.ptr, exponent);
  const std::string_view mantissa = scientific.substr(0, mark);
  if (exponent < kLeastPlainExponent || exponent >= kFirstLargeExponent) {
    out.append(mantissa);
    if (mantissa.find('.') == std::string_view::npos) out.append(".0");
    out.append(exponent < 0 ? "E" : "E+");
    append_integer(out, exponent);
    return;
  }
  end = std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed);
  const std::string_view plain(text, static_cast<std::size_t>(end.ptr - text));
  out.append(plain);
  if (plain.find('.') == std::string_view::npos) out.append(".0");
}

void append_json(std::string& out, ValueView value, JsonMode mode) {
  Writer(out, mode).value(value);
}

std::string to_json(ValueView value, JsonMode mode) {
  std::string out;
  out.reserve(value.raw().size() * 2);
  append_json(out, value, mode);
  return out;
}

std::string to_json(View document, JsonMode mode) {
  std::string out;
  out.reserve(document.size() * 2);
  Writer(out, mode).object(document);
  return out;
}

}  // namespace restitch::bson
