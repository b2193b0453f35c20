#pragma once

#include <memory>
#include <string>
#include <vector>

#include "functions/call.h"
#include "functions/frames.h"
#include "functions/function_service.h"
#include "functions/service_rules.h"

namespace restitch::functions {

// Serves what running functions ask the server for: data operations, transactions, users.
// Immutable, thread-safe.
class DataOperations {
 public:
  // `app` outlives the object; `caller` resolves %function in rules.
  DataOperations(const FunctionAppInfo& app, std::shared_ptr<rules::DataAccess> data,
                 UserLookup users, NameLister names, PushLookup push_registrations,
                 rules::FunctionCaller* caller);

  // One `op`, `session` or `getUser` frame; gives the `opResult` frames.
  asio::awaitable<std::vector<std::string>> serve(CallPointer call, bson::Document frame) const;

  // Aborts the transactions that the call has left open. Nothing can be opened afterwards.
  asio::awaitable<void> end_call(CallPointer call) const;

 private:
  Task<bson::Value> answer(const CallPointer& call, bson::View frame, ErrorLabels& labels) const;
  Task<bson::Value> operate(const CallPointer& call, bson::View frame, ErrorLabels& labels) const;
  Task<bson::Value> run(const CallPointer& call, bson::View frame, rules::Operation operation,
                        rules::TransactionHandle transaction) const;
  Task<bson::Value> list_names(bson::View frame) const;
  Task<bson::Value> authorize_service(const CallPointer& call, bson::View frame) const;
  // The devices that a call of a push service is for, an array; null for other calls.
  Task<bson::Value> find_devices(std::string service, bson::View args) const;
  // The user that the frame acts as; null for the caller's own.
  Task<std::shared_ptr<const rules::User>> other_user(const CallPointer& call,
                                                      bson::View frame) const;
  rules::EvaluationContext evaluation_context(const CallPointer& call,
                                              const rules::User& user) const;
  Task<bson::Value> change_session(const CallPointer& call, bson::View frame,
                                   ErrorLabels& labels) const;
  Task<bson::Value> begin_transaction(const CallPointer& call, std::int64_t session,
                                      std::string source) const;
  Task<bson::Value> end_transaction(const CallPointer& call, std::int64_t session, bool commits,
                                    ErrorLabels& labels) const;
  Task<std::shared_ptr<const rules::User>> user(const CallPointer& call, std::string id) const;

  const FunctionAppInfo& app_;
  std::shared_ptr<rules::DataAccess> data_;
  UserLookup users_;
  NameLister names_;
  PushLookup push_registrations_;
  rules::FunctionCaller* caller_;
  ServiceRules service_rules_;
};

// The operation that an `op` frame describes. Errors: kServiceCommandNotFound, kInvalidArgument.
Result<rules::Operation> parse_operation(bson::View frame);

}  // namespace restitch::functions
