#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "bson/document.h"
#include "rules/context.h"
#include "rules/data_access.h"
#include "runtime/task.h"

namespace restitch::functions {

struct FunctionLimits {
  std::chrono::milliseconds run_time{300000};
  std::int64_t memory_mb = 350;
  std::int32_t max_pending_operations = 1000;
  std::int32_t max_log_lines = 25;
  std::int32_t max_log_line_bytes = 512;
  std::int64_t max_result_bytes = 18LL << 20U;
  std::int32_t max_workers = 4;            // per app
  std::int32_t max_calls_per_worker = 64;  // in flight at once
  std::int32_t max_queued_calls = 10000;   // above: kTooManyRequests
};

// A rule of a third-party service: who may do these actions.
struct ServiceRule {
  std::vector<std::string> actions;
  std::optional<bson::Value> when;  // an expression; absent: always
  std::string file;                 // for findings
};

// The type of the services that push messages to devices.
inline constexpr std::string_view kPushServiceType = "gcm";

// A third-party service of the app, e.g. an HTTP service.
struct ThirdPartyService {
  std::string name, type;  // "http", "aws", "twilio", "gcm", …
  bson::Document config;   // without its secrets
  std::vector<ServiceRule> rules;
};

// The one of that name; null when there is none.
const ThirdPartyService* find_service(const std::vector<ThirdPartyService>& services,
                                      std::string_view name);

// What a worker must know of the app. Immutable.
struct FunctionAppInfo {
  std::string app_id, client_app_id, name, project_id;
  std::string deployment_model, provider_region, last_deployed;
  std::string hosting_uri;  // host name of the app's hosted files; "" = none
  std::string environment_tag;
  bson::Document environment_values;
  bson::Document values;  // secrets resolved
  std::vector<app::FunctionConfig> functions;
  std::vector<std::pair<std::string, std::string>> services;  // name, type
  std::vector<ThirdPartyService> third_party;
  std::string dependencies_path;  // "" = none
  bool has_unknown_packages =
      false;  // packages are not there yet: nobody is warned of missing ones
};

struct CallRequest {
  std::string function;
  std::string source;        // runs this source instead of a function of the app (administration)
  std::string service;       // calls the action `function` of this third-party service instead
  bson::Document arguments;  // array
  rules::User user;
  rules::RequestInfo request;
  std::string request_id;
  bool system_caller = false;       // triggers and endpoints without a user
  bool from_client = false;         // private functions are not found, can_evaluate applies
  bool apply_can_evaluate = false;  // endpoints: can_evaluate applies, private functions are found
  bool with_response = false;       // endpoints: a response object is passed behind the arguments
  std::string log_type = "FUNCTION";  // of the log entry
  bson::Document log_fields;          // further members of the log entry
};

struct CallOutcome {
  bson::Value value;        // kUndefined when the function returned nothing
  bson::Document response;  // with_response: {headers: {name: [text]}[, statusCode][, body]}
  std::vector<std::string> logs, error_logs;
  std::chrono::microseconds run_time{0};
};

// Looks a user up for run_as_user_id.
using UserLookup = std::function<Task<rules::User>(std::string user_id)>;

// The devices of users that are registered with a push service: an array of {userId, deviceId,
// registrationToken}. Ids that are none have no devices.
using PushLookup =
    std::function<Task<bson::Value>(std::string service, std::vector<std::string> user_ids)>;

// Names for getDBNames (database "") and getCollectionNames of system functions: an array of
// strings.
using NameLister = std::function<Task<bson::Value>(std::string source, std::string database)>;

// Keeps one call's console lines and outcome (spec: functions §14.1). Must not block.
struct CallLog {
  const CallRequest& request;
  const CallOutcome& outcome;
  const Error* error;  // null on success
};
// Sees every console line at once, while its call runs. Must not block.
using ConsoleSink = std::function<void(const std::string& app, const std::string& function,
                                       std::string_view line, bool is_error)>;
using CallLogSink = std::function<void(const CallLog&)>;

// The functions of one deployed app on supervised Node.js workers (design: functions). Also the
// FunctionCaller of its rules. Thread-safe.
class FunctionService : public rules::FunctionCaller {
 public:
  struct Options {
    std::string worker_script;  // path of worker/main.js
    std::string node_binary = "node";
    FunctionLimits limits;
    NameLister list_names;  // empty: the two methods are refused
    PushLookup push_registrations;  // empty: no device is registered
    ConsoleSink console;    // empty: lines go to the log entry of their call only
    // HTTP gateways of third-party services, by the service's name or type.
    std::map<std::string, std::string> gateways;
    // host:port for the inspector of the JavaScript engine; then one worker serves an app, and
    // calls have an hour. "" = none.
    std::string inspect;
  };

  // Does not start workers; the first call does (or warm()). `data` serves the functions' data
  // access.
  static Result<std::shared_ptr<FunctionService>> create(FunctionAppInfo app,
                                                         std::shared_ptr<rules::DataAccess> data,
                                                         UserLookup users, CallLogSink log,
                                                         Options options);

  // Errors: kFunctionNotFound, kFunctionExecution, kFunctionSyntax, kExecutionTimeLimit,
  // kFunctionInterrupted, kTooManyRequests, kClosing; texts of spec functions §2.4. Of an action
  // also kServiceNotFound, kServiceCommandNotFound, kNoMatchingRule, kHttpAction, kRestrictedHost.
  virtual Task<CallOutcome> call(CallRequest request) = 0;

  // Starts one worker and loads the app, so that the first call does not pay for it. Syntax errors
  // of sources are findings for the deployment: (function name, message with line and column).
  virtual Task<std::vector<std::pair<std::string, std::string>>> warm() = 0;
  // After warm(): what is questionable in the sources, such as modules that are not installed.
  virtual std::vector<std::pair<std::string, std::string>> source_warnings() const = 0;

  // Lets running calls end (until the deadline), then ends the workers.
  virtual asio::awaitable<void> stop() = 0;
};

}  // namespace restitch::functions
