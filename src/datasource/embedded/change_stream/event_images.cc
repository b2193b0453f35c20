#include "datasource/embedded/change_stream/event_images.h"

#include "bson/extended_json.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/index_keys.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Value;
using bson::View;

bool has_before_image(ChangeKind kind) {
  return kind == ChangeKind::kUpdate || kind == ChangeKind::kReplace || kind == ChangeKind::kDelete;
}

// The collection of an entry as it is now, under whatever name.
CollectionPtr present_collection(const Catalog& catalog, const LogEntry& entry) {
  const auto ident = entry.body["c"].as_integer().value_or(0);
  const CatalogStatePtr state = catalog.state();
  CollectionPtr found = state->find(entry.ns);
  if (found && found->ident == ident) return found;
  for (const auto& [name, collection] : state->collections) {
    if (collection->ident == ident) return collection;
  }
  return nullptr;
}

Result<Value> look_up(Services& services, const LogEntry& entry, storage::ReadTier tier) {
  const CollectionPtr collection = present_collection(*services.catalog, entry);
  if (!collection || collection->is_view()) return Value::null();
  const Index& index = collection->id_index();
  const bson::ValueView id = entry.body["k"].as_object().value_or(View())["_id"];
  std::string key;
  append_index_value(index.fields.front(), index.collation.get(), id, key, nullptr);
  const storage::SnapshotPtr snapshot = services.engine->snapshot();
  RESTITCH_TRY(const auto record, snapshot->unique_entry(index.ident, key, tier));
  if (!record) return Value::null();
  std::string bytes;
  RESTITCH_TRY(const bool found, snapshot->record(collection->ident, *record, tier, bytes));
  if (!found) return Value::null();
  return Value(bson::Type::kObject, std::move(bytes));
}

Error missing_image(const LogEntry& entry, const char* what, const char* operations) {
  bson::Builder event;
  event.append("operationType", operation_type(entry.kind));
  event.open_object("ns").append("db", entry.database).append("coll", entry.collection).close();
  event.append("clusterTime", entry.position.time);
  event.append("txnNumber", entry.body["txnNumber"]);
  const bson::Document shown = std::move(event).finish();
  return mongo_error(code::kNoMatchingDocument,
                     "Change stream was configured to require a " + std::string(what) +
                         " for all " + operations + " events, but the " + what +
                         " was not found for event: " + bson::to_shell(shown.view()));
}

}  // namespace

bool needs_images(ChangeKind kind, const StreamOptions& options) {
  if (kind == ChangeKind::kUpdate && options.full_document != FullDocument::kDefault) return true;
  return has_before_image(kind) && options.before_change != BeforeChange::kOff;
}

Result<EventImages> find_images(Services& services, const LogEntry& entry,
                                const StreamOptions& options, storage::ReadTier tier) {
  EventImages images;
  const bool is_stored = entry.pre_image && !services.images_have_expired(entry.body["w"]);
  if (has_before_image(entry.kind) && options.before_change != BeforeChange::kOff) {
    if (is_stored) {
      images.before_change = Value::object(*entry.pre_image);
    } else if (options.before_change == BeforeChange::kRequired) {
      return missing_image(entry, "pre-image", "update, delete and replace");
    } else {
      images.before_change = Value::null();
    }
  }
  if (entry.kind != ChangeKind::kUpdate) return images;
  switch (options.full_document) {
    case FullDocument::kDefault:
      break;
    case FullDocument::kUpdateLookup: {
      RESTITCH_TRY(images.full_document, look_up(services, entry, tier));
      break;
    }
    case FullDocument::kWhenAvailable:
    case FullDocument::kRequired: {
      const auto post_image = entry.body["p"].as_object();
      if (is_stored && post_image) {
        images.full_document = Value::object(*post_image);
      } else if (options.full_document == FullDocument::kRequired) {
        return missing_image(entry, "post-image", "update");
      } else {
        images.full_document = Value::null();
      }
      break;
    }
  }
  return images;
}

}  // namespace restitch::datasource::embedded
