#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"
#include "rules/context.h"
#include "rules/expression.h"

namespace restitch::rules {

// What an expansion starts at (spec: rules §5.2).
enum class Source : std::uint8_t {
  kRoot,
  kPrevRoot,
  kThis,
  kPrev,
  kUser,
  kRequest,
  kValues,
  kEnvironment,
  kTrue,
  kFalse,
};

constexpr bool is_document(Source source) { return source <= Source::kPrev; }

// "%%user.custom_data.team", or a bare field path (which is a path below %%root).
struct Reference {
  Source source = Source::kRoot;
  std::vector<std::string> path;

  bool needs_document() const { return is_document(source); }
};

// Reads "%%name[.path]". Nothing if there is no such expansion.
std::optional<Reference> parse_expansion(std::string_view text);
// Reads a field path below %%root. Nothing if a component is empty.
std::optional<Reference> parse_field_path(std::string_view text);
// "%%user.id" again.
std::string to_text(const Reference& reference);

// The value at the start of a static reference, and the part of its path that is left to follow.
struct Anchor {
  bson::ValueView borrowed;
  bson::Value owned;         // instead of `borrowed` when the value had to be made
  std::size_t consumed = 0;  // components of the path that led here

  bson::ValueView view() const { return owned.is_missing() ? borrowed : owned.view(); }
};
Anchor anchor_of(const Reference& reference, const EvaluationContext& context);
bson::ValueView anchor_of(const Reference& reference, const Documents& documents);

// How names are compared on the way down.
enum class NameMatch : std::uint8_t { kExact, kUser, kHeaders };
NameMatch name_match_of(const Reference& reference);

}  // namespace restitch::rules
