#include <charconv>
#include <cstring>

#include "bson/compare.h"
#include "bson/key_encoding.h"
#include "bson/key_format.h"
#include "bson/key_numbers.h"
#include "bson/key_reader.h"

namespace restitch::bson {
namespace {

constexpr int kMaxKeyDepth = 256;

std::uint8_t byte_of(KeyClass key_class) { return static_cast<std::uint8_t>(key_class); }

void append_u32(std::string& out, std::uint64_t value) {
  const auto word = static_cast<std::uint32_t>(value);
  out.append(reinterpret_cast<const char*>(&word), 4);
}

// Rebuilds values as BSON bytes behind each other in `out`. Nested objects are written in place.
class Decoder {
 public:
  Decoder(KeyReader& key, KeyReader& type_bits) : key_(key), type_bits_(type_bits) {}

  Result<Type> value(std::string& out, int depth) {
    RESTITCH_TRY(const std::uint8_t class_byte, key_.byte());
    if (is_number_class(class_byte)) {
      RESTITCH_TRY(const Value number, decode_number_key(class_byte, key_, type_bits_));
      out.append(number.view().raw());
      return number.type();
    }
    switch (static_cast<KeyClass>(class_byte)) {
      case KeyClass::kMinKey:
        return Type::kMinKey;
      case KeyClass::kUndefined:
        return Type::kUndefined;
      case KeyClass::kNull:
        return alternative(Type::kNull, Type::kMissing);
      case KeyClass::kString:
        RESTITCH_CHECK(counted_text(out));
        return alternative(Type::kString, Type::kSymbol);
      case KeyClass::kObject:
        RESTITCH_CHECK(object(out, depth + 1));
        return Type::kObject;
      case KeyClass::kArray:
        RESTITCH_CHECK(array(out, depth + 1));
        return Type::kArray;
      case KeyClass::kBinary:
        RESTITCH_CHECK(binary(out));
        return Type::kBinary;
      case KeyClass::kObjectId:
        RESTITCH_CHECK(key_.copy(12, out));
        return Type::kObjectId;
      case KeyClass::kFalse:
      case KeyClass::kTrue:
        out.push_back(class_byte == byte_of(KeyClass::kTrue) ? '\1' : '\0');
        return Type::kBool;
      case KeyClass::kDate:
        RESTITCH_CHECK(eight_bytes(out, 1ULL << 63U));
        return Type::kDate;
      case KeyClass::kTimestamp:
        RESTITCH_CHECK(eight_bytes(out, 0));
        return Type::kTimestamp;
      case KeyClass::kRegex:
        RESTITCH_CHECK(name(out));
        RESTITCH_CHECK(name(out));
        return Type::kRegex;
      case KeyClass::kDbPointer:
        RESTITCH_CHECK(db_pointer(out));
        return Type::kDbPointer;
      case KeyClass::kCode:
        RESTITCH_CHECK(counted_text(out));
        return Type::kCode;
      case KeyClass::kCodeWithScope:
        RESTITCH_CHECK(code_with_scope(out, depth + 1));
        return Type::kCodeWithScope;
      case KeyClass::kMaxKey:
        return Type::kMaxKey;
      default:
        return corrupt_key("unknown class byte");
    }
  }

 private:
  Result<Type> alternative(Type usual, Type other) {
    switch (static_cast<TypeBits>(type_bits_.byte_or_zero())) {
      case TypeBits::kDefault:
        return usual;
      case TypeBits::kAlternate:
        return other;
      default:
        return corrupt_key("bad type bits");
    }
  }

  Status eight_bytes(std::string& out, std::uint64_t flip) {
    RESTITCH_TRY(const std::uint64_t bits, key_.big_endian(8));
    const std::uint64_t value = bits ^ flip;
    out.append(reinterpret_cast<const char*>(&value), 8);
    return {};
  }

  Status counted_text(std::string& out) {
    const std::size_t start = out.size();
    out.append(4, '\0');
    while (true) {
      RESTITCH_TRY(std::uint8_t byte, key_.byte());
      if (byte == kKeyEnd) break;
      if (byte == kTextEscape) {
        RESTITCH_TRY(const std::uint8_t escaped, key_.byte());
        if (escaped != 1 && escaped != 2) return corrupt_key("bad escape");
        byte = static_cast<std::uint8_t>(escaped - 1);
      }
      out.push_back(static_cast<char>(byte));
    }
    out.push_back('\0');
    patch_length(out, start, out.size() - start - 4);
    return {};
  }

  // A name or pattern with its terminator.
  Status name(std::string& out) {
    while (true) {
      RESTITCH_TRY(const std::uint8_t byte, key_.byte());
      out.push_back(static_cast<char>(byte));
      if (byte == kKeyEnd) return {};
    }
  }

  Status binary(std::string& out) {
    RESTITCH_TRY(std::uint64_t size, key_.big_endian(1));
    if (size == kLongBinary) {
      RESTITCH_TRY(size, key_.big_endian(4));
      if (size < kLongBinary) return corrupt_key("bad binary length");
    }
    append_u32(out, size);
    return key_.copy(size + 1, out);
  }

  Status db_pointer(std::string& out) {
    RESTITCH_TRY(const std::uint64_t size, key_.big_endian(4));
    if (size < 12 + 1) return corrupt_key("bad pointer length");
    append_u32(out, size - 12);
    RESTITCH_CHECK(key_.copy(size, out));
    return out[out.size() - 13] == '\0' ? Status{} : corrupt_key("pointer name has no end");
  }

