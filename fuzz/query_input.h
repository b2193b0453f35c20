#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "bson/extended_json.h"
#include "bson/validate.h"
#include "fuzz.h"
#include "query/context.h"

namespace restitch::fuzz {

// The lines of an input, each a value in Extended JSON; nothing when one cannot be read. Lines
// beyond `most` are left out.
inline std::optional<std::vector<bson::Value>> lines_of(std::string_view text, std::size_t most) {
  std::vector<bson::Value> lines;
  while (!text.empty() && lines.size() < most) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
    auto value = bson::parse_json(line);
    if (!value) return std::nullopt;
    lines.push_back(*std::move(value));
  }
  return lines;
}

inline bson::View object_in(const std::vector<bson::Value>& lines, std::size_t index) {
  return index < lines.size() ? lines[index].view().as_object().value_or(bson::View())
                              : bson::View();
}

// A command with little memory and little time.
inline query::CommandContext small_context() {
  query::CommandContext context;
  context.now = bson::Date{1704164645000};
  context.cluster_time = bson::Timestamp{1704164645, 7};
  context.memory_limit = 1 << 20;
  context.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  return context;
}

// What comes out of a computation is well-formed.
inline void check_document(bson::View document) {
  bson::ValidateOptions options;
  options.max_depth = 1000;
  options.max_size = 1U << 30U;
  RESTITCH_ASSERT(bson::validate(document.bytes(), options));
}
inline void check_value(bson::ValueView value) {
  if (value.is_missing()) return;
  check_document(bson::make_document("v", value));
}

inline bool same(bson::ValueView a, bson::ValueView b) {
  return a.type() == b.type() && a.raw() == b.raw();
}

}  // namespace restitch::fuzz
