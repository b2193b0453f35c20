#include "datasource/embedded/statistics.h"

#include <set>

#include "bson/extended_json.h"
#include "bson/validate.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/index_keys.h"
#include "datasource/embedded/validation.h"

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
  reply.append(
      "fsUsedSize",
      scaled(static_cast<std::int64_t>(operation.services.engine->statistics().bytes_on_disk)));
  reply.append("fsTotalSize", 0.0);
  return std::move(reply).finish();
}

// ---- validate: walks records and index entries both ways

struct Findings {
  std::int64_t records = 0, invalid = 0, non_compliant = 0;
  std::vector<std::string> errors;
  std::vector<Document> missing, extra;
  std::vector<std::int64_t> keys_per_index;

  void add_error(std::string text) {
    constexpr std::size_t kMaxErrors = 100;
    if (errors.size() < kMaxErrors) errors.push_back(std::move(text));
  }
};

Document entry_document(const Index& index, storage::RecordId record, std::string_view key,
                        std::string_view bits) {
  Builder builder;
  builder.append("indexName", index.name);
  builder.append("recordId", record);
  builder.append("indexKey", decode_index_key(index, key, bits));
  return std::move(builder).finish();
}

// Every record must have exactly its keys in each index.
Status check_records(const Operation& operation, const Collection& collection,
                     const storage::Reader& reader, Findings& findings) {
  auto cursor = reader.records(collection.ident, true, storage::ReadTier::kAll);
  IndexKeys keys;
  for (;;) {
    RESTITCH_CHECK(operation.check_deadline());
    RESTITCH_TRY(const bool found, cursor->next());
    if (!found) return {};
    ++findings.records;
    const View document = cursor->document();
    if (!bson::validate(document.bytes())) {
      ++findings.invalid;
      findings.add_error("invalid BSON in record " + std::to_string(cursor->id()));
      continue;
    }
    if (collection.validator) {
      const auto matches = collection.validator->filter->matches(document);
      if (!matches || !*matches) ++findings.non_compliant;
    }
    for (const IndexPtr& index : collection.indexes) {
      if (index->is_building) continue;
      RESTITCH_CHECK(generate_keys(*index, document, keys));
      for (const IndexKey& entry : keys.keys) {
        storage::KeyRange range{entry.key, entry.key + '\xFF'};
        auto entries = reader.entries(index->ref(), range, true, storage::ReadTier::kAll);
        bool is_there = false;
        for (;;) {
          RESTITCH_TRY(const bool more, entries->next());
          if (!more || entries->key() != entry.key) break;
          if (entries->record() != cursor->id()) continue;
          is_there = entries->type_bits() == entry.type_bits;
          break;
        }
        if (!is_there) {
          findings.missing.push_back(
              entry_document(*index, cursor->id(), entry.key, entry.type_bits));
        }
      }
      for (std::size_t field = 0; field < keys.multikey.size(); ++field) {
        if ((keys.multikey[field] & ~index->multikey_bits(field)) != 0) {
          findings.add_error("index " + index->name + " is not marked as multikey");
        }
      }
    }
  }
}

// Every entry must belong to a record that has that key.
Status check_entries(const Operation& operation, const Collection& collection,
                     const storage::Reader& reader, Findings& findings) {
  IndexKeys keys;
  std::string bytes;
  for (const IndexPtr& index : collection.indexes) {
    std::int64_t count = 0;
    if (!index->is_building) {
      auto entries = reader.entries(index->ref(), {}, true, storage::ReadTier::kAll);
      for (;;) {
        RESTITCH_CHECK(operation.check_deadline());
        RESTITCH_TRY(const bool found, entries->next());
        if (!found) break;
        ++count;
        RESTITCH_TRY(const bool has_record, reader.record(collection.ident, entries->record(),
                                                          storage::ReadTier::kAll, bytes));
        bool is_right = false;
        if (has_record) {
          RESTITCH_CHECK(generate_keys(
              *index, View(reinterpret_cast<const std::uint8_t*>(bytes.data())), keys));
          is_right = std::any_of(keys.keys.begin(), keys.keys.end(), [&](const IndexKey& entry) {
            return entry.key == entries->key();
          });
        }
        if (!is_right) {
          findings.extra.push_back(
              entry_document(*index, entries->record(), entries->key(), entries->type_bits()));
        }
      }
    }
    findings.keys_per_index.push_back(count);
  }
  return {};
}

void append_documents(Builder& reply, const char* name, const std::vector<Document>& documents) {
  reply.open_array(name);
  for (const Document& document : documents) reply.push(document);
  reply.close();
}

Result<Document> validate(Operation& operation) {
  RESTITCH_TRY(const Namespace ns, operation.target_namespace());
  if (operation.tier == storage::ReadTier::kCacheOnly) {
    return Error(ErrorCode::kWouldBlock, "validation reads everything");
  }
  const storage::SnapshotPtr snapshot = operation.snapshot();
  const CollectionPtr collection = operation.services.catalog->find(ns.database, ns.collection);
  if (!collection) {
    return mongo_error(code::kNamespaceNotFound,
                       "Collection '" + ns.full() + "' does not exist to validate.");
  }
  if (collection->is_view()) {
    return mongo_error(code::kViewError, "Cannot validate a view");
  }
  Findings findings;
  RESTITCH_CHECK(check_records(operation, *collection, *snapshot, findings));
  RESTITCH_CHECK(check_entries(operation, *collection, *snapshot, findings));
  const bool is_valid =
      findings.errors.empty() && findings.missing.empty() && findings.extra.empty();
  Builder reply;
  reply.append("ns", ns.full());
  reply.append_binary("uuid", 4, collection->uuid);
  reply.append("nInvalidDocuments", findings.invalid);
  reply.append("nNonCompliantDocuments", findings.non_compliant);
  reply.append("nrecords", findings.records);
  reply.append("nIndexes", static_cast<std::int32_t>(collection->indexes.size()));
  reply.open_object("keysPerIndex");
  for (std::size_t at = 0; at < collection->indexes.size(); ++at) {
    reply.append(collection->indexes[at]->name, findings.keys_per_index[at]);
  }
  reply.close();
  reply.open_object("indexDetails");
  for (const IndexPtr& index : collection->indexes) {
    reply.open_object(index->name).append("valid", is_valid).close();
  }
  reply.close();
  reply.append("valid", is_valid).append("repaired", false).append("readOnly", false);
  reply.open_array("warnings").close();
  reply.open_array("errors");
  for (const std::string& error : findings.errors) reply.push(error);
  reply.close();
  append_documents(reply, "extraIndexEntries", findings.extra);
  append_documents(reply, "missingIndexEntries", findings.missing);
  reply.open_array("corruptRecords").close();
  return std::move(reply).finish();
}

}  // namespace

std::span<const CommandSpec> statistics_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "collStats", .alias = "collstats", .read = coll_stats, .fields = "scale"},
      {.name = "dbStats", .alias = "dbstats", .read = db_stats, .fields = "scale freeStorage"},
      {.name = "validate",
       .flags = kOnPool,
       .read = validate,
       .fields = "full repair metadata checkBSONConformance scandata"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
