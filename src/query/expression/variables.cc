#include "query/expression/expression.h"

namespace restitch::query {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_high(char c) { return static_cast<unsigned char>(c) >= 0x80; }

Status check_name(std::string_view name) {
  if (name.empty()) return mongo_error(9, "empty variable names are not allowed");
  // $$CURRENT is the one built-in variable that may be bound anew.
  if (name == "CURRENT") return {};
  const char first = name.front();
  if (!(first >= 'a' && first <= 'z') && !is_high(first)) {
    return mongo_error(
        9, "'" + std::string(name) + "' starts with an invalid character for a user variable name");
  }
  for (const char c : name.substr(1)) {
    if (!is_letter(c) && !is_high(c) && !(c >= '0' && c <= '9') && c != '_') {
      return mongo_error(9, "'" + std::string(name) +
                                "' contains an invalid character for a variable name: '" + c + "'");
    }
  }
  return {};
}

}  // namespace

std::optional<std::size_t> VariableScope::find(std::string_view name) const {
  for (std::size_t slot = names_.size(); slot-- > 0;) {
    if (names_[slot] == name) return slot;
  }
  return std::nullopt;
}

Result<VariableScope> VariableScope::with(std::string_view name, std::size_t* slot) const {
  RESTITCH_CHECK(check_name(name));
  VariableScope scope = *this;
  *slot = scope.names_.size();
  scope.names_.emplace_back(name);
  return scope;
}

}  // namespace restitch::query
