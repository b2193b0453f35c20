#include "app/paths.h"

#include <array>
#include <span>
#include <string>

namespace restitch::app {
namespace {

// A component is a name, "*" for any name, or "*.json"; "**.js" at the end is any file of that
// extension at any depth.
struct Pattern {
  std::string_view path;
  FileKind kind;
};

constexpr std::array kCommon = {
    Pattern{".mdb/app_meta.json", FileKind::kJson},
    Pattern{".mdb/meta.json", FileKind::kJson},
    Pattern{"secrets.json", FileKind::kJson},
    Pattern{"environments/*.json", FileKind::kJson},
    Pattern{"values/*.json", FileKind::kJson},
    Pattern{"triggers/*.json", FileKind::kJson},
    Pattern{"log_forwarders/*.json", FileKind::kJson},
    Pattern{"graphql/config.json", FileKind::kJson},
    Pattern{"graphql/validation_settings.json", FileKind::kJson},
    Pattern{"graphql/custom_resolvers/*.json", FileKind::kJson},
    Pattern{"hosting/config.json", FileKind::kJson},
    Pattern{"hosting/metadata.json", FileKind::kJson},
    Pattern{"services/*/config.json", FileKind::kJson},
    Pattern{"services/*/default_rule.json", FileKind::kJson},
    Pattern{"services/*/rules/*.json", FileKind::kJson},
    Pattern{"services/*/incoming_webhooks/*/config.json", FileKind::kJson},
    Pattern{"services/*/incoming_webhooks/*/source.js", FileKind::kSource},
};

constexpr std::array kModern = {
    Pattern{"auth/providers.json", FileKind::kJson},
    Pattern{"auth/custom_user_data.json", FileKind::kJson},
    Pattern{"sync/config.json", FileKind::kJson},
    Pattern{"data_sources/*/config.json", FileKind::kJson},
    Pattern{"data_sources/*/default_rule.json", FileKind::kJson},
    Pattern{"data_sources/*/*/*/rules.json", FileKind::kJson},
    Pattern{"data_sources/*/*/*/schema.json", FileKind::kJson},
    Pattern{"data_sources/*/*/*/relationships.json", FileKind::kJson},
    Pattern{"functions/config.json", FileKind::kJson},
    Pattern{"functions/**.js", FileKind::kSource},
    Pattern{"functions/**.ts", FileKind::kSource},
    Pattern{"http_endpoints/config.json", FileKind::kJson},
    Pattern{"http_endpoints/data_api_config.json", FileKind::kJson},
    Pattern{"http_endpoints/*/config.json", FileKind::kJson},
    Pattern{"http_endpoints/*/rules/*.json", FileKind::kJson},
    Pattern{"http_endpoints/*/incoming_webhooks/*/config.json", FileKind::kJson},
    Pattern{"http_endpoints/*/incoming_webhooks/*/source.js", FileKind::kSource},
    Pattern{"https_endpoints/config.json", FileKind::kJson},
    Pattern{"https_endpoints/data_api_config.json", FileKind::kJson},
    Pattern{"https_endpoints/*/config.json", FileKind::kJson},
    Pattern{"https_endpoints/*/rules/*.json", FileKind::kJson},
    Pattern{"https_endpoints/*/incoming_webhooks/*/config.json", FileKind::kJson},
    Pattern{"https_endpoints/*/incoming_webhooks/*/source.js", FileKind::kSource},
};

constexpr std::array kLegacy = {
    Pattern{"auth_providers/*.json", FileKind::kJson},
    Pattern{"data_api_config.json", FileKind::kJson},
    Pattern{"functions/*/config.json", FileKind::kJson},
    Pattern{"functions/*/source.js", FileKind::kSource},
};

// Cuts the first component off.
std::string_view take_component(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view component = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  return component;
}

bool matches_component(std::string_view pattern, std::string_view name) {
  if (!pattern.starts_with('*')) return pattern == name;
  const std::string_view extension = pattern.substr(1);
  return name.size() > extension.size() && name.ends_with(extension);
}

bool matches(std::string_view pattern, std::string_view path) {
  while (!pattern.empty() && !path.empty()) {
    if (pattern.starts_with("**")) return matches_component(pattern.substr(1), path);
    if (!matches_component(take_component(pattern), take_component(path))) return false;
  }
  return pattern.empty() && path.empty();
}

bool may_hold(std::string_view pattern, std::string_view directory) {
  while (!pattern.empty() && !directory.empty()) {
    if (pattern.starts_with("**")) return true;
    if (!matches_component(take_component(pattern), take_component(directory))) return false;
  }
  return !pattern.empty();
}

template <typename Predicate>
FileKind first_kind(bool is_legacy, Predicate predicate) {
  const std::span<const Pattern> own = is_legacy ? std::span<const Pattern>(kLegacy) : kModern;
  for (const std::span<const Pattern> patterns : {std::span<const Pattern>(kCommon), own}) {
    for (const Pattern& pattern : patterns) {
      if (predicate(pattern.path)) return pattern.kind;
    }
  }
  return FileKind::kNone;
}

}  // namespace

FileKind kind_of_file(std::string_view path, bool is_legacy) {
  if (path.ends_with(".d.ts")) return FileKind::kNone;  // declarations for editors
  return first_kind(is_legacy, [&](std::string_view pattern) { return matches(pattern, path); });
}

bool may_hold_files(std::string_view path, bool is_legacy) {
  return first_kind(is_legacy, [&](std::string_view pattern) { return may_hold(pattern, path); }) !=
         FileKind::kNone;
}

}  // namespace restitch::app
