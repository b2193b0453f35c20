#include "query/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>

namespace restitch::query {
namespace {

constexpr std::uint32_t kMatchLimit = 1'000'000;
constexpr std::uint32_t kHeapLimitKib = 20 * 1024;
constexpr std::size_t kJitStackStart = 32 * 1024;
constexpr std::size_t kJitStackMax = 1024 * 1024;

// Match state that one thread needs, made once.
class Scratch {
 public:
  Scratch()
      : data_(pcre2_match_data_create(1, nullptr)),
        context_(pcre2_match_context_create(nullptr)),
        stack_(pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr)) {
    pcre2_set_match_limit(context_, kMatchLimit);
    pcre2_set_heap_limit(context_, kHeapLimitKib);
    pcre2_jit_stack_assign(context_, nullptr, stack_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    pcre2_jit_stack_free(stack_);
    pcre2_match_context_free(context_);
    pcre2_match_data_free(data_);
  }

  // Match data for `groups` pairs of offsets.
  pcre2_match_data* data(std::uint32_t groups) {
    if (groups > pairs_) {
      pcre2_match_data_free(data_);
      data_ = pcre2_match_data_create(groups, nullptr);
      pairs_ = groups;
    }
    return data_;
  }
  pcre2_match_context* context() { return context_; }

 private:
  pcre2_match_data* data_;
  pcre2_match_context* context_;
  pcre2_jit_stack* stack_;
  std::uint32_t pairs_ = 1;
};

Scratch& scratch() {
  thread_local Scratch instance;
  return instance;
}

Result<std::uint32_t> read_options(std::string_view options) {
  std::uint32_t flags = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
  for (const char option : options) {
    switch (option) {
      case 'i':
        flags |= PCRE2_CASELESS;
        break;
      case 'm':
        flags |= PCRE2_MULTILINE;
        break;
      case 'x':
        flags |= PCRE2_EXTENDED;
        break;
      case 's':
        flags |= PCRE2_DOTALL;
        break;
      case 'u':
        break;
      default:
        return mongo_error(51108, std::string(" invalid flag in regex options: ") + option);
    }
  }
  return flags;
}

bool is_meta(char c) { return std::string_view("|()[{^$.*+?").find(c) != std::string_view::npos; }

// Bytes of the last code point of `text`.
std::size_t last_code_point_size(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() &&
         (static_cast<unsigned char>(text[text.size() - size]) & 0xC0U) == 0x80U) {
    ++size;
  }
  return std::min(size, text.size());
}

// Reads the literal text a pattern begins with.
class PrefixReader {
 public:
  explicit PrefixReader(std::string_view pattern) : rest_(pattern) {}

  std::string read(bool* exact) {
    while (!rest_.empty() && read_one()) {
    }
    *exact = rest_.empty() || (rest_ == ".*" && !cut_);
    return std::move(prefix_);
  }

 private:
  // False where the literal part ends.
  bool read_one() {
    const char c = rest_.front();
    if (in_quote_) return read_quoted();
    if (c == '\\') return read_escape();
    if (c == '*' || c == '?' || c == '{') {
      // The item before may be absent or repeated.
      prefix_.resize(prefix_.size() - last_code_point_size(prefix_));
      cut_ = true;
      return false;
    }
    if (is_meta(c)) return false;
    prefix_.push_back(c);
    rest_.remove_prefix(1);
    return true;
  }

  bool read_quoted() {
    if (rest_.substr(0, 2) == "\\E") {
      in_quote_ = false;
      rest_.remove_prefix(2);
    } else {
      prefix_.push_back(rest_.front());
      rest_.remove_prefix(1);
    }
    return true;
  }

  bool read_escape() {
    if (rest_.size() < 2) return false;
    const char next = rest_[1];
    if (next == 'Q') {
      in_quote_ = true;
      rest_.remove_prefix(2);
      return true;
    }
    const bool is_letter_or_digit = (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') ||
                                    (next >= '0' && next <= '9');
    if (is_letter_or_digit || static_cast<unsigned char>(next) >= 0x80) return false;
    prefix_.push_back(next);
    rest_.remove_prefix(2);
    return true;
  }

  std::string_view rest_;
  std::string prefix_;
  bool in_quote_ = false;
  bool cut_ = false;
};

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  std::uint32_t groups = 1;  // the whole match included

  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() { pcre2_code_free(code); }

  int match(std::string_view subject, std::size_t from, pcre2_match_data* data) const {
    const auto* text = reinterpret_cast<PCRE2_SPTR>(subject.data());
    const int found = pcre2_match(code, text, subject.size(), from, 0, data, scratch().context());
    if (found != PCRE2_ERROR_JIT_STACKLIMIT) return found;
    // The interpreter keeps its state on the heap.
    return pcre2_match(code, text, subject.size(), from, PCRE2_NO_JIT, data, scratch().context());
  }
};

Result<Regex> Regex::compile(std::string_view pattern, std::string_view options) {
  RESTITCH_TRY(const std::uint32_t flags, read_options(options));
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_shared<Code>();
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), flags,
                             &error, &offset, nullptr);
  if (code->code == nullptr) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(error, text.data(), text.size());
    return mongo_error(51091, std::string("Regular expression is invalid: ") +
                                  reinterpret_cast<const char*>(text.data()));
  }
  std::uint32_t captures = 0;
  pcre2_pattern_info(code->code, PCRE2_INFO_CAPTURECOUNT, &captures);
  code->groups = captures + 1;
  // Without JIT support the interpreter serves; the result needs no check.
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
  Regex regex;
  regex.code_ = std::move(code);
  return regex;
}

bool Regex::matches(std::string_view subject) const {
  return code_->match(subject, 0, scratch().data(1)) >= 0;
}

Result<std::optional<Regex::Match>> Regex::search(std::string_view subject,
                                                  std::size_t from) const {
  if (from > subject.size()) return std::optional<Match>();
  pcre2_match_data* data = scratch().data(code_->groups);
  const int found = code_->match(subject, from, data);
  if (found == PCRE2_ERROR_NOMATCH) return std::optional<Match>();
  if (found < 0) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(found, text.data(), text.size());
    return mongo_error(51156,
                       std::string("Error occurred while executing the regular expression: ") +
                           reinterpret_cast<const char*>(text.data()));
  }
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(data);
  Match match;
  match.start = offsets[0];
  match.end = offsets[1];
  match.captures.reserve(code_->groups - 1);
  for (std::uint32_t group = 1; group < code_->groups; ++group) {
    const bool took_part =
        group < static_cast<std::uint32_t>(found) && offsets[2 * group] != PCRE2_UNSET;
    match.captures.emplace_back(took_part ? offsets[2 * group] : std::string_view::npos,
                                took_part ? offsets[2 * group + 1] : std::string_view::npos);
  }
  return std::optional(std::move(match));
}

std::string Regex::literal_prefix(std::string_view pattern, std::string_view options, bool* exact) {
  *exact = false;
  for (const char option : options) {
    if (option != 's' && option != 'u') return {};
  }
  if (pattern.substr(0, 2) == "\\A") {
    pattern.remove_prefix(2);
  } else if (pattern.substr(0, 1) == "^") {
    pattern.remove_prefix(1);
  } else {
    return {};
  }
  // An alternation at the top level frees the rest of the pattern from the anchor.
  if (pattern.find('|') != std::string_view::npos) return {};
  return PrefixReader(pattern).read(exact);
}

}  // namespace restitch::query
