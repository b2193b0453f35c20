#pragma once

#include <chrono>
#include <string>

#include "api/client/client_api.h"
#include "api/client/function_call.h"

// What the app's log entries tell of requests of clients (spec: functions §14.1).
namespace restitch::api::client {

// co_id, domain_id, request_url, request_method, remote_ip_address.
void append_request(bson::Builder& fields, const RequestContext& context);
// status, and of a failure error, error_code and error_details: what only the log may tell.
void append_outcome(bson::Builder& fields, const Error* error);

// What a sign-in tells of its device; empty when nothing.
bson::Document device_of(bson::View credential);
// platform, platform_version, sdk_name, sdk_version: those that are known.
void append_device(bson::Builder& fields, bson::View device);

// Further members of the entry of a function call. Arguments are told unless the function's
// configuration forbids it.
bson::Document function_log_fields(const RequestContext& context, const FunctionCall& call);

// Whether a call of a service action is to have an entry (LogSettings::requests). Cheap.
bool wants_entry(ClientApi& api, const RequestContext& context, const FunctionCall& call,
                 bool has_succeeded);
// Adds the entry; `error` is null after a success.
void note_action(ClientApi& api, const RequestContext& context, const FunctionCall& call,
                 const std::string& user, std::chrono::steady_clock::duration run_time,
                 const Error* error);

}  // namespace restitch::api::client
