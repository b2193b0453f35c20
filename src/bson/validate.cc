#include "bson/validate.h"

#include <cstring>
#include <vector>

#include "base/encoding.h"
#include "bson/json_text.h"

namespace restitch::bson {
namespace {

constexpr int kInvalidBson = 22;
constexpr int kOverflow = 15;
constexpr std::uint8_t kOldBinarySubtype = 2;

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, kInvalidBson, "invalid BSON: " + std::move(message));
}

bool is_text(std::string_view bytes) {
  const std::size_t ascii = ascii_prefix(bytes);
  return ascii == bytes.size() || is_valid_utf8(bytes.substr(ascii));
}

// Walks the bytes front to back with an explicit stack of the ends of the open documents, so that
// nesting costs heap of bounded size and every byte is looked at once.
class Validator {
 public:
  Validator(std::string_view bytes, const ValidateOptions& options)
      : bytes_(bytes), max_depth_(static_cast<std::size_t>(options.max_depth)) {}

  Status run() {
    RESTITCH_CHECK(open_document(bytes_.size(), 0));
    if (ends_.back().end != bytes_.size()) return invalid("length does not match the bytes given");
    while (!ends_.empty()) RESTITCH_CHECK(step());
    return {};
  }

 private:
  struct Frame {
    std::size_t end;           // just behind the terminator
    std::size_t required_end;  // of the value around a scope; 0 elsewhere
  };

  Status step() {
    const std::size_t end = ends_.back().end;
    const auto type_byte = static_cast<std::uint8_t>(bytes_[at_]);
    if (type_byte == 0) {
      if (at_ + 1 != end) return invalid("document ends before its length");
      ++at_;
      ends_.pop_back();
      return {};
    }
    if (at_ + 1 == end) return invalid("document is not terminated");
    ++at_;
    RESTITCH_CHECK(text_to_nul("field name"));
    return value(static_cast<Type>(type_byte));
  }

  // Bytes left for values in the open document; its terminator is not one of them.
  std::size_t room() const { return ends_.back().end - 1 - at_; }

  std::uint32_t load_u32(std::size_t at) const {
    std::uint32_t value;
    std::memcpy(&value, bytes_.data() + at, 4);
    return value;
  }

  Status skip(std::size_t size) {
    if (size > room()) return invalid("value runs over the end of its document");
    at_ += size;
    return {};
  }

  // A length of 4 bytes at the front of a value, which must be at least `least`.
  Result<std::size_t> length(std::size_t least) {
    const std::size_t start = at_;
    RESTITCH_CHECK(skip(4));
    const std::uint32_t size = load_u32(start);
    if (size < least || size > static_cast<std::uint32_t>(INT32_MAX)) return invalid("bad length");
    return static_cast<std::size_t>(size);
  }

  Status text_to_nul(const char* what) {
    const char* start = bytes_.data() + at_;
    const void* nul = std::memchr(start, 0, room());
    if (nul == nullptr) return invalid(std::string(what) + " is not terminated");
    const auto size = static_cast<std::size_t>(static_cast<const char*>(nul) - start);
    if (!is_text({start, size})) return invalid(std::string(what) + " is not UTF-8");
    at_ += size + 1;
    return {};
  }

  Status counted_text() {
    RESTITCH_TRY(const std::size_t size, length(1));
    const std::size_t start = at_;
    RESTITCH_CHECK(skip(size));
    if (bytes_[at_ - 1] != '\0') return invalid("string is not terminated");
    if (!is_text(bytes_.substr(start, size - 1))) return invalid("string is not UTF-8");
    return {};
  }

  Status binary() {
    RESTITCH_TRY(const std::size_t size, length(0));
    const std::size_t start = at_;
    RESTITCH_CHECK(skip(size + 1));
    if (static_cast<std::uint8_t>(bytes_[start]) != kOldBinarySubtype) return {};
    if (size < 4 || load_u32(start + 1) != size - 4)
      return invalid("bad length in binary subtype 2");
    return {};
  }

  Status boolean() {
    const std::size_t start = at_;
    RESTITCH_CHECK(skip(1));
    if (static_cast<std::uint8_t>(bytes_[start]) > 1) return invalid("boolean is neither 0 nor 1");
    return {};
  }

  // Enters the document at the cursor, which may take up to `available` bytes.
  Status open_document(std::size_t available, std::size_t required_end) {
    if (available < 5) return invalid("document is too short");
    const std::uint32_t size = load_u32(at_);
    if (size < 5 || size > available) return invalid("bad document length");
    if (ends_.size() >= max_depth_) {
      return Error(ErrorCode::kInvalidArgument, kOverflow,
                   "BSON nesting exceeds " + std::to_string(max_depth_) + " levels");
    }
    ends_.push_back({at_ + size, required_end});
    if (required_end != 0 && at_ + size != required_end)
      return invalid("bad length of code with scope");
    at_ += 4;
    return {};
  }

  Status code_with_scope() {
    const std::size_t start = at_;
    RESTITCH_TRY(const std::size_t size, length(4 + 4 + 1 + 5));
    if (size - 4 > room()) return invalid("value runs over the end of its document");
    RESTITCH_CHECK(counted_text());
    const std::size_t end = start + size;
    if (at_ >= end) return invalid("bad length of code with scope");
    return open_document(end - at_, end);
  }

  Status value(Type type) {
    switch (type) {
      case Type::kDouble:
      case Type::kDate:
      case Type::kTimestamp:
      case Type::kInt64:
        return skip(8);
      case Type::kInt32:
        return skip(4);
      case Type::kObjectId:
        return skip(12);
      case Type::kDecimal128:
        return skip(16);
      case Type::kBool:
        return boolean();
      case Type::kString:
      case Type::kCode:
      case Type::kSymbol:
        return counted_text();
      case Type::kObject:
      case Type::kArray:
        return open_document(room(), 0);
      case Type::kBinary:
        return binary();
      case Type::kRegex:
        RESTITCH_CHECK(text_to_nul("regular expression"));
        return text_to_nul("regular expression");
      case Type::kDbPointer:
        RESTITCH_CHECK(counted_text());
        return skip(12);
      case Type::kCodeWithScope:
        return code_with_scope();
      case Type::kUndefined:
      case Type::kNull:
      case Type::kMinKey:
      case Type::kMaxKey:
        return {};
      case Type::kMissing:
        break;
    }
    return invalid("unknown type " + std::to_string(static_cast<int>(type)));
  }

  std::string_view bytes_;
  std::size_t max_depth_;
  std::size_t at_ = 0;
  std::vector<Frame> ends_;
};

}  // namespace

Status validate(std::string_view bytes, const ValidateOptions& options) {
  if (bytes.size() > options.max_size) {
    return invalid("document of " + std::to_string(bytes.size()) + " bytes, the limit is " +
                   std::to_string(options.max_size));
  }
  return Validator(bytes, options).run();
}

Result<Document> checked_document(std::string bytes, const ValidateOptions& options) {
  RESTITCH_CHECK(validate(bytes, options));
  return Document::from_bytes(std::move(bytes));
}

}  // namespace restitch::bson
