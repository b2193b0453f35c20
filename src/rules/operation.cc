#include "rules/operation.h"

#include <array>
#include <limits>
#include <utility>

namespace restitch::rules {
namespace {

struct NamedAction {
  std::string_view name;
  Action action;
  bool is_write;
};

constexpr std::array<NamedAction, 16> kActions{{
    {"find", Action::kFind, false},
    {"findOne", Action::kFindOne, false},
    {"findOneAndUpdate", Action::kFindOneAndUpdate, true},
    {"findOneAndReplace", Action::kFindOneAndReplace, true},
    {"findOneAndDelete", Action::kFindOneAndDelete, true},
    {"aggregate", Action::kAggregate, false},
    {"count", Action::kCount, false},
    {"distinct", Action::kDistinct, false},
    {"insertOne", Action::kInsertOne, true},
    {"insertMany", Action::kInsertMany, true},
    {"deleteOne", Action::kDeleteOne, true},
    {"deleteMany", Action::kDeleteMany, true},
    {"updateOne", Action::kUpdateOne, true},
    {"updateMany", Action::kUpdateMany, true},
    {"replaceOne", Action::kReplaceOne, true},
    {"bulkWrite", Action::kBulkWrite, true},
}};

bool is_find_and_modify(Action action) {
  return action == Action::kFindOneAndUpdate || action == Action::kFindOneAndReplace ||
         action == Action::kFindOneAndDelete;
}

// Reads members of a call's argument, keeping the first problem.
class ArgumentReader {
 public:
  explicit ArgumentReader(bson::View argument) : argument_(argument) {}

  bson::Document object(const char* name) {
    const bson::ValueView value = argument_.find(name);
    if (value.is_nullish()) return {};
    if (const auto found = value.as_object()) return bson::Document(*found);
    fail(name, "an object");
    return {};
  }

  bson::Document array(const char* name) {
    const bson::ValueView value = argument_.find(name);
    if (value.is_nullish()) return {};
    if (const auto found = value.as_array()) return bson::Document(*found);
    fail(name, "an array");
    return {};
  }

  bool boolean(const char* name, bool missing = false) {
    const bson::ValueView value = argument_.find(name);
    if (value.is_nullish()) return missing;
    if (const auto found = value.as_bool()) return *found;
    fail(name, "a boolean");
    return missing;
  }

  std::int64_t integer(const char* name) {
    const bson::ValueView value = argument_.find(name);
    if (value.is_nullish()) return 0;
    const auto found = value.as_integer();
    if (found && *found >= 0) return *found;
    fail(name, "a non-negative integer");
    return 0;
  }

  std::string text(const char* name) {
    const bson::ValueView value = argument_.find(name);
    if (value.is_nullish()) return {};
    if (const auto found = value.as_string()) return std::string(*found);
    fail(name, "a string");
    return {};
  }

  bool has(const char* name) const { return !argument_.find(name).is_nullish(); }
  bson::ValueView get(const char* name) const { return argument_.find(name); }

