#include "deployment/hosting_settings.h"

#include <charconv>

#include "app/hosted_files.h"
#include "app/writing/members.h"

namespace restitch::deployment {
namespace {

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

// 404 for what is no status of an answer with a body.
int status_of(bson::ValueView value) {
  std::int64_t status = value.as_integer().value_or(0);
  if (const auto text = value.as_string()) {
    std::from_chars(text->data(), text->data() + text->size(), status);
  } else if (value.type() == bson::Type::kDouble) {
    const double number = value.get_double();
    status = number >= 200 && number <= 599 ? static_cast<std::int64_t>(number) : 0;
  }
  const bool has_body = status >= 200 && status <= 599 && status != 204 && status != 205 &&
                        (status < 300 || status > 399);
  return has_body ? static_cast<int>(status) : 404;
}

}  // namespace

HostingSettings hosting_settings(const app::Config& config) {
  HostingSettings settings;
  for (const app::OpaqueFile& file : config.others) {
    if (file.path != "hosting/config.json") continue;
    const app::Members members(file.content);
    settings.is_enabled = members["enabled"].as_bool().value_or(false);
    settings.custom_domain = lower_case(members.text("custom_domain"));
    settings.default_error_path = app::asset_path(members.text("default_error_path"));
    const bool has_code = !app::is_empty(members["default_error_code"]);
    settings.default_error_status =
        status_of(members[has_code ? "default_error_code" : "default_response_code"]);
  }
  return settings;
}

}  // namespace restitch::deployment
