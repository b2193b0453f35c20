#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "base/encoding.h"
#include "bson/extended_json.h"
#include "bson/json_text.h"
#include "bson/json_wrappers.h"

namespace restitch::bson {
namespace {

// The deepest stored value may stand in a wrapper of up to three levels.
constexpr int kMaxTextDepth = kMaxDepth + 3;
// Keeps every BSON length far below 2^31: an array of digits grows eightfold.
constexpr std::size_t kMaxTextBytes = 134217728;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// Members up to which names are compared pair by pair instead of being sorted.
constexpr std::size_t kFewMembers = 8;

struct Parsed {
  Type type = Type::kMissing;
  std::string bytes;
  bool had_trailing_comma = false;
  bool had_byte_order_mark = false;
};

// One pass over the text, recursive by nesting. Values are written behind each other as BSON; a
// wrapper is written as the object it looks like and then replaced. Functions return false after
// recording the first failure.
class Parser {
 public:
  Parser(std::string_view text, JsonOptions options)
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), options_(options) {
    out_.reserve(text.size());
  }

  Result<Parsed> run() {
    Parsed parsed;
    if (options_.allow_byte_order_mark &&
        std::string_view(begin_, static_cast<std::size_t>(end_ - begin_))
            .starts_with(kByteOrderMark)) {
      at_ += kByteOrderMark.size();
      parsed.had_byte_order_mark = true;
    }
    bool ok =
        end_ - begin_ <= static_cast<std::ptrdiff_t>(kMaxTextBytes) || fail("text is too long");
    ok = ok && value(parsed.type, 1);
    skip_space();
    if (ok && at_ != end_) ok = fail("text after the value");
    if (ok && deepest_ > kMaxDepth) ok = fail_depth();
    if (!ok) return error();
    parsed.bytes = std::move(out_);
    parsed.had_trailing_comma = had_trailing_comma_;
    return parsed;
  }

 private:
  bool fail(std::string_view problem) {
    if (problem_.empty()) {
      problem_ = problem;
      failed_at_ = at_;
    }
    return false;
  }

  bool fail_depth() { return fail("nesting exceeds " + std::to_string(kMaxDepth) + " levels"); }

  bool fail_unexpected() {
    return fail(at_ == end_ ? std::string_view("text ends too early")
                            : std::string_view("unexpected character"));
  }