  void fail(const char* name, const char* expected) {
    set_error(Error(ErrorCode::kInvalidArgument,
                    "expected '" + std::string(name) + "' to be " + expected));
  }
  void require(const char* name) {
    if (has(name)) return;
    set_error(Error(ErrorCode::kMissingParameter, "missing parameter '" + std::string(name) + "'"));
  }
  void set_error(Error error) {
    if (!error_) error_ = std::move(error);
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  bson::View argument_;
  std::optional<Error> error_;
};

// Database and collection, or the title of a schema in place of both.
void read_namespace(ArgumentReader& reader, std::string& database, std::string& collection,
                    std::string* title) {
  database = reader.text("database");
  collection = reader.text("collection");
  if (title != nullptr) title->clear();
  const bool has_title_only = title != nullptr && !reader.has("database") &&
                              !reader.has("collection") && reader.has("schema_name");
  if (has_title_only) {
    *title = reader.text("schema_name");
  } else {
    reader.require("database");
    reader.require("collection");
  }
}

bool starts_with_operator(bson::ValueView update) {
  const auto object = update.as_object();
  if (!object) return false;
  for (const bson::Element& element : *object) {
    if (element.name.starts_with('$')) return true;
  }
  return false;
}

// An update in any of its forms, or for replacing actions a document without operators.
void read_update(ArgumentReader& reader, Operation& operation, const char* name) {
  const bson::ValueView update = reader.get(name);
  const bool replaces =
      operation.action == Action::kFindOneAndReplace || operation.action == Action::kReplaceOne;
  if (replaces) {
    operation.update = bson::Value::of(reader.object(name));
    if (starts_with_operator(operation.update)) {
      reader.set_error(Error(ErrorCode::kInvalidArgument,
                             "the replace operation document must not contain atomic operators"));
    }
    return;
  }
  reader.require(name);
  if (update.type() == bson::Type::kArray) {
    operation.update = bson::Value(update);
  } else {
    operation.update = bson::Value::of(reader.object(name));
  }
}

void read_insert(ArgumentReader& reader, Operation& operation) {
  if (operation.action == Action::kInsertOne) {
    reader.require("document");
    operation.documents.push_back(reader.object("document"));
    return;
  }
  const bson::Document documents = reader.array("documents");
  for (const bson::Element& element : documents.view()) {
    const auto document = element.value.as_object();
    if (document) {
      operation.documents.emplace_back(*document);
    } else {
      reader.fail("documents", "an array of objects");
    }
  }
  if (operation.documents.empty()) {
    reader.set_error(
        Error(ErrorCode::kInvalidArgument, "must provide at least one element to insert"));
  }
  operation.ordered = reader.boolean("ordered", true);
}

void read_query(ArgumentReader& reader, Operation& operation) {
  if (is_find_and_modify(operation.action)) {
    operation.filter = reader.object("filter");
    operation.projection = reader.object("projection");
    operation.sort = reader.object("sort");
    return;
  }
  operation.filter = reader.object("query");
  if (operation.action == Action::kFind || operation.action == Action::kFindOne) {
    operation.projection = reader.object("project");
    operation.sort = reader.object("sort");
  }
  if (operation.action == Action::kFind || operation.action == Action::kCount) {
    operation.limit = reader.integer("limit");
  }
  if (operation.action == Action::kFind) operation.skip = reader.integer("skip");
}

void read_members(ArgumentReader& reader, Operation& operation) {
  switch (operation.action) {
    case Action::kAggregate:
      operation.pipeline = reader.array("pipeline");
      return;
    case Action::kInsertOne:
    case Action::kInsertMany:
      return read_insert(reader, operation);
    case Action::kBulkWrite:
      reader.require("operations");
      operation.bulk = reader.array("operations");
      operation.ordered = reader.boolean("ordered", true);
      return;
    case Action::kDistinct:
      reader.require("key");
      operation.distinct_key = reader.text("key");
      break;
    case Action::kFindOneAndUpdate:
    case Action::kFindOneAndReplace:
      read_update(reader, operation, "update");
      operation.upsert = reader.boolean("upsert");
      operation.return_new = reader.boolean("returnNewDocument");
      break;
    case Action::kUpdateOne:
    case Action::kUpdateMany:
    case Action::kReplaceOne:
      read_update(reader, operation, "update");
      operation.upsert = reader.boolean("upsert");
      break;
    default:
      break;
  }
  if (operation.action == Action::kUpdateOne || operation.action == Action::kUpdateMany ||
      operation.action == Action::kFindOneAndUpdate) {
    operation.array_filters = reader.array("arrayFilters");
  }
  read_query(reader, operation);
}

}  // namespace

std::optional<Action> action_from_name(std::string_view name) {
  for (const NamedAction& known : kActions) {
    if (known.name == name) return known.action;
  }
  return std::nullopt;
}

std::string_view name_of(Action action) {
  for (const NamedAction& known : kActions) {
    if (known.action == action) return known.name;
  }
  return {};
}

bool is_write(Action action) {
  for (const NamedAction& known : kActions) {
    if (known.action == action) return known.is_write;
  }
  return false;
}

bool is_multi(Action action) {
  return action == Action::kUpdateMany || action == Action::kDeleteMany;
}

Result<Operation> parse_client_operation(Action action, std::string_view source,
                                         bson::View argument, std::string* title) {
  ArgumentReader reader(argument);
  Operation operation;
  operation.action = action;
  operation.source = std::string(source);
  read_namespace(reader, operation.database, operation.collection, title);
  read_members(reader, operation);
  if (reader.error()) return *reader.error();
  return operation;
}

Result<WatchRequest> parse_watch(std::string_view source, bson::View argument, std::string* title) {
  ArgumentReader reader(argument);
  WatchRequest request;
  request.source = std::string(source);
  read_namespace(reader, request.database, request.collection, title);
  if (reader.has("ids")) request.ids = reader.array("ids");
  request.filter = reader.object("filter");
  if (reader.error()) return *reader.error();
  return request;
}

}  // namespace restitch::rules
