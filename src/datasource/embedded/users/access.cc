#include "datasource/embedded/users/access.h"

#include <algorithm>
#include <unordered_map>

#include "bson/extended_json.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/users/authentication.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::ValueView;
using bson::View;

constexpr int kMaxDepth = 30;  // of pipelines in pipelines
// No real name: allowed by what is allowed in all databases only.
constexpr Target kSomeDatabase{"\x01", {}};
constexpr std::string_view kStateDatabase = "__restitch";

// The rights of the users of one command. Refuses what nobody may do by a command.
class Rights {
 public:
  Rights(const Operation& operation, View command) : operation_(operation), command_(command) {}

  bool may(Action action, const Target& target) const {
    return embedded::may(operation_, action, target);
  }
  View command() const { return command_; }
  std::string_view database() const { return operation_.database; }
  const Operation& operation() const { return operation_; }
  // The collection that the command's first field names; empty when it names none.
  std::string_view collection() const {
    return command_.empty() ? std::string_view()
                            : command_.begin()->value.as_string().value_or(std::string_view());
  }
  Target target() const { return {database(), collection()}; }
  Target whole_database() const { return {database(), {}}; }

 private:
  const Operation& operation_;
  View command_;
};

bool may_read_pipeline(const Rights& rights, const Target& target, View pipeline, int depth);

bool may_write_into(const Rights& rights, ValueView into, std::initializer_list<Action> actions) {
  std::string_view database = rights.database();
  std::string_view collection;
  if (const auto name = into.as_string()) {
    collection = *name;
  } else if (const auto object = into.as_object()) {
    database = (*object)["db"].as_string().value_or(database);
    collection = (*object)["coll"].as_string().value_or("");
  }
  if (is_reserved_collection(collection)) return false;
  for (const Action action : actions) {
    if (!rights.may(action, {database, collection})) return false;
  }
  return true;
}

// A stage that reads another collection, perhaps through a pipeline.
bool may_read_other(const Rights& rights, ValueView from, ValueView pipeline, int depth) {
  std::string_view database = rights.database();
  std::string_view collection = from.as_string().value_or("");
  if (const auto object = from.as_object()) {
    database = (*object)["db"].as_string().value_or(database);
    collection = (*object)["coll"].as_string().value_or("");
  }
  const Target target{database, collection};
  // Without a collection the pipeline makes its own documents.
  if (!collection.empty() && !rights.may(Action::kFind, target)) return false;
  const auto stages = pipeline.as_array();
  return !stages || may_read_pipeline(rights, target, *stages, depth + 1);
}

bool may_run_facets(const Rights& rights, const Target& target, View facets, int depth) {
  for (const bson::Element& facet : facets) {
    const auto stages = facet.value.as_array();
    if (stages && !may_read_pipeline(rights, target, *stages, depth + 1)) return false;
  }
  return true;
}

// What a stage needs besides reading its input.
bool may_run_stage(const Rights& rights, const Target& target, const bson::Element& stage,
                   int depth) {
  const std::string_view name = stage.name;
  const ValueView value = stage.value;
  const View options = value.as_object().value_or(View());
  if (name == "$lookup") return may_read_other(rights, options["from"], options["pipeline"], depth);
  if (name == "$graphLookup") return may_read_other(rights, options["from"], ValueView(), depth);
  if (name == "$unionWith") {
    const ValueView from = value.as_string() ? value : options["coll"];
    return may_read_other(rights, from, options["pipeline"], depth);
  }
  if (name == "$facet") return may_run_facets(rights, target, options, depth);
  if (name == "$out") return may_write_into(rights, value, {Action::kInsert, Action::kRemove});
  if (name == "$merge") {
    const ValueView into = value.as_string() ? value : options["into"];
    return may_write_into(rights, into, {Action::kInsert, Action::kUpdate});
  }
  if (name == "$currentOp") {
    return options["allUsers"].truthy() ? rights.may(Action::kInprog, Target::cluster()) : true;
  }
  if (name == "$listSessions") return rights.may(Action::kListSessions, Target::cluster());
  return true;
}

