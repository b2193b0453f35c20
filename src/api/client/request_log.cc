#include "api/client/request_log.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/http_error.h"
#include "rules/operation.h"

namespace restitch::api::client {
namespace {

constexpr std::string_view kActionType = "SERVICE_FUNCTION";
constexpr std::size_t kMaxArgumentBytes = 4096;  // larger ones are left out of the entry
constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxUrlBytes = 1024;
constexpr std::size_t kMaxDetailBytes = 16384;
constexpr std::size_t kMaxDeviceBytes = 128;

// Not longer than `most`, and never cut within a character.
std::string_view shortened(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  return text.substr(0, most);
}

// Of large arguments only what says where they went.
void append_arguments(bson::Builder& fields, const bson::Document& arguments) {
  fields.open_array("arguments");
  if (arguments.bytes().size() <= kMaxArgumentBytes) {
    for (const bson::Element& argument : arguments.view()) fields.push(argument.value);
  } else if (const auto first = arguments.view()["0"].as_object()) {
    fields.push_object();
    for (const char* name : {"database", "collection", "schema_name"}) {
      const auto text = (*first)[name].as_string();
      if (text) fields.append(name, shortened(*text, kMaxNameBytes));
    }
    fields.append("arguments_left_out_bytes", static_cast<std::int64_t>(arguments.bytes().size()));
    fields.close();
  }
  fields.close();
}

void append_call(bson::Builder& fields, const FunctionCall& call, bool with_arguments) {
  fields.open_object("function_call").append("name", shortened(call.name, kMaxNameBytes));
  if (with_arguments) append_arguments(fields, call.arguments);
  if (!call.service.empty()) fields.append("service", shortened(call.service, kMaxNameBytes));
  fields.close();
}

bool tells_arguments(const deployment::DeployedApp& app, const std::string& function) {
  const auto& functions = app.config->functions;
  const auto found =
      std::find_if(functions.begin(), functions.end(),
                   [&](const app::FunctionConfig& one) { return one.name == function; });
  return found != functions.end() && !found->disable_arg_logs;
}

}  // namespace

void append_request(bson::Builder& fields, const RequestContext& context) {
  fields.append("co_id", context.request_id)
      .append("domain_id", context.app->auth->realm.domain_id);
  fields.append("request_url", shortened(context.http.path(), kMaxUrlBytes));
  fields.append("request_method", context.http.method());
  fields.append("remote_ip_address", context.client_address);
}

void append_outcome(bson::Builder& fields, const Error* error) {
  if (error == nullptr) {
    fields.append("status", std::int32_t{200});
    return;
  }
  const HttpError mapped = http_error_of(error->code());
  fields.append("status", std::int32_t{mapped.status}).append("error", error->message());
  fields.append("error_code", mapped.error_code);
  if (!error->detail().empty()) {
    fields.append("error_details", shortened(error->detail(), kMaxDetailBytes));
  }
}

bson::Document device_of(bson::View credential) {
  const auto options = credential["options"].as_object();
  if (!options) return {};
  const auto device = (*options)["device"].as_object();
  return device ? bson::Document(*device) : bson::Document();
}

void append_device(bson::Builder& fields, bson::View device) {
  using Name = std::pair<std::string_view, std::string_view>;  // in the request, in the entry
  constexpr std::array<Name, 4> kNames = {{{"platform", "platform"},
                                           {"platformVersion", "platform_version"},
                                           {"sdk", "sdk_name"},
                                           {"sdkVersion", "sdk_version"}}};
  for (const auto& [told, name] : kNames) {
    const auto text = device[told].as_string();
    if (text && !text->empty()) fields.append(name, shortened(*text, kMaxDeviceBytes));
  }
}

bson::Document function_log_fields(const RequestContext& context, const FunctionCall& call) {
  bson::Builder fields;
  fields.append("domain_id", context.app->auth->realm.domain_id);
  fields.append("request_url", shortened(context.http.path(), kMaxUrlBytes));
  fields.append("request_method", context.http.method());
  append_call(fields, call, !call.service.empty() || tells_arguments(*context.app, call.name));
  return std::move(fields).finish();
}

bool wants_entry(ClientApi& api, const RequestContext& context, const FunctionCall& call,
                 bool has_succeeded) {
  if (api.logs() == nullptr) return false;
  const auto action = rules::action_from_name(call.name);
  return api.logs()->wants_request(context.app->id, kActionType,
                                   action && rules::is_write(*action), !has_succeeded);
}

void note_action(ClientApi& api, const RequestContext& context, const FunctionCall& call,
                 const std::string& user, std::chrono::steady_clock::duration run_time,
                 const Error* error) {
  bson::Builder fields;
  append_request(fields, context);
  fields.append("user_id", user).append("function_name", shortened(call.name, kMaxNameBytes));
  append_call(fields, call, true);
  append_outcome(fields, error);
  api.logs()->add_entry(context.app->id, context.app->group_id, kActionType,
                        std::move(fields).finish(),
                        std::chrono::duration_cast<std::chrono::milliseconds>(run_time));
}

}  // namespace restitch::api::client
