#include "functions/frames.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace restitch::functions {

namespace {

constexpr std::size_t kPartBytes = 8UL << 20U;
// "id" comes first in a call frame: behind the length, the type byte and the name.
constexpr std::size_t kCallNumberOffset = 4 + 1 + 3;

std::string bytes_of(bson::Builder builder) {
  return std::move(std::move(builder).finish()).into_bytes();
}

void append_functions(bson::Builder& builder, const FunctionAppInfo& app) {
  builder.open_array("functions");
  for (const app::FunctionConfig& function : app.functions) {
    builder.push_object();
    builder.append("name", function.name);
    builder.append("path", function.path);
    builder.append("file", function.file);
    builder.append("source", function.source);
    builder.append("runAsSystem", function.run_as_system);
    builder.append("runAsUserId", function.run_as_user_id);
    builder.append("runAsUserIdScriptSource", function.run_as_user_id_script_source);
    builder.close();
  }
  builder.close();
}

void append_app(bson::Builder& builder, const FunctionAppInfo& app) {
  builder.open_object("app");
  builder.append("id", app.app_id);
  builder.append("clientAppId", app.client_app_id);
  builder.append("name", app.name);
  builder.append("projectId", app.project_id);
  builder.open_object("deployment");
  builder.append("model", app.deployment_model);
  builder.append("providerRegion", app.provider_region);
  builder.close();
  builder.append("lastDeployed", app.last_deployed);
  if (!app.hosting_uri.empty()) builder.append("hostingUri", app.hosting_uri);
  builder.close();
}

void append_service(bson::Builder& builder, const ThirdPartyService& service,
                    const std::map<std::string, std::string>& gateways) {
  builder.push_object();
  builder.append("name", service.name);
  builder.append("type", service.type);
  builder.append("config", service.config);
  auto gateway = gateways.find(service.name);
  if (gateway == gateways.end()) gateway = gateways.find(service.type);
  if (gateway != gateways.end()) builder.append("gateway", gateway->second);
  builder.close();
}

void append_user(bson::Builder& builder, const rules::User& user) {
  builder.open_object("user");
  builder.append_all(user_document(user));
  builder.close();
}

bson::Builder operation_result(std::int64_t call, std::int64_t operation) {
  bson::Builder builder;
  builder.append("t", "opResult");
  builder.append("id", call);
  builder.append("op", operation);
  return builder;
}

std::string error_frame(std::int64_t call, std::int64_t operation, const Error& error,
                        const ErrorLabels& labels) {
  bson::Builder builder = operation_result(call, operation);
  builder.open_object("error");
  builder.append("message", error.message());
  if (error.mongo_code() != 0) builder.append("code", std::int32_t{error.mongo_code()});
  builder.append("codeName", name_of(error.code()));
  builder.open_array("labels");
  if (labels.is_transient) builder.push("TransientTransactionError");
  if (labels.is_commit_unknown) builder.push("UnknownTransactionCommitResult");
  builder.close();
  builder.close();
  return bytes_of(std::move(builder));
}

std::string value_frame(std::int64_t call, std::int64_t operation, bson::ValueView value) {
  bson::Builder builder = operation_result(call, operation);
  if (value.type() != bson::Type::kUndefined) builder.append("value", value);
  return bytes_of(std::move(builder));
}

std::vector<std::string> array_frames(std::int64_t call, std::int64_t operation, bson::View array) {
  std::vector<std::string> frames;
  bson::Builder builder = operation_result(call, operation);
  builder.open_array("value");
  for (const bson::Element& element : array) {
    if (builder.size() + element.value.raw().size() > kPartBytes) {
      builder.close();
      builder.append("more", true);
      frames.push_back(bytes_of(std::move(builder)));
      builder = operation_result(call, operation);
      builder.open_array("value");
    }
    builder.push(element.value);
  }
  builder.close();
  frames.push_back(bytes_of(std::move(builder)));
  return frames;
}

std::vector<std::string> texts(bson::ValueView value) {
  std::vector<std::string> result;
  const auto array = value.as_array();
  if (!array) return result;
  for (const bson::Element& element : *array) {
    if (const auto text = element.value.as_string()) result.emplace_back(*text);
  }
  return result;
}

std::string text(bson::ValueView value) { return std::string(value.as_string().value_or("")); }

std::vector<std::pair<std::string, std::string>> remarks(bson::ValueView value) {
  std::vector<std::pair<std::string, std::string>> result;
  const auto array = value.as_array();
  if (!array) return result;
  for (const bson::Element& element : *array) {
    if (const auto remark = element.value.as_object()) {
      result.emplace_back(text((*remark)["name"]), text((*remark)["message"]));
    }
  }
  return result;
}

struct ErrorKind {
  std::string_view name;
  ErrorCode code;
};

constexpr std::array kErrorKinds{
    ErrorKind{"syntax", ErrorCode::kFunctionSyntax},
    ErrorKind{"time", ErrorCode::kExecutionTimeLimit},
    ErrorKind{"ServiceCommandNotFound", ErrorCode::kServiceCommandNotFound},
    ErrorKind{"NoMatchingRule", ErrorCode::kNoMatchingRule},
    ErrorKind{"HTTPError", ErrorCode::kHttpAction},
    ErrorKind{"RestrictedHost", ErrorCode::kRestrictedHost},
};

Error error_of(bson::View frame) {
  const std::string_view wanted = frame["kind"].as_string().value_or("");
  const auto kind = std::find_if(kErrorKinds.begin(), kErrorKinds.end(),
                                 [&](const ErrorKind& one) { return one.name == wanted; });
  const ErrorCode code = kind == kErrorKinds.end() ? ErrorCode::kFunctionExecution : kind->code;
  return Error(code, text(frame["message"])).with_detail(text(frame["stack"]));
}

}  // namespace

