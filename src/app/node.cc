#include "app/node.h"

#include <algorithm>

namespace restitch::app {
namespace {

std::string unknown_member(std::string_view name, std::span<const std::string_view> known) {
  std::string message = "unknown key '" + std::string(name) + "'";
  const std::string_view meant = closest(name, known);
  if (!meant.empty()) message.append(", did you mean '").append(meant).append("'?");
  return message;
}

}  // namespace

Node Node::operator[](std::string_view name) const {
  const auto object = value_.as_object();
  return {file_, below(pointer_, name), object ? object->find(name) : bson::ValueView(),
          *findings_};
}

std::string Node::text(std::string_view fallback) const {
  if (!exists()) return std::string(fallback);
  if (const auto text = value_.as_string()) return std::string(*text);
  error("must be a string");
  return std::string(fallback);
}

std::string Node::required_text() const {
  std::string text = this->text();
  if (text.empty() && (!exists() || value_.type() == bson::Type::kString)) {
    error("is required", "MissingParameter");
  }
  return text;
}

bool Node::flag(bool fallback) const {
  if (!exists()) return fallback;
  if (const auto flag = value_.as_bool()) return *flag;
  error("must be a boolean");
  return fallback;
}

std::optional<std::int64_t> Node::integer() const {
  if (!exists()) return std::nullopt;
  if (const auto number = value_.as_integer()) return number;
  error("must be an integer");
  return std::nullopt;
}

std::vector<std::string> Node::texts() const {
  std::vector<std::string> out;
  each_element([&](const Node& element) {
    if (const auto text = element.value_.as_string()) {
      out.emplace_back(*text);
    } else {
      element.error("must be a string");
    }
  });
  return out;
}

bson::Document Node::object() const {
  return is_object() ? bson::Document(value_.get_document()) : bson::Document();
}

std::optional<bson::Value> Node::expression() const {
  if (!exists()) return std::nullopt;
  if (value_.type() == bson::Type::kBool || value_.type() == bson::Type::kObject) {
    return bson::Value(value_);
  }
  error("must be true, false or an expression object");
  return std::nullopt;
}

std::string Node::choice(std::span<const std::string_view> choices,
                         std::string_view fallback) const {
  std::string text = this->text(fallback);
  if (!exists() || std::find(choices.begin(), choices.end(), text) != choices.end()) return text;
  if (value_.type() == bson::Type::kString) {
    error("unknown value '" + text + "', must be one of " + joined(choices));
  }
  return std::string(fallback);
}

bool Node::is_object() const {
  if (value_.type() == bson::Type::kObject) return true;
  if (exists()) error("must be an object");
  return false;
}

bool Node::is_array() const {
  if (value_.type() == bson::Type::kArray) return true;
  if (exists()) error("must be an array");
  return false;
}

void Node::refuse_unknown_members(std::span<const std::string_view> known) const {
  each_member([&](std::string_view name, const Node& member) {
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    member.error(unknown_member(name, known));
  });
}

void Node::warn_of_unknown_members(std::span<const std::string_view> known) const {
  each_member([&](std::string_view name, const Node& member) {
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    member.warning(unknown_member(name, known) + " (ignored)");
  });
}

void Node::error(std::string message, std::string code) const {
  findings_->error(std::string(file_), pointer_, std::move(code), std::move(message));
}

void Node::warning(std::string message, std::string code) const {
  findings_->warning(std::string(file_), pointer_, std::move(code), std::move(message));
}

void check_name(const Node& node, std::string_view name, std::size_t max_length) {
  if (name.empty()) return;
  if (name.size() > max_length) {
    node.error("must be at most " + std::to_string(max_length) + " characters long");
  }
  if (!has_name_characters(name)) {
    node.error("may only contain ASCII letters, digits, underscores and hyphens");
  }
}

}  // namespace restitch::app
