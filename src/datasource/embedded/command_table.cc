#include "datasource/embedded/command_table.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

namespace {

constexpr std::size_t kMostCompared = 64;

using Table = std::unordered_map<std::string_view, const CommandSpec*>;

Table make_table() {
  Table table;
  for (const auto family : all_commands()) {
    for (const CommandSpec& spec : family) {
      table.emplace(spec.name, &spec);
      if (!spec.alias.empty()) table.emplace(spec.alias, &spec);
    }
  }
  return table;
}

bool is_listed(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t end = list.find(' ');
    if (list.substr(0, end) == name) return true;
    if (end == std::string_view::npos) return false;
    list.remove_prefix(end + 1);
  }
  return false;
}

// Commands have few fields, so that every pair is compared.
Status check_no_field_twice(const CommandSpec& spec, bson::View command) {
  std::array<std::string_view, kMostCompared> seen;
  std::size_t count = 0;
  for (const bson::Element& element : command) {
    if (std::find(seen.begin(), seen.begin() + count, element.name) != seen.begin() + count) {
      return mongo_error(40413, "BSON field '" + std::string(spec.request_name()) + "." +
                                    std::string(element.name) + "' is a duplicate field");
    }
    if (count < seen.size()) seen[count++] = element.name;
  }
  return {};
}

}  // namespace

bool is_generic_field(std::string_view name) {
  static const std::unordered_set<std::string_view> kGeneric = {"$db",
                                                                "$readPreference",
                                                                "$clusterTime",
                                                                "lsid",
                                                                "txnNumber",
                                                                "autocommit",
                                                                "startTransaction",
                                                                "readConcern",
                                                                "writeConcern",
                                                                "maxTimeMS",
                                                                "comment",
                                                                "apiVersion",
                                                                "apiStrict",
                                                                "apiDeprecationErrors",
                                                                "$audit",
                                                                "$client",
                                                                "$configServerState",
                                                                "databaseVersion",
                                                                "shardVersion",
                                                                "serialization_context",
                                                                "rawData",
                                                                "maxTimeMSOpOnly",
                                                                "stmtId",
                                                                "stmtIds",
                                                                "$tenant",
                                                                "isTimeseriesNamespace"};
  return kGeneric.contains(name);
}

std::vector<std::span<const CommandSpec>> all_commands() {
  return {read_commands(),    write_commands(),      index_commands(),      catalog_commands(),
          session_commands(), diagnostic_commands(), statistics_commands(), parameter_commands(),
          explain_commands(), plan_cache_commands(), topology_commands(),   fail_point_commands(),
          search_commands(),  sign_in_commands(),    user_commands()};
}

const CommandSpec* find_command(std::string_view name) {
  static const Table table = make_table();
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

bool is_in_stable_api(std::string_view command) {
  static const std::unordered_set<std::string_view> kCommands = {"abortTransaction",
                                                                 "aggregate",
                                                                 "collMod",
                                                                 "commitTransaction",
                                                                 "count",
                                                                 "create",
                                                                 "createIndexes",
                                                                 "createSearchIndexes",
                                                                 "delete",
                                                                 "drop",
                                                                 "dropDatabase",
                                                                 "dropIndexes",
                                                                 "dropSearchIndex",
                                                                 "endSessions",
                                                                 "explain",
                                                                 "find",
                                                                 "findAndModify",
                                                                 "getMore",
                                                                 "hello",
                                                                 "insert",
                                                                 "killCursors",
                                                                 "listCollections",
                                                                 "listDatabases",
                                                                 "listIndexes",
                                                                 "listSearchIndexes",
                                                                 "ping",
                                                                 "refreshSessions",
                                                                 "saslContinue",
                                                                 "saslStart",
                                                                 "update",
                                                                 "updateSearchIndex"};
  return kCommands.contains(command);
}

Status check_known_fields(const CommandSpec& spec, bson::View command) {
  if (spec.has(kIgnoresUnknownFields)) return {};
  RESTITCH_CHECK(check_no_field_twice(spec, command));
  bool is_first = true;
  for (const bson::Element& element : command) {
    if (std::exchange(is_first, false)) continue;
    if (is_listed(spec.fields, element.name) || is_generic_field(element.name)) continue;
    return mongo_error(40415, "BSON field '" + std::string(spec.request_name()) + "." +
                                  std::string(element.name) + "' is an unknown field.");
  }
  return {};
}

}  // namespace restitch::datasource::embedded
