#include <algorithm>

#include "bson/compare.h"
#include "bson/extended_json.h"
#include "datasource/embedded/catalog.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/commands/reads.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/schema_changes.h"
#include "datasource/embedded/schema_retry.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

Result<std::vector<View>> index_specs(const Operation& operation) {
  RESTITCH_TRY(const View list, operation.fields().required_array("indexes"));
  std::vector<View> specs;
  for (const bson::Element& element : list) {
    const auto spec = element.value.as_object();
    if (!spec) return operation.fields().wrong_type("indexes", "array");
    specs.push_back(*spec);
  }
  if (specs.empty()) {
    return mongo_error(code::kBadValue, "Must specify at least one index to create");
  }
  return specs;
}

asio::awaitable<Result<Document>> run_create_indexes(Operation& operation) {
  RESTITCH_CO_TRY(Namespace ns, operation.target_namespace());
  if (is_reserved_collection(ns.collection)) {
    co_return mongo_error(code::kInvalidNamespace, "cannot create indexes on " + ns.full());
  }
  RESTITCH_CO_TRY(std::vector<View> specs, index_specs(operation));
  IndexCreation created;
  if (operation.in_transaction()) {
    RESTITCH_CO_TRY(const CollectionPtr collection,
                    operation.find_collection(ns.database, ns.collection));
    RESTITCH_CO_TRY(created, create_indexes_in_transaction(operation.services, operation.unit(),
                                                           collection, ns, specs));
  } else {
    Services* services = &operation.services;
    Document* error_extra = &operation.error_extra;
    const auto work = [services, ns, specs, error_extra]() {
      return create_indexes(*services, ns, specs, error_extra);
    };
    const auto attempt = [services, work]() { return services->schema_pool->run(work); };
    RESTITCH_CO_TRY(created, co_await until_free<IndexCreation>(operation, attempt));
  }
  Builder reply;
  reply.append("numIndexesBefore", created.before);
  reply.append("numIndexesAfter", created.after);
  if (created.did_nothing) {
    reply.append("note", "all indexes already exist");
  } else {
    reply.append("createdCollectionAutomatically", created.created_collection);
    reply.append("commitQuorum", "votingMembers");
  }
  co_return std::move(reply).finish();
}

Result<Document> run_list_indexes(Operation& operation) {
  RESTITCH_TRY(const Namespace ns, operation.target_namespace());
  const CollectionPtr collection = operation.services.catalog->find(ns.database, ns.collection);
  if (!collection) {
    return mongo_error(code::kNamespaceNotFound, "ns does not exist: " + ns.full());
  }
  if (collection->is_view()) {
    return mongo_error(code::kViewError, "Namespace " + ns.full() + " is a view, not a collection");
  }
  RESTITCH_TRY(const View options, operation.fields().object("cursor"));
  RESTITCH_TRY(const auto batch_size,
               Fields(options, "listIndexes.cursor").non_negative("batchSize"));
  std::vector<Document> specs;
  for (const IndexPtr& index : collection->indexes) {
    if (!index->is_building) specs.push_back(index->spec);
  }
  BatchOptions batch;
  batch.batch_size = batch_size;
  return open_cursor_reply(
      operation.services.cursors,
      make_cursor(operation, ns.full(), std::make_unique<ListStream>(std::move(specs))), batch);
}

Error index_not_found(std::string_view name) {
  return mongo_error(code::kIndexNotFound, "index not found with name [" + std::string(name) + "]");
}

Status add_by_name(const Collection& collection, std::string_view name,
                   std::vector<std::string>& names) {
  const IndexPtr index = collection.find_index(name);
  if (!index || index->is_building) return index_not_found(name);
  if (index->is_id()) return mongo_error(code::kInvalidOptions, "cannot drop _id index");
  names.push_back(index->name);
  return {};
}

Status add_by_key(const Collection& collection, View key, std::vector<std::string>& names) {
  std::vector<IndexPtr> found;
  for (const IndexPtr& index : collection.indexes) {
    if (!index->is_building && bson::equal(index->key.view(), key)) found.push_back(index);
  }
  if (found.empty()) {
    return mongo_error(code::kIndexNotFound, "can't find index with key: " + bson::to_shell(key));
  }
  if (found.size() > 1) {
    return mongo_error(code::kAmbiguousIndexKey,
                       std::to_string(found.size()) + " indexes found for key: " +
                           bson::to_shell(key) + ", identify by name instead.");
  }
  return add_by_name(collection, found.front()->name, names);
}

// What `index` of dropIndexes names. Nothing for "*".
Result<std::vector<std::string>> dropped_names(const Operation& operation,
                                               const Collection& collection) {
  const bson::ValueView wanted = operation.command["index"];
  std::vector<std::string> names;
  if (const auto name = wanted.as_string()) {
    if (*name != "*") {
      RESTITCH_CHECK(add_by_name(collection, *name, names));
      return names;
    }
    for (const IndexPtr& index : collection.indexes) {
      if (!index->is_id() && !index->is_building) names.push_back(index->name);
    }
  } else if (const auto key = wanted.as_object()) {
    RESTITCH_CHECK(add_by_key(collection, *key, names));
  } else if (const auto list = wanted.as_array()) {
    for (const bson::Element& element : *list) {
      if (!element.value.as_string()) {
        return operation.fields().wrong_type("index", "[string, object");
      }
      RESTITCH_CHECK(add_by_name(collection, *element.value.as_string(), names));
    }
  } else if (wanted.is_missing()) {
    return operation.fields().missing("index");
  } else {
    return operation.fields().wrong_type("index", "[string, object");
  }
  return names;
}

Result<Document> drop_indexes(Operation& operation, const Namespace& ns) {
  const std::lock_guard lock(operation.services.schema_mutex);
  const CollectionPtr collection = operation.services.catalog->find(ns.database, ns.collection);
  if (!collection) {
    return mongo_error(code::kNamespaceNotFound, "ns not found " + ns.full());
  }
  if (collection->is_view()) {
    return mongo_error(code::kViewError, "Namespace " + ns.full() + " is a view, not a collection");
  }
  RESTITCH_TRY(const std::vector<std::string> names, dropped_names(operation, *collection));
  Builder reply;
  reply.append("nIndexesWas", static_cast<std::int32_t>(collection->indexes.size()));
  if (operation.command["index"].as_string() == "*") {
    reply.append("msg", "non-_id indexes dropped for collection");
  }
  if (!names.empty()) RESTITCH_CHECK(operation.services.catalog->drop_indexes(collection, names));
  return std::move(reply).finish();
}

asio::awaitable<Result<Document>> run_drop_indexes(Operation& operation) {
  RESTITCH_CO_TRY(Namespace ns, operation.target_namespace());
  Operation* borrowed = &operation;
  const auto work = [borrowed, ns]() { return drop_indexes(*borrowed, ns); };
  auto reply = co_await operation.services.schema_pool->run(work);
  co_return reply;
}

}  // namespace

std::span<const CommandSpec> index_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "createIndexes",
       .flags = kInTransaction,
       .async = run_create_indexes,
       .fields = "indexes ignoreUnknownIndexOptions commitQuorum v"},
      {.name = "listIndexes",
       .read = run_list_indexes,
       .fields = "cursor includeBuildUUIDs"},
      {.name = "dropIndexes",
       .alias = "deleteIndexes",
       .async = run_drop_indexes,
       .fields = "index"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
