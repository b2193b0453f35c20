#include "functions/dependencies/manifest.h"

#include <algorithm>
#include <array>

#include "bson/extended_json.h"

namespace restitch::functions {
namespace {

constexpr std::array<std::string_view, 4> kSections = {"dependencies", "optionalDependencies",
                                                       "peerDependencies", "devDependencies"};
constexpr std::size_t kMaxDependencies = 500;
constexpr std::size_t kMaxNameBytes = 214;  // npm's own limit

Error refused(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

bool is_plain_name(std::string_view name) {
  if (name.empty() || name.front() == '.' || name.front() == '_') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
  });
}

bool is_package_name(std::string_view name) {
  if (name.size() > kMaxNameBytes) return false;
  if (!name.starts_with('@')) return is_plain_name(name);
  const std::size_t slash = name.find('/');
  return slash != std::string_view::npos && is_plain_name(name.substr(1, slash - 1)) &&
         is_plain_name(name.substr(slash + 1));
}

// A version, range, tag or alias ("npm:name@range") of a registry.
bool is_of_registry(std::string_view wanted) {
  if (wanted.starts_with("npm:")) {
    wanted.remove_prefix(4);
    const std::size_t at = wanted.rfind('@');
    const std::string_view name =
        at == std::string_view::npos || at == 0 ? wanted : wanted.substr(0, at);
    if (!is_package_name(name)) return false;
    wanted = name.size() == wanted.size() ? std::string_view() : wanted.substr(name.size() + 1);
  }
  // npm takes a name with such an ending for a file.
  const bool is_archive =
      wanted.ends_with(".tgz") || wanted.ends_with(".tar.gz") || wanted.ends_with(".tar");
  return wanted.find_first_of(":/\\") == std::string_view::npos && !wanted.starts_with('.') &&
         !is_archive;
}

Status check_section(std::string_view section, bson::ValueView value, bson::Builder& target,
                     std::size_t& count) {
  const auto members = value.as_object();
  if (!members) return refused("'" + std::string(section) + "' must be an object");
  target.open_object(section);
  for (const bson::Element& member : *members) {
    const std::string name(member.name);
    const auto wanted = member.value.as_string();
    if (!is_package_name(name)) return refused("'" + name + "' is not the name of a package");
    if (!wanted) return refused("the version of '" + name + "' must be a string");
    if (!is_of_registry(*wanted)) {
      return refused("'" + name + "': '" + std::string(*wanted) +
                     "' is not a version of a package registry");
    }
    if (++count > kMaxDependencies) {
      return refused("there are more than " + std::to_string(kMaxDependencies) + " dependencies");
    }
    target.append(name, *wanted);
  }
  target.close();
  return {};
}

// Versions that npm is to use instead of those that packages name; nested by package.
Status check_overrides(bson::View overrides) {
  for (const bson::Element& member : overrides) {
    if (const auto wanted = member.value.as_string()) {
      if (wanted->starts_with('$') || is_of_registry(*wanted)) continue;
      return refused("'overrides': '" + std::string(*wanted) +
                     "' is not a version of a package registry");
    }
    const auto nested = member.value.as_object();
    if (!nested) return refused("'overrides' must hold versions");
    RESTITCH_CHECK(check_overrides(*nested));
  }
  return {};
}

Status check_lock(std::string_view text) {
  const auto lock = bson::parse_json_document(text);
  if (!lock) return refused("package-lock.json is not valid JSON");
  const auto packages = (*lock)["packages"].as_object();
  if (!packages) return refused("package-lock.json must be of lockfileVersion 2 or 3");
  for (const bson::Element& member : *packages) {
    const auto entry = member.value.as_object();
    if (!entry)
      return refused("package-lock.json: '" + std::string(member.name) + "' is no object");
    const auto resolved = (*entry)["resolved"].as_string();
    const bool is_remote =
        !resolved || resolved->starts_with("https://") || resolved->starts_with("http://");
    if (!is_remote || (*entry)["link"].truthy()) {
      return refused("package-lock.json: '" + std::string(member.name) +
                     "' does not come from a package registry");
    }
  }
  return {};
}

}  // namespace

Result<PackageManifest> read_package_manifest(std::string_view package, std::string_view lock) {
  const auto parsed = bson::parse_json_document(package);
  if (!parsed) return refused("is not valid JSON: " + parsed.error().message());
  const bson::View view = parsed->view();
  PackageManifest manifest;
  bson::Builder reduced;
  reduced.append("name", "functions");
  reduced.append("version", "0.0.0");
  reduced.append("private", true);
  std::size_t count = 0;
  for (const std::string_view section : kSections) {
    const bson::ValueView value = view[section];
    if (value.is_nullish()) continue;
    RESTITCH_CHECK(check_section(section, value, reduced, count));
    if (section == "devDependencies") continue;
    manifest.has_dependencies = manifest.has_dependencies || !value.as_object()->empty();
  }
  if (const auto overrides = view["overrides"].as_object()) {
    RESTITCH_CHECK(check_overrides(*overrides));
    reduced.append("overrides", *overrides);
  }
  if (!lock.empty()) {
    RESTITCH_CHECK(check_lock(lock));
    manifest.lock = lock;
  }
  manifest.text = bson::to_json(std::move(reduced).finish());
  return manifest;
}

}  // namespace restitch::functions
