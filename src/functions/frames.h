#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"
#include "functions/call.h"
#include "functions/function_service.h"

namespace restitch::functions {

// Frames of the worker protocol (PROTOCOL.md), as bytes.

inline constexpr std::size_t kMaxFrameBytes = 34UL << 20U;

// `gateways` as in FunctionService::Options. With `streams_logs` the worker sends console lines at
// once.
std::string init_frame(const FunctionAppInfo& app, const FunctionLimits& limits,
                       const std::map<std::string, std::string>& gateways, bool streams_logs);

// `request_document` is what %%request sees. The call's number is 0 until set_call_number().
std::string call_frame(const CallRequest& request, bool as_system, bson::View request_document,
                       std::chrono::milliseconds run_time);
void set_call_number(std::string& frame, std::int64_t number);

std::string ping_frame(std::int64_t n);
std::string cancel_frame(std::int64_t call);
std::string stop_frame();

// What a failed statement or commit allows (MongoDB's error labels).
struct ErrorLabels {
  bool is_transient = false;       // the whole transaction may be run again
  bool is_commit_unknown = false;  // the commit may have taken effect
};

// The answer to an operation; large arrays are split over several frames.
std::vector<std::string> operation_result_frames(std::int64_t call, std::int64_t operation,
                                                 const Result<bson::Value>& result,
                                                 const ErrorLabels& labels);

bson::Document user_document(const rules::User& user);

// A `result` or `error` frame.
CallResult parse_call_result(bson::View frame);
// What a `ready` frame remarks on the sources.
SourceRemarks parse_source_remarks(bson::View frame);

}  // namespace restitch::functions
