#include <algorithm>
#include <array>

#include "app/assembly.h"

namespace restitch::app {
namespace {

constexpr std::array<std::string_view, 5> kTypes = {"aws", "twilio", "github", "gcm", "http"};
constexpr std::array<std::string_view, 2> kRetiredTypes = {"aws-ses", "aws-s3"};
constexpr std::array<std::string_view, 3> kDataSourceTypes = {"mongodb-atlas", "datalake",
                                                              "mongodb"};

template <typename Words>
bool is_among(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

void check_service(Assembly& assembly, const Node& file) {
  const std::string name = file["name"].required_text();
  check_name(file["name"], name);
  assembly.claim_name(file["name"], "Services", name, "ServiceAlreadyExists");
  const std::string type = file["type"].required_text();
  if (is_among(kRetiredTypes, type)) {
    file["type"].warning("services of the type '" + type + "' are kept, but cannot be called",
                         "ServiceTypeNotFound");
  } else if (!type.empty() && !is_among(kTypes, type)) {
    file["type"].error("unknown service type '" + type + "'", "ServiceTypeNotFound");
  }
  file["config"].object();
  file["secret_config"].object();
  assembly.service_types[name] = type;
}

void check_service_rule(const Node& rule) {
  check_name(rule["name"], rule["name"].required_text());
  rule["actions"].texts();
  rule["when"].expression();
}

// The function of a webhook. Its name holds a character that no function's name may have.
FunctionConfig webhook_function(const Assembly& assembly, const Node& hook,
                                const std::string& service, const std::string& name) {
  FunctionConfig function;
  function.name = "webhook:" + service + "/" + name;
  function.file = std::string(parent(hook.file())) + "/source.js";
  const auto source = assembly.tree.sources.find(function.file);
  if (source != assembly.tree.sources.end()) function.source = source->second;
  function.manifest_file = std::string(hook.file());
  function.is_private = true;
  function.can_evaluate = hook["can_evaluate"].expression();
  function.disable_arg_logs = hook["disable_arg_logs"].flag();
  function.run_as_user_id = hook["run_as_user_id"].text();
  function.run_as_user_id_script_source = hook["run_as_user_id_script_source"].text();
  function.run_as_system = function.run_as_user_id.empty() &&
                           function.run_as_user_id_script_source.empty() &&
                           !hook["run_as_authed_user"].flag();
  return function;
}

WebhookConfig webhook_of(const Assembly& assembly, const Node& hook, const std::string& service,
                         const std::string& name) {
  WebhookConfig webhook;
  webhook.service = service;
  webhook.name = name;
  const Node options = hook["options"];
  const std::string method = options["httpMethod"].text();
  webhook.method = method.empty() || method == "ANY" ? "*" : method;
  const std::string validation = options["validationMethod"].text();
  if (validation == "SECRET_AS_QUERY_PARAM") {
    webhook.validation = RequestValidation::kSecretInQuery;
  } else if (validation == "VERIFY_PAYLOAD") {
    webhook.validation = RequestValidation::kSignature;
  }
  webhook.secret = options["secret"].text();
  webhook.function = webhook_function(assembly, hook, service, name);
  webhook.run_as_authed_user = hook["run_as_authed_user"].flag();
  webhook.respond_result = hook["respond_result"].flag();
  webhook.fetch_custom_user_data = hook["fetch_custom_user_data"].flag();
  webhook.create_user_on_auth = hook["create_user_on_auth"].flag();
  return webhook;
}

// `directory` is the one of the service.
void read_webhook(Assembly& assembly, const Node& hook, const std::string& directory) {
  const std::string name = hook["name"].text(file_name(parent(hook.file())));
  assembly.claim_name(hook["name"], "Incoming Webhooks of " + directory, name,
                      "IncomingWebhookDuplicateName");
  hook["can_evaluate"].expression();
  if (!hook["run_as_user_id"].text().empty() &&
      !hook["run_as_user_id_script_source"].text().empty()) {
    hook["run_as_user_id_script_source"].error("cannot be given together with run_as_user_id");
  }
  if (hook["options"].exists() && !hook["options"].is_object()) return;
  const std::string service = assembly.file(directory + "/config.json")["name"].text();
  if (!service.empty()) {
    assembly.config.webhooks.push_back(webhook_of(assembly, hook, service, name));
  }
}

// Whether a directory of services/ is a data source, whose files are read elsewhere.
bool is_data_source(const Assembly& assembly, const std::string& directory) {
  const auto type = assembly.file(directory + "/config.json")["type"].value().as_string();
  return type && is_among(kDataSourceTypes, *type);
}

// services/<name> of a path below `root`, which ends with '/'.
std::string service_directory(const std::string& path, std::string_view root) {
  const std::size_t slash = path.find('/', root.size());
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

void read_below(Assembly& assembly, std::string_view root) {
  for (auto it = assembly.tree.json.lower_bound(std::string(root));
       it != assembly.tree.json.end() && it->first.starts_with(root); ++it) {
    const std::string directory = service_directory(it->first, root);
    if (directory.empty() || is_data_source(assembly, directory)) continue;
    const Node file(it->first, it->second, assembly.findings);
    assembly.config.others.push_back({it->first, it->second});
    if (!file.is_object()) continue;
    const std::string_view rest = std::string_view(it->first).substr(directory.size() + 1);
    if (rest == "config.json") {
      check_service(assembly, file);
    } else if (rest.starts_with("rules/")) {
      check_service_rule(file);
    } else if (rest.starts_with("incoming_webhooks/")) {
      read_webhook(assembly, file, directory);
    }
  }
  for (auto it = assembly.tree.sources.lower_bound(std::string(root));
       it != assembly.tree.sources.end() && it->first.starts_with(root); ++it) {
    assembly.config.others.push_back({it->first, bson::Value::of(it->second)});
  }
}

}  // namespace

void read_services(Assembly& assembly) {
  read_below(assembly, "services/");
  read_below(assembly, "http_endpoints/");
  read_below(assembly, "https_endpoints/");
}

}  // namespace restitch::app