  Status code_with_scope(std::string& out, int depth) {
    const std::size_t start = out.size();
    out.append(4, '\0');
    RESTITCH_CHECK(counted_text(out));
    RESTITCH_CHECK(object(out, depth));
    patch_length(out, start, out.size() - start);
    return {};
  }

  static void patch_length(std::string& out, std::size_t start, std::size_t length) {
    const auto word = static_cast<std::uint32_t>(length);
    std::memcpy(out.data() + start, &word, 4);
  }

  static void close(std::string& out, std::size_t start) {
    out.push_back('\0');
    patch_length(out, start, out.size() - start);
  }

  // Reads an element's value behind its header, whose type byte stands at `header`.
  Status element(std::string& out, std::size_t header, int depth) {
    RESTITCH_TRY(const Type type, value(out, depth));
    if (type == Type::kMissing) return corrupt_key("missing value inside an object");
    out[header] = static_cast<char>(type);
    return {};
  }

  Status object(std::string& out, int depth) {
    if (depth > kMaxKeyDepth) return corrupt_key("nested too deeply");
    const std::size_t start = out.size();
    out.append(4, '\0');
    while (true) {
      RESTITCH_TRY(const std::uint8_t class_byte, key_.byte());
      if (class_byte == kKeyEnd) break;
      const std::size_t header = out.size();
      out.push_back('\0');
      RESTITCH_CHECK(name(out));
      RESTITCH_CHECK(element(out, header, depth));
      if (canonical_class(static_cast<Type>(out[header])) + 1 != class_byte) {
        return corrupt_key("member of another class than announced");
      }
    }
    close(out, start);
    return {};
  }

  Status array(std::string& out, int depth) {
    if (depth > kMaxKeyDepth) return corrupt_key("nested too deeply");
    const std::size_t start = out.size();
    out.append(4, '\0');
    for (std::uint32_t index = 0;; ++index) {
      if (key_.at_end_byte()) break;
      const std::size_t header = out.size();
      out.push_back('\0');
      char text[12];
      const auto end = std::to_chars(text, text + sizeof(text), index);
      out.append(text, static_cast<std::size_t>(end.ptr - text));
      out.push_back('\0');
      RESTITCH_CHECK(element(out, header, depth));
    }
    RESTITCH_CHECK(key_.skip(1));
    close(out, start);
    return {};
  }

  KeyReader& key_;
  KeyReader& type_bits_;
};

// Finds the end of values without rebuilding them.
class Skipper {
 public:
  explicit Skipper(KeyReader& key) : key_(key) {}

  Status value(int depth) {
    RESTITCH_TRY(const std::uint8_t class_byte, key_.byte());
    if (is_number_class(class_byte)) return skip_number_key(class_byte, key_);
    switch (static_cast<KeyClass>(class_byte)) {
      case KeyClass::kMinKey:
      case KeyClass::kUndefined:
      case KeyClass::kNull:
      case KeyClass::kFalse:
      case KeyClass::kTrue:
      case KeyClass::kMaxKey:
        return {};
      case KeyClass::kString:
      case KeyClass::kCode:
        return key_.skip_text();
      case KeyClass::kObject:
        return object(depth + 1);
      case KeyClass::kArray:
        return array(depth + 1);
      case KeyClass::kBinary:
        return binary();
      case KeyClass::kObjectId:
        return key_.skip(12);
      case KeyClass::kDate:
      case KeyClass::kTimestamp:
        return key_.skip(8);
      case KeyClass::kRegex:
        RESTITCH_CHECK(key_.skip_text());
        return key_.skip_text();
      case KeyClass::kDbPointer: {
        RESTITCH_TRY(const std::uint64_t size, key_.big_endian(4));
        return key_.skip(size);
      }
      case KeyClass::kCodeWithScope:
        RESTITCH_CHECK(key_.skip_text());
        return object(depth + 1);
      default:
        return corrupt_key("unknown class byte");
    }
  }

 private:
  Status binary() {
    RESTITCH_TRY(std::uint64_t size, key_.big_endian(1));
    if (size == kLongBinary) {
      RESTITCH_TRY(size, key_.big_endian(4));
    }
    return key_.skip(size + 1);
  }

  Status object(int depth) {
    if (depth > kMaxKeyDepth) return corrupt_key("nested too deeply");
    while (!key_.at_end_byte()) {
      RESTITCH_CHECK(key_.skip(1));
      RESTITCH_CHECK(key_.skip_text());
      RESTITCH_CHECK(value(depth));
    }
    return key_.skip(1);
  }

  Status array(int depth) {
    if (depth > kMaxKeyDepth) return corrupt_key("nested too deeply");
    while (!key_.at_end_byte()) RESTITCH_CHECK(value(depth));
    return key_.skip(1);
  }

  KeyReader& key_;
};

}  // namespace

Result<Value> decode_key(std::string_view& key, std::string_view& type_bits, bool descending) {
  KeyReader key_reader(key, descending);
  KeyReader bits_reader(type_bits, false);
  std::string bytes;
  RESTITCH_TRY(const Type type, Decoder(key_reader, bits_reader).value(bytes, 0));
  key = key_reader.rest();
  type_bits = bits_reader.rest();
  return Value(type, std::move(bytes));
}

Result<std::size_t> encoded_length(std::string_view key, bool descending) {
  KeyReader reader(key, descending);
  RESTITCH_CHECK(Skipper(reader).value(0));
  return reader.position();
}

}  // namespace restitch::bson