// What the first stage needs in place of reading the documents of the collection.
bool may_read_input(const Rights& rights, const Target& target, std::string_view first) {
  if (first == "$collStats") return rights.may(Action::kCollStats, target);
  if (first == "$indexStats") return rights.may(Action::kIndexStats, target);
  if (first == "$planCacheStats") return rights.may(Action::kPlanCacheRead, target);
  if (first == "$currentOp" || first == "$listLocalSessions" || first == "$listSessions" ||
      first == "$documents") {
    return true;
  }
  if (first == "$changeStream" && !rights.may(Action::kChangeStream, target)) return false;
  return rights.may(Action::kFind, target);
}

bool may_read_pipeline(const Rights& rights, const Target& target, View pipeline, int depth) {
  if (depth > kMaxDepth) return true;  // refused for its depth anyway
  for (const bson::Element& element : pipeline) {
    const auto stage = element.value.as_object();
    if (!stage || stage->empty()) continue;
    const bson::Element inner = *stage->begin();
    if (!may_run_stage(rights, target, inner, depth)) return false;
  }
  return true;
}

bool may_aggregate(const Rights& rights) {
  const View pipeline = rights.command()["pipeline"].as_array().value_or(View());
  std::string_view first;
  View first_options;
  if (!pipeline.empty()) {
    const bson::Element element = *pipeline.begin();
    if (const auto stage = element.value.as_object(); stage && !stage->empty()) {
      first = stage->begin()->name;
      first_options = stage->begin()->value.as_object().value_or(View());
    }
  }
  Target target = rights.target();
  // A stream of the whole cluster is asked for in admin; it shows the server's own state too.
  if (first == "$changeStream" && first_options["allChangesForCluster"].truthy()) {
    target = {kStateDatabase, {}};
  }
  if (!may_read_input(rights, target, first)) return false;
  if (rights.command()["bypassDocumentValidation"].truthy() &&
      !rights.may(Action::kBypassDocumentValidation, target)) {
    return false;
  }
  return may_read_pipeline(rights, target, pipeline, 0);
}

template <Action A>
bool on_collection(const Rights& rights) {
  return rights.may(A, rights.target());
}
template <Action A>
bool on_database(const Rights& rights) {
  return rights.may(A, rights.whole_database());
}
template <Action A>
bool on_cluster(const Rights& rights) {
  return rights.may(A, Target::cluster());
}
bool by_any_user(const Rights&) { return true; }

bool may_bypass(const Rights& rights) {
  return !rights.command()["bypassDocumentValidation"].truthy() ||
         rights.may(Action::kBypassDocumentValidation, rights.target());
}

bool may_insert(const Rights& rights) {
  return rights.may(Action::kInsert, rights.target()) && may_bypass(rights);
}

bool may_update(const Rights& rights) {
  const View updates = rights.command()["updates"].as_array().value_or(View());
  for (const bson::Element& element : updates) {
    const View update = element.value.as_object().value_or(View());
    if (update["upsert"].truthy() && !rights.may(Action::kInsert, rights.target())) return false;
  }
  return rights.may(Action::kUpdate, rights.target()) && may_bypass(rights);
}

bool may_find_and_modify(const Rights& rights) {
  const View command = rights.command();
  const Target target = rights.target();
  if (!rights.may(Action::kFind, target) || !may_bypass(rights)) return false;
  if (command["remove"].truthy()) return rights.may(Action::kRemove, target);
  if (command["upsert"].truthy() && !rights.may(Action::kInsert, target)) return false;
  return rights.may(Action::kUpdate, target);
}

// The cursor's owner is checked when it is taken.
bool may_get_more(const Rights& rights) {
  const std::string_view collection = rights.command()["collection"].as_string().value_or("");
  if (collection.starts_with("$cmd.listCollections")) {
    return rights.may(Action::kListCollections, rights.whole_database());
  }
  if (collection.starts_with("$cmd.")) return true;
  return rights.may(Action::kFind, {rights.database(), collection}) ||
         rights.may(Action::kListIndexes, {rights.database(), collection});
}

