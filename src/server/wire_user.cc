#include "server/wire_user.h"

#include "base/log.h"

namespace restitch::server {

using bson::Builder;
using bson::Document;

Task<void> ensure_wire_user(datasource::DataSource& cluster, AdminCredentials admin) {
  Builder find;
  find.append("find", "system.users").append("limit", std::int32_t{1});
  find.open_object("filter").open_object("credentials").append("$ne", Document()).close().close();
  find.append("singleBatch", true);
  Document look = std::move(find).finish();
  RESTITCH_CO_TRY(const Document found, co_await cluster.run("admin", std::move(look)));
  if (auto error = datasource::error_of_reply(found)) co_return std::move(*error);
  const auto users = found.view().find_path("cursor.firstBatch").as_array();
  if (users && !users->empty()) co_return Status();

  Builder create;
  create.append("createUser", admin.public_api_key).append("pwd", admin.private_api_key);
  create.open_array("roles").push("root").close();
  Document command = std::move(create).finish();
  RESTITCH_CO_TRY(const Document created, co_await cluster.run("admin", std::move(command)));
  if (auto error = datasource::error_of_reply(created)) co_return std::move(*error);
  RESTITCH_LOG(kInfo, kServer, 12, "First wire user made from the administrator's keys",
               {"user", admin.public_api_key});
  co_return Status();
}

}  // namespace restitch::server
