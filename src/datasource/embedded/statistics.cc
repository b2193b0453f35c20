#include "datasource/embedded/statistics.h"

#include "datasource/embedded/current_operations.h"

#include <unistd.h>

#include "datasource/embedded/change_log.h"
#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

// A number as int32 when it fits, else int64.
void append_number(Builder& builder, std::string_view name, std::int64_t value) {
  if (value >= INT32_MIN && value <= INT32_MAX) {
    builder.append(name, static_cast<std::int32_t>(value));
  } else {
    builder.append(name, value);
  }
}

std::string host_name() {
  char name[256] = "localhost";
  static_cast<void>(gethostname(name, sizeof name - 1));
  return name;
}

Error not_found(const Namespace& ns) {
  return mongo_error(code::kNamespaceNotFound,
                     "Unable to retrieve storageStats in $collStats stage :: caused by :: "
                     "Collection [" +
                         ns.full() + "] not found.");
}

Result<std::vector<Document>> collection_stage(Services& services, const Namespace& ns, View spec) {
  const CollectionPtr collection = services.catalog->find(ns.database, ns.collection);
  Builder builder;
  builder.append("ns", ns.full());
  builder.append("host", host_name());
  builder.append("localTime", wall_clock());
  for (const bson::Element& element : spec) {
    const auto options = element.value.as_object();
    if (!options) return mongo_error(14, "$collStats options must be objects");
    if (element.name == "storageStats") {
      if (!collection || collection->is_view()) return not_found(ns);
      const auto scale = (*options)["scale"].as_integer().value_or(1);
      builder.open_object("storageStats");
      append_collection_statistics(builder, services, collection.get(), ns.full(),
                                   std::max<std::int64_t>(scale, 1));
      builder.close();
    } else if (element.name == "count") {
      if (!collection || collection->is_view()) return not_found(ns);
      append_number(builder, "count", collection->counters->count.load());
    } else if (element.name == "latencyStats") {
      builder.open_object("latencyStats");
      for (const char* kind : {"reads", "writes", "commands", "transactions"}) {
        builder.open_object(kind);
        builder.append("latency", std::int64_t{0}).append("ops", std::int64_t{0});
        builder.close();
      }
      builder.close();
    } else if (element.name == "queryExecStats") {
      builder.open_object("queryExecStats").open_object("collectionScans");
      builder.append("total", std::int64_t{0}).append("nonTailable", std::int64_t{0});
      builder.close().close();
    } else {
      return mongo_error(
          40415, "BSON field '$collStats." + std::string(element.name) + "' is an unknown field.");
    }
  }
  std::vector<Document> documents;
  documents.push_back(std::move(builder).finish());
  return documents;
}

std::vector<Document> index_stage(Services& services, const Namespace& ns) {
  std::vector<Document> documents;
  const CollectionPtr collection = services.catalog->find(ns.database, ns.collection);
  if (!collection) return documents;
  for (const IndexPtr& index : collection->indexes) {
    Builder builder;
    builder.append("name", index->name);
    builder.append("key", index->key);
    builder.append("host", host_name());
    builder.open_object("accesses");
    builder.append("ops", static_cast<std::int64_t>(index->runtime->uses.load()));
    builder.append("since", index->runtime->since);
    builder.close();
    builder.append("spec", index->spec);
    if (index->is_building) builder.append("building", true);
    documents.push_back(std::move(builder).finish());
  }
  return documents;
}

std::vector<Document> plan_cache_stage(Services& services, const Namespace& ns) {
  std::vector<Document> documents;
  const CollectionPtr collection = services.catalog->find(ns.database, ns.collection);
  if (!collection) return documents;
  for (const PlanCache::Entry& entry : collection->plan_cache->entries()) {
    QueryShape keyed = entry.shape;
    for (const IndexPtr& index : collection->indexes) keyed.text += "|" + index->name;
    Builder builder;
    builder.append("version", "1");
    builder.append("queryHash", entry.shape.hash());
    builder.append("planCacheKey", keyed.hash());
    builder.append("isActive", true);
    append_number(builder, "works", static_cast<std::int64_t>(entry.plan.works));
    builder.append("worksType", "works");
    builder.append("timeOfCreation", entry.created);
    builder.open_object("createdFromQuery");
    builder.append("query", entry.query);
    builder.append("sort", entry.sort);
    builder.append("projection", entry.projection);
    if (!entry.collation.empty()) builder.append("collation", entry.collation);
    builder.close();
    builder.append("indexFilterSet", false);
    builder.append("host", host_name());
    documents.push_back(std::move(builder).finish());
  }
  return documents;
}

}  // namespace

void append_collection_statistics(Builder& builder, const Services& services,
                                  const Collection* collection, std::string_view full_name,
                                  std::int64_t scale) {
  static_cast<void>(services);
  builder.append("ns", full_name);
  const std::int64_t bytes = collection ? collection->counters->bytes.load() : 0;
  const std::int64_t count = collection ? collection->counters->count.load() : 0;
  append_number(builder, "size", bytes / scale);
  append_number(builder, "count", count);
  if (count > 0) append_number(builder, "avgObjSize", bytes / count);
  builder.append("numOrphanDocs", std::int32_t{0});
  append_number(builder, "storageSize", bytes / scale);
  builder.append("freeStorageSize", std::int32_t{0});
  builder.append("capped", collection != nullptr && collection->is_capped);
  if (collection != nullptr && collection->is_capped) {
    append_number(builder, "max", collection->capped_count);
    append_number(builder, "maxSize", collection->capped_bytes / scale);
  }
  const std::size_t indexes = collection ? collection->indexes.size() : 0;
  builder.append("nindexes", static_cast<std::int32_t>(indexes));
  builder.open_array("indexBuilds");
  if (collection != nullptr) {
    for (const IndexPtr& index : collection->indexes) {
      if (index->is_building) builder.push(index->name);
    }
  }
  builder.close();
  // Estimated: index entries lie in one keyspace and are not measured one by one.
  constexpr std::int64_t kEntryBytes = 32;
  append_number(builder, "totalIndexSize",
                static_cast<std::int64_t>(indexes) * count * kEntryBytes / scale);
  append_number(builder, "totalSize",
                (bytes + static_cast<std::int64_t>(indexes) * count * kEntryBytes) / scale);
  builder.open_object("indexSizes");
  if (collection != nullptr) {
    for (const IndexPtr& index : collection->indexes) {
      append_number(builder, index->name, count * kEntryBytes / scale);
    }
  }
  builder.close();
  append_number(builder, "scaleFactor", scale);
}

Result<std::vector<Document>> stage_statistics(Services& services, const Namespace& ns,
                                               std::string_view stage, View spec) {
  if (stage == "$collStats") return collection_stage(services, ns, spec);
  if (stage == "$indexStats") return index_stage(services, ns);
  if (stage == "$planCacheStats") return plan_cache_stage(services, ns);
  if (stage == "$currentOp") {
    if (ns.database != "admin" || !ns.collection.empty()) {
      return mongo_error(code::kInvalidNamespace,
                         "$currentOp must be run against the 'admin' database with {aggregate: 1}");
    }
    OperationFilter filter;
    if (spec.contains("idleSessions")) filter.idle_sessions = spec["idleSessions"].truthy();
    filter.idle_cursors = spec["idleCursors"].truthy();
    return describe_operations(services, filter);
  }
  if (stage == "$listLocalSessions" || stage == "$listSessions") return describe_sessions(services);
  return mongo_error(40324, "Unrecognized pipeline stage name: '" + std::string(stage) + "'");
}

}  // namespace restitch::datasource::embedded
