#include "bson/key_encoding.h"

#include <cstring>

#include "bson/compare.h"
#include "bson/key_format.h"
#include "bson/key_numbers.h"
#include "bson/scoped_code.h"

namespace restitch::bson {
namespace {

void put(std::string& out, KeyClass key_class) { out.push_back(static_cast<char>(key_class)); }
void put_end(std::string& out) { out.push_back(static_cast<char>(kKeyEnd)); }

void put_text(std::string& out, std::string_view text) {
  while (true) {
    std::size_t plain = 0;
    while (plain < text.size() && static_cast<std::uint8_t>(text[plain]) > kTextEscape) ++plain;
    out.append(text.substr(0, plain));
    if (plain == text.size()) break;
    out.push_back(static_cast<char>(kTextEscape));
    out.push_back(static_cast<char>(text[plain] + 1));
    text.remove_prefix(plain + 1);
  }
  put_end(out);
}

void put_name(std::string& out, std::string_view name) {
  out.append(name);
  put_end(out);
}

void put_ascending(std::string& out, ValueView value);

void put_object(std::string& out, View view) {
  for (const Element& element : view) {
    // One byte a canonical class, above kKeyEnd: what the order looks at before the name.
    out.push_back(static_cast<char>(canonical_class(element.value.type()) + 1));
    put_name(out, element.name);
    put_ascending(out, element.value);
  }
  put_end(out);
}

void put_array(std::string& out, View view) {
  for (const Element& element : view) put_ascending(out, element.value);
  put_end(out);
}

void put_binary(std::string& out, BinaryView binary) {
  if (binary.bytes.size() < kLongBinary) {
    out.push_back(static_cast<char>(binary.bytes.size()));
  } else {
    out.push_back(static_cast<char>(kLongBinary));
    append_big_endian(out, binary.bytes.size(), 4);
  }
  out.push_back(static_cast<char>(binary.subtype));
  out.append(binary.bytes);
}

void put_ascending(std::string& out, ValueView value) {
  switch (value.type()) {
    case Type::kMinKey:
      return put(out, KeyClass::kMinKey);
    case Type::kUndefined:
      return put(out, KeyClass::kUndefined);
    case Type::kMissing:
    case Type::kNull:
      return put(out, KeyClass::kNull);
    case Type::kInt32:
    case Type::kInt64:
    case Type::kDouble:
    case Type::kDecimal128:
      return append_number_key(out, value);
    case Type::kString:
    case Type::kSymbol:
      put(out, KeyClass::kString);
      return put_text(out, value.get_string());
    case Type::kObject:
      put(out, KeyClass::kObject);
      return put_object(out, value.get_document());
    case Type::kArray:
      put(out, KeyClass::kArray);
      return put_array(out, value.get_document());
    case Type::kBinary:
      put(out, KeyClass::kBinary);
      return put_binary(out, value.get_binary());
    case Type::kObjectId:
      put(out, KeyClass::kObjectId);
      out.append(value.raw());
      return;
    case Type::kBool:
      return put(out, value.get_bool() ? KeyClass::kTrue : KeyClass::kFalse);
    case Type::kDate:
      put(out, KeyClass::kDate);
      return append_big_endian(
          out, static_cast<std::uint64_t>(value.get_date().millis) ^ 1ULL << 63U, 8);
    case Type::kTimestamp:
      put(out, KeyClass::kTimestamp);
      append_big_endian(out, value.get_timestamp().seconds, 4);
      return append_big_endian(out, value.get_timestamp().increment, 4);
    case Type::kRegex:
      put(out, KeyClass::kRegex);
      put_name(out, value.get_regex().pattern);
      return put_name(out, value.get_regex().options);
    case Type::kDbPointer:
      put(out, KeyClass::kDbPointer);
      append_big_endian(out, value.raw().size() - 4, 4);
      out.append(value.raw().substr(4));
      return;
    case Type::kCode:
      put(out, KeyClass::kCode);
      return put_text(out, value.get_string());
    case Type::kCodeWithScope:
      put(out, KeyClass::kCodeWithScope);
      put_text(out, scoped_code(value).code);
      return put_object(out, scoped_code(value).scope);
    case Type::kMaxKey:
      return put(out, KeyClass::kMaxKey);
  }
}

void append_alternate(std::string& out, bool alternate) {
  out.push_back(static_cast<char>(alternate ? TypeBits::kAlternate : TypeBits::kDefault));
}

}  // namespace

void append_key(std::string& out, ValueView value, bool descending) {
  const std::size_t start = out.size();
  put_ascending(out, value);
  if (!descending) return;
  for (std::size_t i = start; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
}

void append_type_bits(std::string& out, ValueView value) {
  switch (value.type()) {
    case Type::kInt32:
    case Type::kInt64:
    case Type::kDouble:
    case Type::kDecimal128:
      return append_number_type_bits(out, value);
    case Type::kString:
    case Type::kSymbol:
      return append_alternate(out, value.type() == Type::kSymbol);
    case Type::kNull:
    case Type::kMissing:
      return append_alternate(out, value.type() == Type::kMissing);
    case Type::kObject:
    case Type::kArray:
      for (const Element& element : value.get_document()) append_type_bits(out, element.value);
      return;
    case Type::kCodeWithScope:
      for (const Element& element : scoped_code(value).scope) append_type_bits(out, element.value);
      return;
    default:
      return;
  }
}

}  // namespace restitch::bson
