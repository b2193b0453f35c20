#include <charconv>
#include <cmath>

#include "bson/decimal.h"
#include "bson/extended_json.h"
#include "bson/scoped_code.h"

namespace restitch::bson {
namespace {

void append_hex(std::string& out, std::string_view bytes, const char* digits) {
  for (const char c : bytes) {
    out.push_back(digits[static_cast<unsigned char>(c) >> 4U]);
    out.push_back(digits[static_cast<unsigned char>(c) & 0xFU]);
  }
}

constexpr char kLower[] = "0123456789abcdef";
constexpr char kUpper[] = "0123456789ABCDEF";

// Sixteen significant digits at most, and a point for whole numbers.
void append_shell_double(std::string& out, double value) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof(text), value, std::chars_format::general, 16);
  const std::string_view number(text, static_cast<std::size_t>(end.ptr - text));
  out.append(number);
  if (std::isfinite(value) && number.find_first_of(".e") == std::string_view::npos)
    out.append(".0");
}

void append_value(std::string& out, ValueView value);

void append_object(std::string& out, View view) {
  if (view.empty()) {
    out.append("{}");
    return;
  }
  std::string_view separator = "{ ";
  for (const Element& element : view) {
    out.append(separator).append(element.name).append(": ");
    append_value(out, element.value);
    separator = ", ";
  }
  out.append(" }");
}

void append_array(std::string& out, View view) {
  if (view.empty()) {
    out.append("[]");
    return;
  }
  std::string_view separator = "[ ";
  for (const Element& element : view) {
    out.append(separator);
    append_value(out, element.value);
    separator = ", ";
  }
  out.append(" ]");
}

void append_value(std::string& out, ValueView value) {
  switch (value.type()) {
    case Type::kDouble:
      return append_shell_double(out, value.get_double());
    case Type::kString:
    case Type::kSymbol:
      out.append("\"").append(value.get_string()).append("\"");
      return;
    case Type::kObject:
      return append_object(out, value.get_document());
    case Type::kArray:
      return append_array(out, value.get_document());
    case Type::kBinary: {
      const BinaryView binary = value.get_binary();
      out.append("BinData(").append(std::to_string(binary.subtype)).append(", ");
      append_hex(out, binary.bytes, kUpper);
      out.append(")");
      return;
    }
    case Type::kUndefined:
      out.append("undefined");
      return;
    case Type::kObjectId:
      out.append("ObjectId('");
      append_hex(out, value.raw(), kLower);
      out.append("')");
      return;
    case Type::kBool:
      out.append(value.get_bool() ? "true" : "false");
      return;
    case Type::kDate:
      out.append("new Date(").append(std::to_string(value.get_date().millis)).append(")");
      return;
    case Type::kMissing:
    case Type::kNull:
      out.append("null");
      return;
    case Type::kRegex: {
      const RegexView regex = value.get_regex();
      out.append("/").append(regex.pattern).append("/").append(regex.options);
      return;
    }
    case Type::kDbPointer: {
      const std::string_view raw = value.raw();
      out.append("DBRef('").append(raw.substr(4, raw.size() - 4 - 1 - 12)).append("',");
      append_hex(out, raw.substr(raw.size() - 12), kLower);
      out.append(")");
      return;
    }
    case Type::kCode:
      out.append(value.get_string());
      return;
    case Type::kCodeWithScope: {
      const ScopedCode scoped = scoped_code(value);
      out.append("CodeWScope( ").append(scoped.code).append(", ");
      append_object(out, scoped.scope);
      out.append(")");
      return;
    }
    case Type::kInt32:
      out.append(std::to_string(value.get_int32()));
      return;
    case Type::kTimestamp: {
      const Timestamp time = value.get_timestamp();
      out.append("Timestamp(").append(std::to_string(time.seconds)).append(", ");
      out.append(std::to_string(time.increment)).append(")");
      return;
    }
    case Type::kInt64:
      out.append(std::to_string(value.get_int64()));
      return;
    case Type::kDecimal128:
      return append_string(out, value.get_decimal128());
    case Type::kMinKey:
      out.append("MinKey");
      return;
    case Type::kMaxKey:
      out.append("MaxKey");
      return;
  }
}

}  // namespace

std::string to_shell(ValueView value) {
  std::string out;
  append_value(out, value);
  return out;
}

std::string to_shell(View document) {
  std::string out;
  append_object(out, document);
  return out;
}

}  // namespace restitch::bson
