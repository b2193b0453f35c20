#include "datasource/mongodb/command_parts.h"

#include <algorithm>
#include <array>
#include <utility>

namespace restitch::datasource::mongodb {
namespace {

using bson::Element;
using bson::View;

constexpr std::array<std::pair<std::string_view, Route>, 15> kRoutes{{
    {"find", Route::kOpensCursor},
    {"aggregate", Route::kOpensCursor},
    {"listCollections", Route::kOpensCursor},
    {"listIndexes", Route::kOpensCursor},
    {"count", Route::kRead},
    {"distinct", Route::kRead},
    {"listDatabases", Route::kRead},
    {"insert", Route::kWrite},
    {"update", Route::kWrite},
    {"delete", Route::kWrite},
    {"findAndModify", Route::kWrite},
    {"getMore", Route::kGetMore},
    {"killCursors", Route::kKillCursors},
    {"commitTransaction", Route::kCommit},
    {"abortTransaction", Route::kAbort},
}};

Route route_of(std::string_view name) {
  const auto* found = std::find_if(kRoutes.begin(), kRoutes.end(),
                                   [name](const auto& row) { return row.first == name; });
  return found == kRoutes.end() ? Route::kOther : found->second;
}

bool takes_time_limit(Route route) {
  return route != Route::kGetMore && route != Route::kKillCursors && route != Route::kCommit &&
         route != Route::kAbort;
}

bool is_set_by_the_library(std::string_view name) {
  return name == "$db" || name == "$clusterTime" || name == "$readPreference" ||
         name == "txnNumber" || name == "apiVersion";
}

// Takes `element` into `parts` when it is no part of the body.
bool take_out(const Element& element, CommandParts& parts) {
  if (is_set_by_the_library(element.name)) return true;
  if (element.name == "lsid") {
    const auto session = element.value.as_object();
    const bson::ValueView id = session ? (*session)["id"] : bson::ValueView();
    if (id.type() == bson::Type::kBinary) parts.session = std::string(id.get_binary().bytes);
    return true;
  }
  if (element.name == "autocommit") {
    parts.in_transaction = !element.value.truthy();
    return true;
  }
  if (element.name == "startTransaction") {
    parts.starts_transaction = element.value.truthy();
    return true;
  }
  if (element.name == "readConcern" && element.value.as_object()) {
    parts.read_concern = bson::Document(*element.value.as_object());
    return true;
  }
  if (element.name == "writeConcern" && element.value.as_object()) {
    parts.write_concern = bson::Document(*element.value.as_object());
    return true;
  }
  return false;
}

}  // namespace

CommandParts take_apart(View command, std::optional<std::int64_t> max_time_ms) {
  CommandParts parts;
  bson::Builder body;
  bool has_limit = false;
  for (const Element& element : command) {
    if (parts.name.empty()) {
      parts.name = std::string(element.name);
      parts.route = route_of(parts.name);
    } else if (take_out(element, parts)) {
      continue;
    }
    has_limit = has_limit || element.name == "maxTimeMS";
    body.append(element.name, element.value);
  }
  parts.has_our_limit = max_time_ms && !has_limit && takes_time_limit(parts.route);
  if (parts.has_our_limit) body.append("maxTimeMS", *max_time_ms);
  parts.body = std::move(body).finish();
  return parts;
}

}  // namespace restitch::datasource::mongodb
