#include "datasource/embedded/change_stream/log_entry.h"

#include <utility>

#include "datasource/embedded/namespace.h"

namespace restitch::datasource::embedded {

namespace {

using bson::View;

constexpr std::pair<std::string_view, ChangeKind> kKinds[] = {
    {change::kInsert, ChangeKind::kInsert},
    {change::kUpdate, ChangeKind::kUpdate},
    {change::kReplace, ChangeKind::kReplace},
    {change::kDelete, ChangeKind::kDelete},
    {change::kDrop, ChangeKind::kDrop},
    {change::kRename, ChangeKind::kRename},
    {change::kDropDatabase, ChangeKind::kDropDatabase},
    {change::kCreate, ChangeKind::kCreate},
    {change::kCreateIndexes, ChangeKind::kCreateIndexes},
    {change::kDropIndexes, ChangeKind::kDropIndexes},
    {change::kModify, ChangeKind::kModify},
};

ChangeKind kind_of(std::string_view op) {
  for (const auto& [name, kind] : kKinds) {
    if (name == op) return kind;
  }
  return ChangeKind::kUnknown;
}

bool is_internal(std::string_view database, std::string_view collection) {
  return is_internal_database(database) || collection.starts_with("system.");
}

std::string_view database_of(std::string_view full) { return full.substr(0, full.find('.')); }

}  // namespace

LogPosition LogPosition::before(bson::Timestamp time) {
  if (time.increment > 0) return after({time.seconds, time.increment - 1});
  if (time.seconds > 0) return after({time.seconds - 1, UINT32_MAX});
  return {};
}

bson::Timestamp next_time(bson::Timestamp time) {
  if (time.increment == UINT32_MAX) return {time.seconds + 1, 1};
  return {time.seconds, time.increment + 1};
}

std::string_view operation_type(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kInsert:
      return "insert";
    case ChangeKind::kUpdate:
      return "update";
    case ChangeKind::kReplace:
      return "replace";
    case ChangeKind::kDelete:
      return "delete";
    case ChangeKind::kDrop:
      return "drop";
    case ChangeKind::kRename:
      return "rename";
    case ChangeKind::kDropDatabase:
      return "dropDatabase";
    case ChangeKind::kCreate:
      return "create";
    case ChangeKind::kCreateIndexes:
      return "createIndexes";
    case ChangeKind::kDropIndexes:
      return "dropIndexes";
    case ChangeKind::kModify:
      return "modify";
    case ChangeKind::kUnknown:
      break;
  }
  return "";
}

bool is_expanded(ChangeKind kind) {
  return kind == ChangeKind::kCreate || kind == ChangeKind::kCreateIndexes ||
         kind == ChangeKind::kDropIndexes || kind == ChangeKind::kModify;
}

LogEntry::LogEntry(storage::ChangeLogEntry stored)
    : position{stored.cluster_time, stored.index},
      body(std::move(stored.entry)),
      pre_image(std::move(stored.pre_image)) {
  kind = kind_of(body["op"].as_string().value_or(""));
  ns = body["ns"].as_string().value_or("");
  database = database_of(ns);
  if (kind != ChangeKind::kDropDatabase) {
    collection = ns.substr(std::min(ns.size(), database.size() + 1));
  }
  is_view = body["view"].truthy();
  if (kind == ChangeKind::kRename) {
    const View to = body["o"].as_object().value_or(View())["to"].as_object().value_or(View());
    target = std::string(to["db"].as_string().value_or("")) + "." +
             std::string(to["coll"].as_string().value_or(""));
  }
}

std::size_t LogEntry::bytes() const {
  constexpr std::size_t kOverhead = sizeof(LogEntry) + 64;
  return kOverhead + body.bytes().size() + target.size() +
         (pre_image ? pre_image->bytes().size() : 0);
}

bool StreamScope::covers(const LogEntry& entry) const {
  if (entry.kind == ChangeKind::kUnknown) return false;
  if (entry.is_view && !is_expanded(entry.kind)) return false;
  if (is_collection()) {
    if (entry.database == database && entry.collection == collection) return true;
    if (entry.kind == ChangeKind::kDropDatabase) return entry.database == database;
    return entry.kind == ChangeKind::kRename && entry.target == full();
  }
  if (is_database()) {
    if (entry.database == database) return !entry.collection.starts_with("system.");
    return entry.kind == ChangeKind::kRename && database_of(entry.target) == database;
  }
  return !is_internal(entry.database, entry.collection);
}

}  // namespace restitch::datasource::embedded
