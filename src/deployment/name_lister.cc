#include "deployment/name_lister.h"

#include "auth/store.h"

namespace restitch::deployment {
namespace {

// The `name` members of an array of documents, as an array.
bson::Value names_of(bson::ValueView list) {
  bson::Builder names;
  if (const auto array = list.as_array()) {
    for (const bson::Element& element : *array) {
      const auto object = element.value.as_object();
      const auto name = object ? object->find("name").as_string() : std::nullopt;
      if (name && !name->starts_with(auth::kStateDatabase)) names.push(*name);
    }
  }
  return bson::Value::array(std::move(names).finish());
}

Task<bson::Value> list_databases(std::shared_ptr<datasource::DataSource> source) {
  bson::Builder command;
  command.append("listDatabases", std::int32_t{1}).append("nameOnly", true);
  RESTITCH_CO_TRY(const bson::Document reply,
                  co_await datasource::run_command(*source, "admin", std::move(command)));
  co_return names_of(reply["databases"]);
}

Task<bson::Value> list_collections(std::shared_ptr<datasource::DataSource> source,
                                   std::string database) {
  bson::Builder command;
  command.append("listCollections", std::int32_t{1}).append("nameOnly", true);
  command.open_object("cursor").append("batchSize", std::int32_t{100000}).close();
  RESTITCH_CO_TRY(const bson::Document reply,
                  co_await datasource::run_command(*source, database, std::move(command)));
  co_return names_of(reply.view().find_path("cursor.firstBatch"));
}

Task<bson::Value> no_such_service(std::string name) {
  co_return Error(ErrorCode::kServiceNotFound, "service not found: '" + name + "'");
}

}  // namespace

functions::NameLister make_name_lister(rules::SourceMap sources) {
  return [sources = std::move(sources)](std::string source, std::string database) {
    const auto found = sources.find(source);
    if (found == sources.end()) return no_such_service(std::move(source));
    if (database.empty()) return list_databases(found->second);
    return list_collections(found->second, std::move(database));
  };
}

}  // namespace restitch::deployment
