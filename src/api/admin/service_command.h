#pragma once

#include <memory>
#include <string>

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

}  // namespace restitch::api::admin
