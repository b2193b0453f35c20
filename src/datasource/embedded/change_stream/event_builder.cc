#include "datasource/embedded/change_stream/event_builder.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::View;

bool has_document_key(ChangeKind kind) {
  return kind == ChangeKind::kInsert || kind == ChangeKind::kUpdate ||
         kind == ChangeKind::kReplace || kind == ChangeKind::kDelete;
}

View body_of(const LogEntry& entry) { return entry.body["o"].as_object().value_or(View()); }

void append_head(Builder& event, const LogEntry& entry, std::string_view type,
                 const bson::Document& token) {
  event.append("_id", token);
  event.append("operationType", type);
  event.append("clusterTime", entry.position.time);
}

void append_namespace(Builder& event, const LogEntry& entry) {
  event.open_object("ns").append("db", entry.database);
  if (!entry.collection.empty()) event.append("coll", entry.collection);
  event.close();
}

void append_update_description(Builder& event, const LogEntry& entry, bool is_expanded) {
  event.open_object("updateDescription");
  event.append_all(body_of(entry));
  if (is_expanded) {
    event.append("disambiguatedPaths", entry.body["d"].as_object().value_or(View()));
  }
  event.close();
}

}  // namespace

bson::Document build_event(const LogEntry& entry, const StreamOptions& options,
                           const bson::Document& token, const EventImages& images) {
  const bool is_expanded = options.shows_expanded_events;
  const bool has_key = has_document_key(entry.kind);
  Builder event;
  append_head(event, entry, operation_type(entry.kind), token);
  if (is_expanded) event.append("collectionUUID", entry.body["ui"]);
  event.append("wallTime", entry.body["w"]);
  event.append("txnNumber", entry.body["txnNumber"]);
  event.append("lsid", entry.body["lsid"]);
  if (entry.kind == ChangeKind::kInsert || entry.kind == ChangeKind::kReplace) {
    event.append("fullDocument", entry.body["o"]);
  } else if (images.full_document) {
    event.append("fullDocument", *images.full_document);
  }
  append_namespace(event, entry);
  if (entry.kind == ChangeKind::kRename) event.append("to", body_of(entry)["to"]);
  if (has_key) {
    event.append("documentKey", entry.body["k"]);
  } else if (is_expanded && entry.kind != ChangeKind::kDrop &&
             entry.kind != ChangeKind::kDropDatabase) {
    event.append("operationDescription", body_of(entry));
  }
  if (entry.kind == ChangeKind::kUpdate) append_update_description(event, entry, is_expanded);
  if (is_expanded) event.append("stateBeforeChange", entry.body["before"]);
  if (images.before_change) event.append("fullDocumentBeforeChange", *images.before_change);
  return std::move(event).finish();
}

bson::Document build_invalidate_event(const LogEntry& entry, const bson::Document& token) {
  Builder event;
  append_head(event, entry, "invalidate", token);
  event.append("wallTime", entry.body["w"]);
  return std::move(event).finish();
}

bool invalidates(const LogEntry& entry, const StreamScope& scope) {
  if (entry.kind == ChangeKind::kDropDatabase) return !scope.is_cluster();
  if (!scope.is_collection()) return false;
  return entry.kind == ChangeKind::kDrop || entry.kind == ChangeKind::kRename;
}

}  // namespace restitch::datasource::embedded