// Also what a view would read.
bool may_define(const Rights& rights, Action action) {
  if (!rights.may(action, rights.target())) return false;
  const ValueView source = rights.command()["viewOn"];
  const ValueView pipeline = rights.command()["pipeline"];
  if (source.is_missing() && pipeline.is_missing()) return true;
  return may_read_other(rights, source, pipeline, 0);
}
bool may_create(const Rights& rights) { return may_define(rights, Action::kCreateCollection); }
bool may_change_collection(const Rights& rights) { return may_define(rights, Action::kCollMod); }

Target target_of(std::string_view full_name) {
  const std::size_t dot = full_name.find('.');
  if (dot == std::string_view::npos) return {full_name, {}};
  return {full_name.substr(0, dot), full_name.substr(dot + 1)};
}

bool may_rename(const Rights& rights) {
  const Target from = target_of(rights.collection());
  const Target to = target_of(rights.command()["to"].as_string().value_or(""));
  if (rights.command()["dropTarget"].truthy() && !rights.may(Action::kDropCollection, to)) {
    return false;
  }
  if (from.database == to.database && rights.may(Action::kRenameCollectionSameDb, from) &&
      rights.may(Action::kRenameCollectionSameDb, to)) {
    return true;
  }
  return rights.may(Action::kFind, from) && rights.may(Action::kDropCollection, from) &&
         rights.may(Action::kInsert, to) && rights.may(Action::kCreateIndex, to);
}

bool is_signed_in(const Rights& rights, std::string_view name, std::string_view database) {
  for (const UserPtr& user : rights.operation().caller->authentication->users) {
    if (user->name == name && user->database == database) return true;
  }
  return false;
}

// `action` on the database of every role in the list.
bool may_hand_out(const Rights& rights, Action action) {
  const View roles = rights.command()["roles"].as_array().value_or(View());
  for (const bson::Element& element : roles) {
    const View role = element.value.as_object().value_or(View());
    const std::string_view database = role["db"].as_string().value_or(rights.database());
    if (!rights.may(action, {database, {}})) return false;
  }
  return true;
}

bool may_create_user(const Rights& rights) {
  return rights.may(Action::kCreateUser, rights.whole_database()) &&
         may_hand_out(rights, Action::kGrantRole);
}

bool may_update_user(const Rights& rights) {
  const View command = rights.command();
  const Target target = rights.whole_database();
  if ((command.contains("pwd") || command.contains("mechanisms")) &&
      !rights.may(Action::kChangePassword, target)) {
    return false;
  }
  if (command.contains("customData") && !rights.may(Action::kChangeCustomData, target)) {
    return false;
  }
  if (!command.contains("roles")) return true;
  return rights.may(Action::kRevokeRole, target) && may_hand_out(rights, Action::kGrantRole);
}

bool may_grant(const Rights& rights) { return may_hand_out(rights, Action::kGrantRole); }
bool may_revoke(const Rights& rights) { return may_hand_out(rights, Action::kRevokeRole); }

bool may_view_user(const Rights& rights, ValueView which) {
  std::string_view name = which.as_string().value_or("");
  std::string_view database = rights.database();
  if (const auto object = which.as_object()) {
    if ((*object)["forAllDBs"].truthy()) {
      return rights.may(Action::kViewUser, kSomeDatabase);
    }
    name = (*object)["user"].as_string().value_or("");
    database = (*object)["db"].as_string().value_or(database);
  }
  return (!name.empty() && is_signed_in(rights, name, database)) ||
         rights.may(Action::kViewUser, {database, {}});
}

bool may_view_users(const Rights& rights) {
  const ValueView which = rights.command().begin()->value;
  const auto list = which.as_array();
  if (!list) return may_view_user(rights, which);
  for (const bson::Element& element : *list) {
    if (!may_view_user(rights, element.value)) return false;
  }
  return true;
}

// dataSize names the collection with its database.
bool may_size(const Rights& rights) {
  const auto ns = split_namespace(rights.command().begin()->value.as_string().value_or(""));
  return ns && rights.may(Action::kFind, Target{ns->database, ns->collection});
}

bool may_explain(const Rights& rights);

using Rule = bool (*)(const Rights&);

