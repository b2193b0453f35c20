#include "datasource/embedded/namespace.h"

#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

namespace {
constexpr std::size_t kMaxDatabaseName = 63;
constexpr std::size_t kMaxNamespace = 255;
}  // namespace

Status check_database_name(std::string_view name) {
  if (name.size() > kMaxDatabaseName) {
    return mongo_error(code::kInvalidNamespace, "db name must be at most 63 characters, found: " +
                                                    std::to_string(name.size()));
  }
  constexpr std::string_view kForbidden("/\\. \"$*<>:|?\0", 13);
  if (name.empty() || name.find_first_of(kForbidden) != std::string_view::npos) {
    return mongo_error(code::kInvalidNamespace,
                       "Invalid database name: '" + std::string(name) + "'");
  }
  return {};
}

Status check_namespace(std::string_view database, std::string_view collection) {
  const std::string full = std::string(database) + "." + std::string(collection);
  if (collection.empty()) {
    return mongo_error(code::kInvalidNamespace, "Invalid namespace specified '" + full + "'");
  }
  if (collection.front() == '.') {
    return mongo_error(code::kInvalidNamespace,
                       "Collection names cannot start with '.': " + std::string(collection));
  }
  if (collection.find('$') != std::string_view::npos ||
      collection.find('\0') != std::string_view::npos) {
    return mongo_error(code::kInvalidNamespace,
                       "Invalid collection name: " + std::string(collection));
  }
  if (full.size() > kMaxNamespace) {
    return mongo_error(code::kInvalidNamespace,
                       "Fully qualified namespace is too long. Namespace: " + full + " Max: 255");
  }
  return {};
}

Result<Namespace> split_namespace(std::string_view full) {
  const std::size_t dot = full.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == full.size()) {
    return mongo_error(code::kInvalidNamespace,
                       "Invalid namespace specified '" + std::string(full) + "'");
  }
  Namespace ns{std::string(full.substr(0, dot)), std::string(full.substr(dot + 1))};
  RESTITCH_CHECK(check_database_name(ns.database));
  RESTITCH_CHECK(check_namespace(ns.database, ns.collection));
  return ns;
}

bool is_reserved_collection(std::string_view collection) {
  return collection.starts_with("system.") && collection != "system.js";
}

bool is_internal_database(std::string_view database) {
  return database == "admin" || database == "config" || database == "local";
}

}  // namespace restitch::datasource::embedded
