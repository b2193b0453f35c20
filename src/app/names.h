#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace restitch::app {

inline constexpr std::size_t kMaxAppNameLength = 32;
inline constexpr std::size_t kMaxNameLength = 64;       // services, triggers, values, secrets
inline constexpr std::size_t kMaxRuleNameLength = 100;  // roles and filters

// Only ASCII letters, digits, '_' and '-', at least one.
bool has_name_characters(std::string_view name);

// Characters (code points) of UTF-8 text.
std::size_t character_count(std::string_view text);

// The candidate that `word` is most likely a misspelling of, or "".
std::string_view closest(std::string_view word, std::span<const std::string_view> candidates);

// `pointer` + "/" + name, escaped as RFC 6901 asks.
std::string below(std::string_view pointer, std::string_view name);
std::string below(std::string_view pointer, std::size_t index);

// "a, b, c".
std::string joined(std::span<const std::string_view> words);

// The last component of a path, and the same without the extension ".json" or ".js".
std::string_view file_name(std::string_view path);
std::string_view stem(std::string_view path);
// The path up to the last '/', or "".
std::string_view parent(std::string_view path);

}  // namespace restitch::app
