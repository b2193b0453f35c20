#include "datasource/embedded/users/roles.h"

#include <algorithm>
#include <iterator>

namespace restitch::datasource::embedded {

namespace {

using Kind = Privilege::Kind;

template <typename... Actions>
constexpr ActionSet actions(Actions... list) {
  return (set_of(list) | ...);
}

constexpr ActionSet kReadActions = actions(
    Action::kFind, Action::kChangeStream, Action::kCollStats, Action::kDbHash, Action::kDbStats,
    Action::kKillCursors, Action::kListCollections, Action::kListIndexes, Action::kPlanCacheRead);
constexpr ActionSet kWriteActions =
    kReadActions | actions(Action::kInsert, Action::kUpdate, Action::kRemove,
                           Action::kConvertToCapped, Action::kCreateCollection,
                           Action::kDropCollection, Action::kCreateIndex, Action::kDropIndex,
                           Action::kRenameCollectionSameDb);
constexpr ActionSet kAdminActions = actions(
    Action::kBypassDocumentValidation, Action::kCollMod, Action::kCollStats, Action::kCompact,
    Action::kConvertToCapped, Action::kCreateCollection, Action::kCreateIndex, Action::kDbStats,
    Action::kDropCollection, Action::kDropDatabase, Action::kDropIndex, Action::kEnableProfiler,
    Action::kIndexStats, Action::kListCollections, Action::kListIndexes, Action::kPlanCacheRead,
    Action::kPlanCacheWrite, Action::kReIndex, Action::kRenameCollectionSameDb, Action::kValidate);
constexpr ActionSet kUserActions =
    actions(Action::kViewUser, Action::kCreateUser, Action::kDropUser, Action::kChangePassword,
            Action::kChangeCustomData, Action::kGrantRole, Action::kRevokeRole, Action::kViewRole);
constexpr ActionSet kMonitorActions = actions(
    Action::kConnPoolStats, Action::kGetCmdLineOpts, Action::kGetLog, Action::kGetParameter,
    Action::kHostInfo, Action::kInprog, Action::kListDatabases, Action::kListSessions,
    Action::kReplSetGetConfig, Action::kReplSetGetStatus, Action::kServerStatus, Action::kTop);
constexpr ActionSet kMonitorDataActions =
    actions(Action::kCollStats, Action::kDbStats, Action::kIndexStats);

using Privileges = std::vector<Privilege>;

void add_all(Privileges& to, Privileges from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

Privileges cluster(ActionSet set) { return {{Kind::kCluster, "", "", set}}; }

// On one database, or on all of them when it is empty, together with the functions stored there.
Privileges data_role(std::string_view database, ActionSet set) {
  if (database.empty()) {
    return {{Kind::kAnyDatabase, "", "", set}, {Kind::kCollectionOfAny, "", "system.js", set}};
  }
  return {{Kind::kDatabase, std::string(database), "", set},
          {Kind::kCollection, std::string(database), "system.js", set}};
}

Privileges admin_role(std::string_view database) {
  constexpr ActionSet kProfile =
      kReadActions |
      actions(Action::kCreateCollection, Action::kConvertToCapped, Action::kDropCollection);
  if (database.empty()) {
    return {{Kind::kAnyDatabase, "", "", kAdminActions},
            {Kind::kCollectionOfAny, "", "system.profile", kProfile}};
  }
  return {{Kind::kDatabase, std::string(database), "", kAdminActions},
          {Kind::kCollection, std::string(database), "system.profile", kProfile}};
}

Privileges user_role(std::string_view database) {
  if (!database.empty()) return {{Kind::kDatabase, std::string(database), "", kUserActions}};
  return {{Kind::kAnyDatabase, "", "", kUserActions},
          {Kind::kDatabase, "local", "", kUserActions},
          {Kind::kDatabase, "config", "", kUserActions},
          {Kind::kDatabase, "$external", "", kUserActions},
          {Kind::kCollection, "admin", "system.users", kReadActions},
          {Kind::kCluster, "", "", actions(Action::kListDatabases)}};
}

Privileges owner_role(std::string_view database) {
  Privileges all = data_role(database, kWriteActions);
  add_all(all, admin_role(database));
  add_all(all, user_role(database));
  return all;
}

Privileges with_databases(Privileges privileges) {
  add_all(privileges, cluster(actions(Action::kListDatabases)));
  return privileges;
}

Privileges read_any(std::string_view) { return with_databases(data_role("", kReadActions)); }
Privileges write_any(std::string_view) { return with_databases(data_role("", kWriteActions)); }
Privileges admin_any(std::string_view) { return with_databases(admin_role("")); }
Privileges user_any(std::string_view) { return user_role(""); }
Privileges read_one(std::string_view database) { return data_role(database, kReadActions); }
Privileges write_one(std::string_view database) { return data_role(database, kWriteActions); }
Privileges everything(std::string_view) { return {{Kind::kAnything, "", "", kAllActions}}; }

Privileges monitor(std::string_view) {
  Privileges all = cluster(kMonitorActions);
  all.push_back({Kind::kAnyDatabase, "", "", kMonitorDataActions});
  for (const char* internal : {"local", "config"}) {
    all.push_back({Kind::kDatabase, internal, "", kReadActions});
  }
  return all;
}

struct BuiltIn {
  std::string_view name;
  bool is_of_admin;  // exists in the database admin only
  Privileges (*make)(std::string_view database);
};

constexpr BuiltIn kRoles[] = {
    {"read", false, read_one},
    {"readWrite", false, write_one},
    {"dbAdmin", false, admin_role},
    {"userAdmin", false, user_role},
    {"dbOwner", false, owner_role},
    {"readAnyDatabase", true, read_any},
    {"readWriteAnyDatabase", true, write_any},
    {"dbAdminAnyDatabase", true, admin_any},
    {"userAdminAnyDatabase", true, user_any},
    {"clusterMonitor", true, monitor},
    {"root", true, everything},
};

bool is_system(std::string_view collection) { return collection.starts_with("system."); }

bool is_reached_by_any(std::string_view database) {
  return database != "local" && database != "config" && !is_state_database(database);
}

constexpr std::string_view kNames[] = {
    "find",
    "insert",
    "update",
    "remove",
    "changeStream",
    "collStats",
    "dbStats",
    "dbHash",
    "indexStats",
    "listCollections",
    "listIndexes",
    "createCollection",
    "dropCollection",
    "createIndex",
    "dropIndex",
    "collMod",
    "compact",
    "convertToCapped",
    "renameCollectionSameDB",
    "dropDatabase",
    "validate",
    "reIndex",
    "enableProfiler",
    "planCacheRead",
    "planCacheWrite",
    "bypassDocumentValidation",
    "killCursors",
    "viewUser",
    "createUser",
    "dropUser",
    "changePassword",
    "changeCustomData",
    "grantRole",
    "revokeRole",
    "viewRole",
    "listDatabases",
    "serverStatus",
    "hostInfo",
    "getLog",
    "getCmdLineOpts",
    "getParameter",
    "setParameter",
    "inprog",
    "killop",
    "killAnySession",
    "killAnyCursor",
    "listSessions",
    "top",
    "connPoolStats",
    "replSetGetStatus",
    "replSetGetConfig",
    "fsync",
    "shutdown",
    "internal",
};
static_assert(std::size(kNames) == static_cast<std::size_t>(Action::kInternal) + 1);

}  // namespace

std::string_view name_of(Action action) { return kNames[static_cast<std::size_t>(action)]; }

bool is_state_database(std::string_view database) {
  return database.starts_with("__restitch") || database.starts_with("__realm_sync");
}

bool Privilege::covers(const Target& target) const {
  if (kind == Kind::kAnything) return true;
  if (target.is_cluster()) return kind == Kind::kCluster;
  switch (kind) {
    case Kind::kAnyDatabase:
      return is_reached_by_any(target.database) && !is_system(target.collection);
    case Kind::kDatabase:
      return target.database == database && !is_system(target.collection);
    case Kind::kCollection:
      return target.database == database && target.collection == collection;
    case Kind::kCollectionOfAny:
      return is_reached_by_any(target.database) && target.collection == collection;
    case Kind::kCluster:
    case Kind::kAnything:
      break;
  }
  return false;
}

std::optional<std::vector<Privilege>> privileges_of(const RoleName& role) {
  for (const BuiltIn& known : kRoles) {
    if (known.name != role.role) continue;
    if (known.is_of_admin && role.database != "admin") return std::nullopt;
    return known.make(role.database);
  }
  return std::nullopt;
}

std::vector<RoleName> built_in_roles(std::string_view database) {
  std::vector<RoleName> roles;
  for (const BuiltIn& known : kRoles) {
    if (known.is_of_admin && database != "admin") continue;
    roles.push_back({std::string(known.name), std::string(database)});
  }
  return roles;
}

bool allows(const std::vector<Privilege>& privileges, Action action, const Target& target) {
  return std::any_of(privileges.begin(), privileges.end(), [&](const Privilege& privilege) {
    return (privilege.actions & set_of(action)) != 0 && privilege.covers(target);
  });
}

bool allows_anything(const std::vector<Privilege>& privileges, std::string_view database) {
  return std::any_of(privileges.begin(), privileges.end(), [&](const Privilege& privilege) {
    return privilege.kind == Kind::kCollection ? privilege.database == database
                                               : privilege.covers({database, {}});
  });
}

bson::Document to_document(const Privilege& privilege) {
  bson::Builder builder;
  builder.open_object("resource");
  if (privilege.kind == Kind::kCluster) {
    builder.append("cluster", true);
  } else if (privilege.kind == Kind::kAnything) {
    builder.append("anyResource", true);
  } else {
    builder.append("db", privilege.database).append("collection", privilege.collection);
  }
  builder.close();
  builder.open_array("actions");
  for (std::size_t at = 0; at < static_cast<std::size_t>(Action::kInternal); ++at) {
    if ((privilege.actions & set_of(static_cast<Action>(at))) != 0) builder.push(kNames[at]);
  }
  builder.close();
  return std::move(builder).finish();
}

}  // namespace restitch::datasource::embedded
