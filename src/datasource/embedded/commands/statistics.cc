#include "datasource/embedded/statistics.h"

#include <chrono>
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

// Of a whole collection: its documents are counted as they are written.
Result<Document> data_size(Operation& operation) {
  const auto started = std::chrono::steady_clock::now();
  const Fields fields = operation.fields();
  RESTITCH_TRY(const std::string_view name, fields.required_string("dataSize"));
  RESTITCH_TRY(const Namespace ns, split_namespace(name));
  for (const char* part : {"keyPattern", "min", "max"}) {
    if (fields.has(part)) {
      return mongo_error(115, "dataSize of a part of a collection is not available");
    }
  }
  const CollectionPtr collection = operation.services.catalog->find(ns.database, ns.collection);
  Builder reply;
  reply.append("size", collection ? collection->counters->bytes.load() : std::int64_t{0});
  reply.append("numObjects", collection ? collection->counters->count.load() : std::int64_t{0});
  const auto taken = std::chrono::steady_clock::now() - started;
  reply.append("millis", std::chrono::duration_cast<std::chrono::milliseconds>(taken).count());
  reply.append("estimate", false);
  return std::move(reply).finish();
}

}  // namespace

std::span<const CommandSpec> statistics_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "collStats", .alias = "collstats", .read = coll_stats, .fields = "scale"},
      {.name = "dbStats", .alias = "dbstats", .read = db_stats, .fields = "scale freeStorage"},
      {.name = "dataSize",
       .alias = "datasize",
       .read = data_size,
       .fields = "keyPattern min max estimate"},
      {.name = "validate",
       .flags = kOnPool,
       .read = validate_collection,
       .fields = "full repair metadata checkBSONConformance scandata"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
