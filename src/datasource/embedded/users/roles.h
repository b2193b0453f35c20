#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"

// Built-in roles and what they allow (spec: mongodb-engine §2.1).
namespace restitch::datasource::embedded {

// Named on the wire as in MongoDB: kFind is "find".
enum class Action : std::uint8_t {
  kFind,
  kInsert,
  kUpdate,
  kRemove,
  kChangeStream,
  kCollStats,
  kDbStats,
  kDbHash,
  kIndexStats,
  kListCollections,
  kListIndexes,
  kCreateCollection,
  kDropCollection,
  kCreateIndex,
  kDropIndex,
  kCollMod,
  kCompact,
  kConvertToCapped,
  kRenameCollectionSameDb,
  kDropDatabase,
  kValidate,
  kReIndex,
  kEnableProfiler,
  kPlanCacheRead,
  kPlanCacheWrite,
  kBypassDocumentValidation,
  kKillCursors,
  kViewUser,
  kCreateUser,
  kDropUser,
  kChangePassword,
  kChangeCustomData,
  kGrantRole,
  kRevokeRole,
  kViewRole,
  kListDatabases,
  kServerStatus,
  kHostInfo,
  kGetLog,
  kGetCmdLineOpts,
  kGetParameter,
  kSetParameter,
  kInprog,
  kKillop,
  kKillAnySession,
  kKillAnyCursor,
  kListSessions,
  kTop,
  kConnPoolStats,
  kReplSetGetStatus,
  kReplSetGetConfig,
  kFsync,
  kShutdown,
  kInternal,  // what no role but root allows
};
std::string_view name_of(Action action);

using ActionSet = std::uint64_t;
constexpr ActionSet set_of(Action action) { return ActionSet{1} << static_cast<unsigned>(action); }
inline constexpr ActionSet kAllActions = ~ActionSet{0};

// What an action is done to: the cluster, a database (no collection), or a collection.
struct Target {
  std::string_view database;
  std::string_view collection;

  static Target cluster() { return {}; }
  bool is_cluster() const { return database.empty(); }
};

// Actions on the targets of a pattern.
struct Privilege {
  enum class Kind : std::uint8_t {
    kCluster,
    kAnyDatabase,      // all but system collections, internal databases and the server's own
    kDatabase,         // all of one database but its system collections
    kCollection,       // exactly one
    kCollectionOfAny,  // of that name in any database
    kAnything,
  };
  Kind kind = Kind::kCluster;
  std::string database, collection;
  ActionSet actions = 0;

  bool covers(const Target& target) const;
};

struct RoleName {
  std::string role, database;
  bool operator==(const RoleName&) const = default;
};

// Nothing for a role that does not exist. Roles for all databases exist in `admin` only.
std::optional<std::vector<Privilege>> privileges_of(const RoleName& role);
// The built-in roles of a database.
std::vector<RoleName> built_in_roles(std::string_view database);

bool allows(const std::vector<Privilege>& privileges, Action action, const Target& target);
// Whether anything at all is allowed in the database.
bool allows_anything(const std::vector<Privilege>& privileges, std::string_view database);
// {resource: {…}, actions: […]}
bson::Document to_document(const Privilege& privilege);
// Databases that hold the server's own state: only roles that name them, and root, reach them.
bool is_state_database(std::string_view database);

}  // namespace restitch::datasource::embedded