const std::unordered_map<std::string_view, Rule>& rules() {
  static const std::unordered_map<std::string_view, Rule> kRules = {
      {"find", on_collection<Action::kFind>},
      {"count", on_collection<Action::kFind>},
      {"distinct", on_collection<Action::kFind>},
      {"aggregate", may_aggregate},
      {"getMore", may_get_more},
      {"killCursors", by_any_user},  // of others: see run_kill_cursors
      {"insert", may_insert},
      {"update", may_update},
      {"delete", on_collection<Action::kRemove>},
      {"findAndModify", may_find_and_modify},
      {"explain", may_explain},
      {"create", may_create},
      {"drop", on_collection<Action::kDropCollection>},
      {"dropDatabase", on_database<Action::kDropDatabase>},
      {"renameCollection", may_rename},
      {"collMod", may_change_collection},
      {"convertToCapped", on_collection<Action::kConvertToCapped>},
      {"compact", on_collection<Action::kCompact>},
      {"validate", on_collection<Action::kValidate>},
      {"collStats", on_collection<Action::kCollStats>},
      {"dataSize", may_size},
      {"dbStats", on_database<Action::kDbStats>},
      {"dbHash", on_database<Action::kDbHash>},
      {"listCollections", on_database<Action::kListCollections>},
      {"listDatabases", by_any_user},  // shows what the users may see
      {"createIndexes", on_collection<Action::kCreateIndex>},
      {"dropIndexes", on_collection<Action::kDropIndex>},
      {"listIndexes", on_collection<Action::kListIndexes>},
      {"reIndex", on_collection<Action::kReIndex>},
      {"planCacheClear", on_collection<Action::kPlanCacheWrite>},
      {"createSearchIndexes", on_collection<Action::kCreateIndex>},
      {"updateSearchIndex", on_collection<Action::kCreateIndex>},
      {"dropSearchIndex", on_collection<Action::kDropIndex>},
      {"listSearchIndexes", on_collection<Action::kListIndexes>},
      {"testVersion2", by_any_user},
      {"profile", on_database<Action::kEnableProfiler>},
      {"startSession", by_any_user},
      {"endSessions", by_any_user},
      {"refreshSessions", by_any_user},
      {"killSessions", by_any_user},
      {"killAllSessions", on_cluster<Action::kKillAnySession>},
      {"killAllSessionsByPattern", on_cluster<Action::kKillAnySession>},
      {"commitTransaction", by_any_user},
      {"abortTransaction", by_any_user},
      {"features", by_any_user},
      {"listCommands", by_any_user},
      {"serverStatus", on_cluster<Action::kServerStatus>},
      {"hostInfo", on_cluster<Action::kHostInfo>},
      {"getLog", on_cluster<Action::kGetLog>},
      {"getCmdLineOpts", on_cluster<Action::kGetCmdLineOpts>},
      {"getParameter", on_cluster<Action::kGetParameter>},
      {"setParameter", on_cluster<Action::kSetParameter>},
      {"getClusterParameter", on_cluster<Action::kGetParameter>},
      {"setClusterParameter", on_cluster<Action::kSetParameter>},
      {"getFreeMonitoringStatus", on_cluster<Action::kServerStatus>},
      {"setFeatureCompatibilityVersion", on_cluster<Action::kSetParameter>},
      {"replSetInitiate", on_cluster<Action::kInternal>},
      {"replSetGetStatus", on_cluster<Action::kReplSetGetStatus>},
      {"replSetGetConfig", on_cluster<Action::kReplSetGetConfig>},
      {"currentOp", on_cluster<Action::kInprog>},
      {"killOp", on_cluster<Action::kKillop>},
      {"top", on_cluster<Action::kTop>},
      {"connPoolStats", on_cluster<Action::kConnPoolStats>},
      {"fsync", on_cluster<Action::kFsync>},
      {"fsyncUnlock", on_cluster<Action::kFsync>},
      {"configureFailPoint", on_cluster<Action::kInternal>},
      {"createUser", may_create_user},
      {"updateUser", may_update_user},
      {"dropUser", on_database<Action::kDropUser>},
      {"dropAllUsersFromDatabase", on_database<Action::kDropUser>},
      {"grantRolesToUser", may_grant},
      {"revokeRolesFromUser", may_revoke},
      {"usersInfo", may_view_users},
      {"rolesInfo", on_database<Action::kViewRole>},
  };
  return kRules;
}

