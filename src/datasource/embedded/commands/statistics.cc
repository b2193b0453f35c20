#include "datasource/embedded/statistics.h"

#include <filesystem>

#include "datasource/embedded/command_table.h"
#include "datasource/embedded/commands/validate.h"
#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

Result<std::int64_t> scale_of(const Operation& operation) {
  RESTITCH_TRY(const auto scale, operation.fields().integer("scale"));
  if (scale && *scale < 1) {
    return mongo_error(51024, "BSON field 'scale' value must be >= 1, actual value '" +
                                  std::to_string(*scale) + "'");
  }
  return scale.value_or(1);
}

Result<Document> coll_stats(Operation& operation) {
  RESTITCH_TRY(const Namespace ns, operation.target_namespace());
  RESTITCH_TRY(const std::int64_t scale, scale_of(operation));
  const CollectionPtr collection = operation.services.catalog->find(ns.database, ns.collection);
  if (collection && collection->is_view()) {
    return mongo_error(code::kViewError, "Namespace " + ns.full() + " is a view, not a collection");
  }
  Builder reply;
  append_collection_statistics(reply, operation.services, collection.get(), ns.full(), scale);
  return std::move(reply).finish();
}

Result<Document> db_stats(Operation& operation) {
  RESTITCH_TRY(const std::int64_t scale, scale_of(operation));
  std::int64_t collections = 0, views = 0, objects = 0, bytes = 0, indexes = 0, entries = 0;
  for (const CollectionPtr& collection :
       operation.services.catalog->state()->of_database(operation.database)) {
    if (collection->is_view()) {
      ++views;
      continue;
    }
    ++collections;
    const std::int64_t count = collection->counters->count.load();
    objects += count;
    bytes += collection->counters->bytes.load();
    indexes += static_cast<std::int64_t>(collection->indexes.size());
    entries += count * static_cast<std::int64_t>(collection->indexes.size());
  }
  constexpr std::int64_t kEntryBytes = 32;
  const auto scaled = [&](std::int64_t value) {
    return static_cast<double>(value) / static_cast<double>(scale);
  };
  Builder reply;
  reply.append("db", operation.database);
  reply.append("collections", collections).append("views", views).append("objects", objects);
  reply.append("avgObjSize",
               objects > 0 ? static_cast<double>(bytes) / static_cast<double>(objects) : 0.0);
  reply.append("dataSize", scaled(bytes)).append("storageSize", scaled(bytes));
  reply.append("indexes", indexes).append("indexSize", scaled(entries * kEntryBytes));
  reply.append("totalSize", scaled(bytes + entries * kEntryBytes));
  reply.append("scaleFactor", scale);
  std::error_code error;
  const auto disk = std::filesystem::space(operation.services.directory, error);
  if (!error) {
    reply.append("fsUsedSize", scaled(static_cast<std::int64_t>(disk.capacity - disk.available)));
    reply.append("fsTotalSize", scaled(static_cast<std::int64_t>(disk.capacity)));
  }
  return std::move(reply).finish();
}

}  // namespace

std::span<const CommandSpec> statistics_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "collStats", .alias = "collstats", .read = coll_stats, .fields = "scale"},
      {.name = "dbStats", .alias = "dbstats", .read = db_stats, .fields = "scale freeStorage"},
      {.name = "validate",
       .flags = kOnPool,
       .read = validate_collection,
       .fields = "full repair metadata checkBSONConformance scandata"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