  Error error() const {
    const std::string_view before(begin_, static_cast<std::size_t>(failed_at_ - begin_));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t start = before.rfind('\n');
    const std::size_t column =
        before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
    return Error(ErrorCode::kInvalidArgument, "invalid JSON at line " + std::to_string(line) +
                                                  ", column " + std::to_string(column) + ": " +
                                                  problem_);
  }

  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }

  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  bool literal(std::string_view word) {
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) {
      at_ += word.size();
      return true;
    }
    return fail_unexpected();
  }

  void patch_length(std::size_t start, std::size_t length) {
    const auto word = static_cast<std::uint32_t>(length);
    std::memcpy(out_.data() + start, &word, 4);
  }

  bool value(Type& type, int depth) {
    skip_space();
    if (at_ == end_) return fail_unexpected();
    switch (*at_) {
      case '{':
        return object(type, depth);
      case '[':
        return array(type, depth);
      case '"':
        type = Type::kString;
        return string_value();
      case 't':
        type = Type::kBool;
        out_.push_back('\1');
        return literal("true");
      case 'f':
        type = Type::kBool;
        out_.push_back('\0');
        return literal("false");
      case 'n':
        type = Type::kNull;
        return literal("null");
      default:
        return number(type);
    }
  }

  bool string_value() {
    const std::size_t start = out_.size();
    out_.append(4, '\0');
    if (!string_text()) return false;
    out_.push_back('\0');
    patch_length(start, out_.size() - start - 4);
    return true;
  }

  // Reads a quoted string and appends its text.
  bool string_text() {
    const std::size_t start = out_.size();
    const char* const opened_at = at_;
    ++at_;
    while (true) {
      const char* const stop = end_of_plain_run(at_, end_);
      out_.append(at_, static_cast<std::size_t>(stop - at_));
      at_ = stop;
      if (at_ == end_) return fail_unexpected();
      if (*at_ == '"') break;
      if (*at_ != '\\') return fail("control character in a string");
      if (!escape()) return false;
    }
    ++at_;
    const std::string_view text = std::string_view(out_).substr(start);
    const std::size_t ascii = ascii_prefix(text);
    if (ascii != text.size() && !is_valid_utf8(text.substr(ascii))) {
      at_ = opened_at;
      return fail("string is not UTF-8");
    }
    return true;
  }

  bool escape() {
    if (end_ - at_ < 2) {
      at_ = end_;
      return fail_unexpected();
    }
    const char kind = at_[1];
    if (kind == 'u') return unicode_escape();
    constexpr std::string_view kKinds = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const std::size_t index = kKinds.find(kind);
    if (index == std::string_view::npos) return fail("unknown escape");
    out_.push_back(kMeanings[index]);
    at_ += 2;
    return true;
  }

  // "\uXXXX" at the cursor.
  bool code_unit(unsigned& unit) {
    if (end_ - at_ < 6 || at_[0] != '\\' || at_[1] != 'u') return false;
    const auto end = std::from_chars(at_ + 2, at_ + 6, unit, 16);
    if (end.ec != std::errc() || end.ptr != at_ + 6) return false;
    at_ += 6;
    return true;
  }

  bool unicode_escape() {
    const char* const start = at_;
    unsigned unit = 0;
    if (!code_unit(unit)) return fail("broken escape");
    if (unit >= 0xD800 && unit <= 0xDFFF) {
      unsigned low = 0;
      const bool is_pair = unit < 0xDC00 && code_unit(low) && low >= 0xDC00 && low <= 0xDFFF;
      if (!is_pair) {
        at_ = start;
        return fail("unpaired surrogate");
      }
      unit = 0x10000 + ((unit - 0xD800) << 10U) + (low - 0xDC00);
    }
    append_utf8(unit);
    return true;
  }

  void append_utf8(unsigned point) {
    const auto push = [this](unsigned byte) { out_.push_back(static_cast<char>(byte)); };
    if (point < 0x80) {
      push(point);
    } else if (point < 0x800) {
      push(0xC0U | point >> 6U);
      push(0x80U | (point & 0x3FU));
    } else if (point < 0x10000) {
      push(0xE0U | point >> 12U);
      push(0x80U | (point >> 6U & 0x3FU));
      push(0x80U | (point & 0x3FU));
    } else {
      push(0xF0U | point >> 18U);
      push(0x80U | (point >> 12U & 0x3FU));
      push(0x80U | (point >> 6U & 0x3FU));
      push(0x80U | (point & 0x3FU));
    }
  }

  bool digits() {
    const char* const start = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != start || fail_unexpected();
  }

  bool number(Type& type) {
    const char* const start = at_;
    take('-');
    if (!take('0') && !digits()) return false;
    bool is_integer = true;
    if (take('.')) {
      is_integer = false;
      if (!digits()) return false;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      is_integer = false;
      ++at_;
      if (!take('-')) take('+');
      if (!digits()) return false;
    }
    if (is_integer && integer(start, type)) return true;
    return real(start, type);
  }

  bool integer(const char* start, Type& type) {
    std::int64_t number = 0;
    if (std::from_chars(start, at_, number).ec != std::errc()) return false;
    const auto narrow = static_cast<std::int32_t>(number);
    type = narrow == number ? Type::kInt32 : Type::kInt64;
    if (narrow == number) {
      out_.append(reinterpret_cast<const char*>(&narrow), 4);
    } else {
      out_.append(reinterpret_cast<const char*>(&number), 8);
    }
    return true;
  }

  bool real(const char* start, Type& type) {
    double number = 0;
    if (std::from_chars(start, at_, number).ec == std::errc::result_out_of_range) {
      number = std::strtod(std::string(start, at_).c_str(), nullptr);
      if (std::isinf(number)) {
        at_ = start;
        return fail("number is out of range");
      }
    }
    type = Type::kDouble;
    out_.append(reinterpret_cast<const char*>(&number), 8);
    return true;
  }

  // After a value in an object or array: false at `close` or on failure, true when another entry
  // follows.
  bool next_entry(char close) {
    skip_space();
    if (take(close)) return false;
    if (!take(',')) return fail_unexpected();
    skip_space();
    if (options_.allow_trailing_comma && take(close)) {
      had_trailing_comma_ = true;
      return false;
    }
    return true;
  }

  void finish_document(std::size_t start) {
    out_.push_back('\0');
    patch_length(start, out_.size() - start);
  }

  bool array(Type& type, int depth) {
    if (depth > kMaxTextDepth) return fail_depth();
    type = Type::kArray;
    deepest_ = std::max(deepest_, depth);
    const std::size_t start = out_.size();
    out_.append(4, '\0');
    ++at_;
    skip_space();
    bool more = !take(']');
    for (std::uint32_t index = 0; more; ++index) {
      const std::size_t element = out_.size();
      out_.push_back('\0');
      char name[12];
      const auto end = std::to_chars(name, name + sizeof(name), index);
      out_.append(name, static_cast<std::size_t>(end.ptr - name));
      out_.push_back('\0');
      Type element_type = Type::kMissing;
      if (!value(element_type, depth + 1)) return false;
      out_[element] = static_cast<char>(element_type);
      more = next_entry(']');
    }
    if (!problem_.empty()) return false;
    finish_document(start);
    return true;
  }

  bool object(Type& type, int depth) {
    if (depth > kMaxTextDepth) return fail_depth();
    type = Type::kObject;
    const int deepest_before = std::exchange(deepest_, 0);
    const char* const opened_at = at_;
    const std::size_t start = out_.size();
    const std::size_t first_member = members_.size();
    out_.append(4, '\0');
    ++at_;
    skip_space();
    bool more = !take('}');
    while (more) {
      if (!member(depth)) return false;
      more = next_entry('}');
    }
    if (!problem_.empty()) return false;
    remove_duplicates(first_member);
    const bool has_members = members_.size() != first_member;
    members_.resize(first_member);
    finish_document(start);
    const bool may_be_wrapper = options_.extended && has_members && out_[start + 5] == '$';
    if (!may_be_wrapper || !unwrap(type, start, opened_at)) deepest_ = std::max(deepest_, depth);
    deepest_ = std::max(deepest_, deepest_before);
    return problem_.empty();
  }

  bool member(int depth) {
    if (at_ == end_ || *at_ != '"') return fail_unexpected();
    const char* const quoted_at = at_;
    const std::size_t element = out_.size();
    members_.push_back(element);
    out_.push_back('\0');
    if (!string_text()) return false;
    if (out_.find('\0', element + 1) != std::string::npos) {
      at_ = quoted_at;
      return fail("name holds a NUL character");
    }
    out_.push_back('\0');
    skip_space();
    if (!take(':')) return fail_unexpected();
    Type member_type = Type::kMissing;
    if (!value(member_type, depth + 1)) return false;
    out_[element] = static_cast<char>(member_type);
    return true;
  }

  std::string_view name_at(std::size_t member) const { return out_.c_str() + members_[member] + 1; }

  // Drops every member of the object under construction that a later one of the same name replaces.
  void remove_duplicates(std::size_t first) {
    const std::size_t count = members_.size() - first;
    if (count < 2) return;
    replaced_.clear();
    if (count <= kFewMembers) {
      for (std::size_t i = first; i < members_.size(); ++i) {
        for (std::size_t j = i + 1; j < members_.size(); ++j) {
          if (name_at(i) != name_at(j)) continue;
          replaced_.push_back(i);
          break;
        }
      }
    } else {
      find_replaced_by_sorting(first);
    }
    if (!replaced_.empty()) erase_replaced(first);
  }

  void find_replaced_by_sorting(std::size_t first) {
    sorted_.clear();
    for (std::size_t i = first; i < members_.size(); ++i) sorted_.emplace_back(name_at(i), i);
    std::sort(sorted_.begin(), sorted_.end());
    for (std::size_t i = 0; i + 1 < sorted_.size(); ++i) {
      if (sorted_[i].first == sorted_[i + 1].first) replaced_.push_back(sorted_[i].second);
    }
    std::sort(replaced_.begin(), replaced_.end());
  }

  void erase_replaced(std::size_t first) {
    std::size_t to = members_[first];
    auto replaced = replaced_.begin();
    for (std::size_t i = first; i < members_.size(); ++i) {
      if (replaced != replaced_.end() && *replaced == i) {
        ++replaced;
        continue;
      }
      const std::size_t end = i + 1 < members_.size() ? members_[i + 1] : out_.size();
      std::memmove(out_.data() + to, out_.data() + members_[i], end - members_[i]);
      to += end - members_[i];
    }
    out_.resize(to);
  }

  // Replaces the object written at `start` by the value it wraps, if it is a wrapper.
  bool unwrap(Type& type, std::size_t start, const char* opened_at) {
    const View view(reinterpret_cast<const std::uint8_t*>(out_.data()) + start);
    switch (interpret_wrapper(view, wrapper_)) {
      case WrapperOutcome::kNotWrapper:
        return false;
      case WrapperOutcome::kConverted:
        type = wrapper_.type;
        out_.resize(start);
        out_.append(wrapper_.bytes);
        if (type != Type::kCodeWithScope) deepest_ = 0;
        return true;
      case WrapperOutcome::kBad:
        at_ = opened_at;
        fail(wrapper_.problem);
        return false;
    }
    return false;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  JsonOptions options_;
  std::string out_;
  std::vector<std::size_t> members_;  // where the members of every open object start in out_
  std::vector<std::size_t> replaced_;
  std::vector<std::pair<std::string_view, std::size_t>> sorted_;
  WrapperValue wrapper_;
  int deepest_ = 0;  // nesting of the deepest object or array that stays one
  bool had_trailing_comma_ = false;
  std::string problem_;
  const char* failed_at_ = nullptr;
};

}  // namespace

Result<Value> parse_json(std::string_view text) {
  RESTITCH_TRY(Parsed parsed, Parser(text, {}).run());
  return Value(parsed.type, std::move(parsed.bytes));
}

Result<Document> parse_json_document(std::string_view text) {
  RESTITCH_TRY(Parsed parsed, Parser(text, {}).run());
  if (parsed.type != Type::kObject) {
    return Error(ErrorCode::kInvalidArgument,
                 "invalid JSON at line 1, column 1: expected an object");
  }
  return Document::from_bytes(std::move(parsed.bytes));
}

Result<LenientJson> parse_json_with(std::string_view text, JsonOptions options) {
  RESTITCH_TRY(Parsed parsed, Parser(text, options).run());
  return LenientJson{Value(parsed.type, std::move(parsed.bytes)), parsed.had_trailing_comma,
                     parsed.had_byte_order_mark};
}

}  // namespace restitch::bson
