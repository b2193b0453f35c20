#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "api/admin/admin_api.h"
#include "datasource/data_source.h"

namespace restitch::api::admin {

// The data source of a command's service, the route's first parameter. kServiceCommandNotFound for a
// service of another kind.
Result<std::shared_ptr<datasource::DataSource>> source_of(AdminApi& api,
                                                          const AdminRequest& request);

struct Namespace {
  std::string database, collection;
};
// `database_name` and `collection_name` of a command's body. kBadRequest for the server's own data.
Result<Namespace> namespace_of(bson::View body);
Status check_database(std::string_view database);
// An optional member of a command's body; empty when it is not given.
Result<bson::Document> object_of(bson::View body, std::string_view name);

// Notes a command on schemas that ends now in the app's log; `error` is null after a success.
void note_schema_command(AdminApi& api, const AdminRequest& request, std::string_view type,
                         std::chrono::steady_clock::time_point begin, const Error* error);

}  // namespace restitch::api::admin