// Commands that need no user.
bool is_for_anyone(std::string_view name) {
  constexpr std::string_view kNames[] = {
      "hello",        "isMaster",     "ping",   "buildInfo",        "endSessions", "saslStart",
      "saslContinue", "authenticate", "logout", "connectionStatus", "whatsmyuri",  "getnonce"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

Rule rule_of(std::string_view name) {
  const auto found = rules().find(name);
  return found == rules().end() ? on_cluster<Action::kInternal> : found->second;
}

bool may_explain(const Rights& rights) {
  const auto inner = rights.command().begin()->value.as_object();
  if (!inner || inner->empty()) return true;
  const CommandSpec* spec = find_command(inner->begin()->name);
  if (spec == nullptr || spec->name == "explain") return true;  // refused anyway
  return rule_of(spec->name)(Rights(rights.operation(), *inner));
}

// The commands that write their target.
bool is_writing(std::string_view name) {
  constexpr std::string_view kNames[] = {"insert",  "update",           "delete",
                                         "drop",    "findAndModify",    "create",
                                         "collMod", "renameCollection", "convertToCapped"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

void append_shown(Builder& builder, View command, int depth) {
  constexpr std::size_t kMaxShown = 500;
  for (const bson::Element& element : command) {
    if (element.name == "pwd" || element.name == "payload") {
      builder.append(element.name, "xxx");
    } else if (element.value.raw().size() > kMaxShown) {
      builder.append(element.name, "...");
    } else if (element.value.type() == bson::Type::kObject && depth < 2) {
      builder.open_object(element.name);
      append_shown(builder, element.value.get_document(), depth + 1);
      builder.close();
    } else {
      builder.append(element.name, element.value);
    }
    if (builder.size() > 4 * kMaxShown) return;
  }
}

// The command for an error text: without secrets, of limited length.
std::string shown(View command) {
  Builder builder;
  append_shown(builder, command, 0);
  return bson::to_shell(std::move(builder).finish());
}

const Authentication* restricted(const Operation& operation) {
  if (!operation.caller || !operation.caller->authentication) return nullptr;
  const Authentication* authentication = operation.caller->authentication.get();
  return authentication->is_required ? authentication : nullptr;
}

}  // namespace

bool may(const Operation& operation, Action action, const Target& target) {
  const Authentication* authentication = restricted(operation);
  if (authentication == nullptr) return true;
  for (const UserPtr& user : authentication->users) {
    if (allows(user->privileges, action, target)) return true;
  }
  return false;
}

bool may_see_database(const Operation& operation, std::string_view database) {
  const Authentication* authentication = restricted(operation);
  if (authentication == nullptr || may(operation, Action::kListDatabases, Target::cluster())) {
    return true;
  }
  for (const UserPtr& user : authentication->users) {
    if (allows_anything(user->privileges, database)) return true;
  }
  return false;
}

std::string owner_of(const Operation& operation) {
  const Authentication* authentication = restricted(operation);
  if (authentication == nullptr || authentication->users.empty()) return {};
  return authentication->users.front()->full_name();
}

bool has_access_rule(std::string_view command) {
  return is_for_anyone(command) || rules().contains(command);
}

Status authorize(const Operation& operation) {
  const Authentication* authentication = restricted(operation);
  const std::string_view name = operation.spec->name;
  if (authentication == nullptr || is_for_anyone(name)) return {};
  if (authentication->users.empty()) {
    return mongo_error(code::kUnauthorized,
                       "Command " + std::string(name) + " requires authentication");
  }
  const Rights rights(operation, operation.command);
  const bool writes_users = operation.database == kUsersDatabase && is_writing(name) &&
                            rights.collection() == kUsersCollection;
  if (!writes_users && rule_of(name)(rights)) return {};
  return mongo_error(code::kUnauthorized, "not authorized on " + operation.database +
                                              " to execute command " + shown(operation.command));
}

}  // namespace restitch::datasource::embedded
