#include "query/filter/filter.h"

#include "query/filter/matcher.h"
#include "query/filter/parser.h"

namespace restitch::query {
namespace {

// The first component of every path of an array filter is the identifier: takes it off and checks
// that there is only one.
class IdentifierReader {
 public:
  Status read(FilterNode& node) {
    switch (node.op) {
      case FilterOp::kAnd:
      case FilterOp::kOr:
      case FilterOp::kNor:
      case FilterOp::kNot:
        for (const auto& child : node.children) RESTITCH_CHECK(read(*child));
        return {};
      default:
        return node.components.empty() ? Status() : take_first(node);
    }
  }

  const std::optional<std::string>& identifier() const { return identifier_; }

 private:
  Status take_first(FilterNode& node) {
    std::string first = std::move(node.components.front());
    node.components.erase(node.components.begin());
    node.path.erase(0, first.size() + 1);
    if (!identifier_) {
      identifier_ = std::move(first);
    } else if (*identifier_ != first) {
      return mongo_error(9,
                         "Error parsing array filter :: caused by :: Expected a single top-level "
                         "field name, found '" +
                             *identifier_ + "' and '" + first + "'");
    }
    return {};
  }

  std::optional<std::string> identifier_;
};

bool is_identifier(std::string_view name) {
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_alphanumeric = [&](char c) {
    return is_lower(c) || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (name.empty() || !is_lower(name.front())) return false;
  for (const char c : name) {
    if (!is_alphanumeric(c)) return false;
  }
  return true;
}

Result<bool> answer(bool matched, Matcher& matcher) {
  if (matcher.error()) return *std::move(matcher.error());
  return matched;
}

}  // namespace

Result<Filter> Filter::compile(bson::View query, const CommandContext& context,
                               FilterOptions options) {
  FilterParser parser(context, options);
  RESTITCH_TRY(FilterNodePtr root, parser.parse(query));
  Filter filter;
  filter.root_ = std::move(root);
  filter.context_ = &context;
  return filter;
}

Result<Filter> Filter::compile_operators(bson::ValueView operators, const CommandContext& context) {
  const FilterOptions options;
  FilterParser parser(context, options);
  RESTITCH_TRY(FilterNodePtr root, parser.parse_value_operators(operators));
  Filter filter;
  filter.root_ = std::move(root);
  filter.context_ = &context;
  return filter;
}

Result<Filter> Filter::compile_array_filter(bson::View query, const CommandContext& context,
                                            std::string* identifier) {
  constexpr std::string_view kPrefix = "Error parsing array filter :: caused by";
  FilterOptions options;
  options.allow_expr = false;
  FilterParser parser(context, options);
  auto parsed = parser.parse(query);
  if (!parsed) {
    Error error = std::move(parsed).error();
    return mongo_error(error.mongo_code(), std::string(kPrefix) + " :: " + error.message());
  }
  FilterNodePtr root = *std::move(parsed);
  IdentifierReader reader;
  RESTITCH_CHECK(reader.read(*root));
  if (!reader.identifier()) {
    return mongo_error(9,
                       "Cannot use an expression without a top-level field name in arrayFilters");
  }
  if (!is_identifier(*reader.identifier())) {
    return mongo_error(2, std::string(kPrefix) +
                              " :: The top-level field name must be an alphanumeric string "
                              "beginning with a lowercase letter, found '" +
                              *reader.identifier() + "'");
  }
  *identifier = *reader.identifier();
  Filter filter;
  filter.root_ = std::move(root);
  filter.context_ = &context;
  return filter;
}

Result<bool> Filter::matches(bson::View document, MatchDetails* details) const {
  Matcher matcher(*context_, details, nullptr);
  const bool matched = matcher.document(*root_, document);
  return answer(matched, matcher);
}

Result<bool> Filter::matches(bson::View document, std::vector<bson::Value>& variables) const {
  Matcher matcher(*context_, nullptr, &variables);
  const bool matched = matcher.document(*root_, document);
  return answer(matched, matcher);
}

Result<bool> Filter::matches_value(bson::ValueView value) const {
  Matcher matcher(*context_, nullptr, nullptr);
  const bool matched = matcher.field_value(*root_, value);
  return answer(matched, matcher);
}

std::optional<bson::ValueView> Filter::id_equality() const {
  if (root_->op != FilterOp::kEq || root_->path != "_id") return std::nullopt;
  const bson::ValueView value = root_->operand;
  switch (value.type()) {
    case bson::Type::kNull:
    case bson::Type::kRegex:
    case bson::Type::kArray:
      return std::nullopt;
    default:
      return value;
  }
}

}  // namespace restitch::query
