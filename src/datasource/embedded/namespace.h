#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace restitch::datasource::embedded {

// Database and collection name.
struct Namespace {
  std::string database;
  std::string collection;

  std::string full() const { return database + "." + collection; }
  bool operator==(const Namespace&) const = default;
};

// Rules for names (spec: mongodb-engine §5): error 73.
Status check_database_name(std::string_view name);
Status check_namespace(std::string_view database, std::string_view collection);
// "a.b.c" is database a, collection b.c. Error 73 without a dot or with an empty part.
Result<Namespace> split_namespace(std::string_view full);
// `system.*` collections that clients may not write.
bool is_reserved_collection(std::string_view collection);
// admin, config and local.
bool is_internal_database(std::string_view database);

}  // namespace restitch::datasource::embedded
