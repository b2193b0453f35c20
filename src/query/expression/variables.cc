#include <algorithm>
#include <utility>

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
  if (size_ == 0) return std::nullopt;
  const std::string key(name);
  for (const Frame* frame = top_ ? top_.get() : outer_.get(); frame != nullptr;
       frame = frame->outer.get()) {
    const auto found = frame->slots.find(key);
    if (found == frame->slots.end()) continue;
    if (uses_->slots.size() <= found->second) uses_->slots.resize(found->second + 1);
    uses_->slots[found->second] = true;
    return found->second;
  }
  return std::nullopt;
}

VariableScope VariableScope::nested() const {
  VariableScope scope;
  scope.outer_ = top_ ? top_ : outer_;
  scope.uses_ = uses_ ? uses_ : std::make_shared<Uses>();
  scope.size_ = size_;
  return scope;
}

Result<std::size_t> VariableScope::bind(std::string_view name) {
  RESTITCH_CHECK(check_name(name));
  if (!top_) {
    top_ = std::make_shared<Frame>();
    top_->outer = outer_;
    if (!uses_) uses_ = std::make_shared<Uses>();
  }
  top_->slots[std::string(name)] = size_;
  return size_++;
}

Result<VariableScope> VariableScope::with(std::string_view name, std::size_t* slot) const {
  VariableScope scope = nested();
  RESTITCH_TRY(*slot, scope.bind(name));
  return scope;
}

bool VariableScope::take_uses(std::size_t begin, std::size_t end) const {
  bool any = std::exchange(uses_->chance, false);
  for (std::size_t slot = begin; slot < std::min(end, uses_->slots.size()); ++slot) {
    any = any || uses_->slots[slot];
    uses_->slots[slot] = false;
  }
  return any;
}

}  // namespace restitch::query