std::string init_frame(const FunctionAppInfo& app, const FunctionLimits& limits,
                       const std::map<std::string, std::string>& gateways, bool streams_logs) {
  bson::Builder builder;
  builder.append("t", "init");
  append_app(builder, app);
  builder.open_object("environment");
  builder.append("tag", app.environment_tag);
  builder.append("values", app.environment_values);
  builder.close();
  builder.append("values", app.values);
  append_functions(builder, app);
  builder.open_array("services");
  for (const auto& [name, type] : app.services) {
    builder.push_object();
    builder.append("name", name);
    builder.append("type", type);
    builder.close();
  }
  for (const ThirdPartyService& service : app.third_party) {
    append_service(builder, service, gateways);
  }
  builder.close();
  builder.open_object("limits");
  builder.append("maxPendingOperations", limits.max_pending_operations);
  builder.append("maxLogLines", limits.max_log_lines);
  builder.append("maxLogLineBytes", limits.max_log_line_bytes);
  builder.append("maxResultBytes", limits.max_result_bytes);
  builder.append("streamsLogs", streams_logs);
  builder.close();
  builder.append("dependencies", app.dependencies_path);
  if (app.has_unknown_packages) builder.append("unknownPackages", true);
  return bytes_of(std::move(builder));
}

std::string call_frame(const CallRequest& request, bool as_system, bson::View request_document,
                       std::chrono::milliseconds run_time) {
  bson::Builder builder;
  builder.append("id", std::int64_t{0});
  builder.append("t", "call");
  if (!request.service.empty()) {
    builder.append("service", request.service).append("action", request.function);
  } else if (request.source.empty()) {
    builder.append("function", request.function);
  } else {
    builder.append("source", request.source);
  }
  builder.append_array("args", request.arguments);
  append_user(builder, request.user);
  builder.append("asSystem", as_system);
  builder.append("request", request_document);
  builder.append("timeMs", static_cast<std::int32_t>(run_time.count()));
  if (request.system_caller || request.with_response) builder.append("keepFirstLogs", true);
  if (request.with_response) builder.append("response", true);
  return bytes_of(std::move(builder));
}

void set_call_number(std::string& frame, std::int64_t number) {
  std::memcpy(frame.data() + kCallNumberOffset, &number, sizeof number);
}

std::string ping_frame(std::int64_t n) {
  bson::Builder builder;
  builder.append("t", "ping");
  builder.append("n", n);
  return bytes_of(std::move(builder));
}

std::string cancel_frame(std::int64_t call) {
  bson::Builder builder;
  builder.append("t", "cancel");
  builder.append("id", call);
  return bytes_of(std::move(builder));
}

std::string stop_frame() {
  bson::Builder builder;
  builder.append("t", "stop");
  return bytes_of(std::move(builder));
}

std::vector<std::string> operation_result_frames(std::int64_t call, std::int64_t operation,
                                                 const Result<bson::Value>& result,
                                                 const ErrorLabels& labels) {
  std::vector<std::string> frames;
  if (!result) {
    frames.push_back(error_frame(call, operation, result.error(), labels));
  } else if (const auto array = result->view().as_array(); array && array->size() > kPartBytes) {
    frames = array_frames(call, operation, *array);
  } else {
    frames.push_back(value_frame(call, operation, *result));
  }
  return frames;
}

bson::Document user_document(const rules::User& user) {
  bson::Builder builder;
  if (!user.id.empty()) builder.append("id", user.id);
  builder.append("type", user.type);
  builder.append("data", user.data);
  builder.append("custom_data", user.custom_data);
  builder.append_array("identities", user.identities);
  return std::move(builder).finish();
}

CallResult parse_call_result(bson::View frame) {
  CallResult result;
  result.logs = texts(frame["logs"]);
  result.error_logs = texts(frame["errorLogs"]);
  if (frame["t"].as_string() == "error") {
    result.error = error_of(frame);
    return result;
  }
  if (const bson::ValueView value = frame["value"]; !value.is_missing()) {
    result.value = bson::Value(value);
  }
  if (const auto response = frame["response"].as_object()) {
    result.response = bson::Document(*response);
  }
  return result;
}

SourceRemarks parse_source_remarks(bson::View frame) {
  return {remarks(frame["syntaxErrors"]), remarks(frame["warnings"])};
}

}  // namespace restitch::functions
