#include "functions/service_rules.h"

#include <algorithm>

namespace restitch::functions {
namespace {

constexpr std::string_view kArgs = "%%args";

// Expressions know a document as %%root: here it is the arguments.
std::string renamed(std::string_view text) {
  const bool is_args =
      text.starts_with(kArgs) && (text.size() == kArgs.size() || text[kArgs.size()] == '.');
  return is_args ? "%%root" + std::string(text.substr(kArgs.size())) : std::string(text);
}

void append_renamed(bson::Builder& builder, std::string_view name, bson::ValueView value);

void append_members(bson::Builder& builder, bson::View members) {
  for (const bson::Element& member : members) {
    append_renamed(builder, renamed(member.name), member.value);
  }
}

void append_renamed(bson::Builder& builder, std::string_view name, bson::ValueView value) {
  if (const auto object = value.as_object()) {
    builder.open_object(name);
    append_members(builder, *object);
    builder.close();
  } else if (const auto array = value.as_array()) {
    builder.open_array(name);
    append_members(builder, *array);
    builder.close();
  } else if (const auto text = value.as_string()) {
    builder.append(name, renamed(*text));
  } else {
    builder.append(name, value);
  }
}

bson::Value with_root(const bson::Value& when) {
  bson::Builder builder;
  append_renamed(builder, "when", when);
  const bson::Document holder = std::move(builder).finish();
  return bson::Value(holder["when"]);
}

bool lists(const std::vector<std::string>& actions, std::string_view action) {
  const std::size_t colon = action.rfind(':');
  const std::string_view last = colon == std::string_view::npos ? action : action.substr(colon + 1);
  return std::any_of(actions.begin(), actions.end(),
                     [&](const std::string& one) { return one == action || one == last; });
}

}  // namespace

ServiceRules::ServiceRules(const std::vector<ThirdPartyService>& services) {
  for (const ThirdPartyService& service : services) {
    std::vector<Rule>& compiled = rules_[service.name];
    for (const ServiceRule& rule : service.rules) {
      Rule one{rule.actions, nullptr};
      if (rule.when) {
        app::Findings findings;
        one.when = rules::Expression::compile(with_root(*rule.when), rules::Place::kRole, rule.file,
                                              "/when", findings);
        if (one.when == nullptr || findings.has_errors()) continue;
      }
      compiled.push_back(std::move(one));
    }
  }
}

Task<void> ServiceRules::authorize(std::string service, std::string action, bson::Document args,
                                   const rules::EvaluationContext& context) const {
  const auto found = rules_.find(service);
  if (found == rules_.end()) {
    co_return Error(ErrorCode::kServiceNotFound, "service not found: '" + service + "'");
  }
  rules::Documents documents;
  documents.root = args.view();
  for (std::size_t i = 0; i < found->second.size(); ++i) {
    const Rule& rule = found->second[i];
    if (!lists(rule.actions, action)) continue;
    bool holds = true;
    if (rule.when != nullptr && rule.when->calls_functions()) {
      RESTITCH_CO_TRY(holds, co_await rule.when->evaluate_async(context, documents));
    } else if (rule.when != nullptr) {
      holds = rule.when->evaluate(context, documents);
    }
    if (holds) co_return Status();
  }
  co_return Error(ErrorCode::kNoMatchingRule, "no matching rule found for action '" + action +
                                                  "' of service '" + service + "'");
}

}  // namespace restitch::functions
