#include "rules/expression/function_results.h"

#include "base/log.h"

namespace restitch::rules {

Resolved FunctionResults::find(const Operand& call, bson::Document arguments) {
  const auto it = results_.find(Key(&call, std::string(arguments.bytes())));
  if (it != results_.end()) {
    Resolved result = Resolved::of(it->second.view());
    result.state = it->second.state;
    return result;
  }
  if (context_.functions == nullptr) return Resolved::failed();
  if (!pending_ && !is_frozen_) pending_ = Pending{&call, std::move(arguments)};
  return Resolved::pending();
}

Task<void> FunctionResults::resolve() {
  if (!pending_) co_return Status();
  Pending call = std::move(*pending_);
  pending_.reset();
  Key key(call.call, std::string(call.arguments.bytes()));
  auto outcome = co_await context_.functions->call_for_rule(call.call->name,
                                                            std::move(call.arguments), context_);
  has_document_results_ |= call.call->needs_document;
  if (!outcome) {
    RESTITCH_LOG(kWarning, kRules, 6001, "Function of a rule failed", {"function", call.call->name},
                 {"error", outcome.error().message()}, {"request", context_.request_id});
    results_.insert_or_assign(std::move(key), Resolved::failed());
  } else if (outcome->type() == bson::Type::kUndefined) {
    results_.insert_or_assign(std::move(key), Resolved());
  } else {
    results_.insert_or_assign(std::move(key), Resolved::made(std::move(*outcome)));
  }
  co_return Status();
}

void FunctionResults::forget_document() {
  if (!has_document_results_) return;
  std::erase_if(results_, [](const auto& entry) { return entry.first.first->needs_document; });
  has_document_results_ = false;
}

}  // namespace restitch::rules
