#include "datasource/embedded/catalog.h"
#include "base/encoding.h"
#include "bson/compare.h"
#include "bson/extended_json.h"
#include "datasource/embedded/collection_move.h"
#include "datasource/embedded/collection_options.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/commands/reads.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/record_writer.h"
#include "datasource/embedded/schema_changes.h"
#include "datasource/embedded/schema_retry.h"
#include "datasource/embedded/services.h"
#include "datasource/embedded/unique_conversion.h"
#include "datasource/embedded/users/access.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

using SchemaWork = Result<Document> (*)(Operation&);

// Runs `Work` on a thread that may wait, alone among the changes of the catalog.
template <SchemaWork Work>
asio::awaitable<Result<Document>> on_schema_thread(Operation& operation) {
  Operation* borrowed = &operation;
  const auto work = [borrowed]() -> Result<Document> {
    const std::lock_guard lock(borrowed->services.schema_mutex);
    return Work(*borrowed);
  };
  const auto attempt = [borrowed, work]() { return borrowed->services.schema_pool->run(work); };
  auto reply = co_await until_free<Document>(operation, attempt);
  co_return reply;
}

// Whether the collection is there already, with these options. 48 when it has others.
Result<bool> is_there(const CollectionPtr& existing, const Namespace& ns, View options) {
  if (!existing) return false;
  if (bson::equal(existing->options.view(), options)) return true;
  std::string shown = bson::to_shell(existing->options.view());
  if (!existing->is_view()) {
    const std::string uuid = "uuid: UUID(\"" + uuid_text(existing->uuid) + "\")";
    shown = existing->options.empty() ? "{ " + uuid + " }" : "{ " + uuid + "," + shown.substr(1);
  }
  return mongo_error(
      code::kNamespaceExists,
      "namespace " + ns.full() + " already exists, but with different options: " + shown);
}

Result<Document> create_now(Operation& operation) {
  RESTITCH_TRY(const Namespace ns, operation.target_namespace());
  RESTITCH_TRY(const Document options, parse_create_options(ns, operation.command));
  if (is_reserved_collection(ns.collection)) {
    return mongo_error(code::kInvalidNamespace, "cannot create system collection " + ns.full());
  }
  RESTITCH_TRY(const CollectionPtr existing, operation.find_collection(ns.database, ns.collection));
  RESTITCH_TRY(const bool is_done, is_there(existing, ns, options));
  if (is_done) return Document();
  if (operation.in_transaction()) {
    RESTITCH_CHECK(create_in_transaction(operation.services, operation.unit(), ns, options));
    return Document();
  }
  const auto collation = options["collation"].as_object();
  RESTITCH_CHECK(operation.services.catalog->create(ns, options, collation.value_or(View())));
  return Document();
}

asio::awaitable<Result<Document>> create(Operation& operation) {
  if (operation.in_transaction()) co_return create_now(operation);
  co_return co_await on_schema_thread<create_now>(operation);
}

Result<Document> drop(Operation& operation) {
  RESTITCH_TRY(const Namespace ns, operation.target_namespace());
  const CollectionPtr collection = operation.services.catalog->find(ns.database, ns.collection);
  if (!collection) return Document();
  RESTITCH_CHECK(operation.services.catalog->drop(collection));
  operation.services.cursors.kill_of_collection(collection->ident);
  Builder reply;
  if (!collection->is_view()) {
    reply.append("nIndexesWas", static_cast<std::int32_t>(collection->indexes.size()));
  }
  reply.append("ns", ns.full());
  return std::move(reply).finish();
}

Result<Document> drop_database(Operation& operation) {
  if (operation.database == "admin" || operation.database == "config" ||
      operation.database == "local") {
    return mongo_error(code::kIllegalOperation,
                       "Dropping the '" + operation.database + "' database is prohibited.");
  }
  const auto collections = operation.services.catalog->state()->of_database(operation.database);
  if (collections.empty()) return Document();
  RESTITCH_CHECK(operation.services.catalog->drop_database(operation.database));
  for (const CollectionPtr& collection : collections) {
    operation.services.cursors.kill_of_collection(collection->ident);
  }
  return bson::make_document("dropped", operation.database);
}

Result<Document> rename_collection(Operation& operation) {
  const Fields fields = operation.fields();
  RESTITCH_TRY(const auto from_name, fields.required_string("renameCollection"));
  RESTITCH_TRY(const auto to_name, fields.required_string("to"));
  RESTITCH_TRY(const Namespace from, split_namespace(from_name));
  RESTITCH_TRY(const Namespace to, split_namespace(to_name));
  if (from == to) {
    return mongo_error(code::kIllegalOperation, "Can't rename a collection to itself");
  }
  if (is_reserved_collection(from.collection) || is_reserved_collection(to.collection)) {
    return mongo_error(code::kIllegalOperation, "cannot rename system collections");
  }
  Catalog& catalog = *operation.services.catalog;
  const CollectionPtr source = catalog.find(from.database, from.collection);
  if (!source) {
    return mongo_error(code::kNamespaceNotFound,
                       "Source collection " + from.full() + " does not exist");
  }
  if (source->is_view()) {
    return mongo_error(code::kViewError, "cannot rename view: " + from.full());
  }
  const CollectionPtr target = catalog.find(to.database, to.collection);
  const bson::ValueView drop_target = fields["dropTarget"];
  if (target) {
    const bool may_drop = drop_target.type() == bson::Type::kBinary
                              ? drop_target.get_binary().bytes == target->uuid
                              : drop_target.truthy();
    if (!may_drop) return mongo_error(code::kNamespaceExists, "target namespace exists");
    if (target->is_view()) {
      return mongo_error(code::kNamespaceExists, "a view already exists: " + to.full());
    }
  }
  if (from.database == to.database) {
    RESTITCH_CHECK(catalog.rename(source, to, target));
  } else {
    RESTITCH_CHECK(move_collection(operation.services, source, to, target));
  }
  operation.services.cursors.kill_of_collection(source->ident);
  if (target) operation.services.cursors.kill_of_collection(target->ident);
  return Document();
}

Builder& append_info(Builder& builder, const Collection& collection, bool name_only) {
  builder.append("name", collection.ns.collection);
  builder.append("type", collection.is_view() ? "view" : "collection");
  if (name_only) return builder;
  builder.append("options", collection.options);
  builder.open_object("info");
  builder.append("readOnly", collection.is_view());
  if (!collection.is_view()) builder.append_binary("uuid", 4, collection.uuid);
  builder.close();
  if (!collection.is_view()) builder.append("idIndex", collection.id_index().spec);
  return builder;
}

Result<Document> list_collections(Operation& operation) {
  const Fields fields = operation.fields();
  RESTITCH_TRY(const View filter_spec, fields.object("filter"));
  RESTITCH_TRY(const bool name_only, fields.boolean("nameOnly"));
  RESTITCH_TRY(const View cursor, fields.object("cursor"));
  RESTITCH_TRY(const auto batch_size,
               Fields(cursor, "listCollections.cursor").non_negative("batchSize"));
  const query::CommandContext context;
  RESTITCH_TRY(const query::Filter filter, query::Filter::compile(filter_spec, context));
  std::vector<Document> documents;
  for (const CollectionPtr& collection :
       operation.services.catalog->state()->of_database(operation.database)) {
    if (collection->ns.collection.starts_with("tmp.agg_out.")) continue;
    Builder full;
    append_info(full, *collection, false);
    Document document = std::move(full).finish();
    RESTITCH_TRY(const bool matches, filter.matches(document));
    if (!matches) continue;
    if (name_only) {
      Builder brief;
      append_info(brief, *collection, true);
      document = std::move(brief).finish();
    }
    documents.push_back(std::move(document));
  }
  BatchOptions batch;
  batch.batch_size = batch_size;
  return open_cursor_reply(operation.services.cursors,
                           make_cursor(operation, operation.database + ".$cmd.listCollections",
                                       std::make_unique<ListStream>(std::move(documents))),
                           batch);
}

Result<Document> list_databases(Operation& operation) {
  const Fields fields = operation.fields();
  RESTITCH_TRY(const View filter_spec, fields.object("filter"));
  RESTITCH_TRY(const bool name_only, fields.boolean("nameOnly"));
  const query::CommandContext context;
  RESTITCH_TRY(const query::Filter filter, query::Filter::compile(filter_spec, context));
  const CatalogStatePtr state = operation.services.catalog->state();
  std::vector<std::string> names = state->databases();
  for (const char* internal : {"admin", "config", "local"}) {
    if (std::find(names.begin(), names.end(), internal) == names.end())
      names.emplace_back(internal);
  }
  std::sort(names.begin(), names.end());
  std::int64_t total = 0;
  Builder reply;
  reply.open_array("databases");
  for (const std::string& name : names) {
    if (!may_see_database(operation, name)) continue;
    std::int64_t bytes = 0;
    const auto collections = state->of_database(name);
    for (const CollectionPtr& collection : collections) bytes += collection->counters->bytes.load();
    Builder one;
    one.append("name", name);
    if (!name_only) one.append("sizeOnDisk", bytes).append("empty", collections.empty());
    const Document document = std::move(one).finish();
    RESTITCH_TRY(const bool matches, filter.matches(document));
    if (!matches) continue;
    total += bytes;
    reply.push(document);
  }
  reply.close();
  if (!name_only) {
    reply.append("totalSize", total).append("totalSizeMb", total / (1 << 20));
  }
  return std::move(reply).finish();
}

// ---- collMod

void append_size(Builder& options, std::int64_t size) {
  if (size > INT32_MAX) {
    options.append("size", size);
  } else {
    options.append("size", static_cast<std::int32_t>(size));
  }
}

bool is_disabled_images(std::string_view name, View value) {
  return name == "changeStreamPreAndPostImages" && !value["enabled"].truthy();
}

// The options with some members replaced; an empty object removes one.
Document with_options(View options, View changes) {
  Builder builder;
  for (const bson::Element& element : options) {
    if (!changes.contains(element.name)) builder.append(element.name, element.value);
  }
  for (const bson::Element& element : changes) {
    const auto object = element.value.as_object();
    const bool is_removed =
        object && (object->empty() || is_disabled_images(element.name, *object));
    if (!is_removed) builder.append(element.name, element.value);
  }
  return std::move(builder).finish();
}

Result<IndexPtr> modified_index(const Collection& collection, View request) {
  if (const auto name = request["name"].as_string()) {
    if (IndexPtr index = collection.find_index(*name)) return index;
    return mongo_error(code::kIndexNotFound, "cannot find index " + std::string(*name) +
                                                 " for ns " + collection.full_name);
  }
  const auto key = request["keyPattern"].as_object();
  if (!key) {
    return mongo_error(code::kTypeMismatch,
                       "BSON field 'collMod.index.keyPattern' must be an object");
  }
  for (const IndexPtr& index : collection.indexes) {
    if (bson::equal(index->key.view(), *key)) return index;
  }
  return mongo_error(code::kIndexNotFound, "cannot find index " + bson::to_shell(*key) +
                                               " for ns " + collection.full_name);
}

Status check_index_request(View request) {
  const Fields fields(request, "collMod.index");
  bool changes = false;
  for (const bson::Element& element : request) {
    if (element.name == "name" || element.name == "keyPattern") continue;
    if (element.name != "expireAfterSeconds" && element.name != "hidden" &&
        element.name != "unique" && element.name != "prepareUnique") {
      return mongo_error(40415, "BSON field 'collMod.index." + std::string(element.name) +
                                    "' is an unknown field.");
    }
    changes = true;
  }
  RESTITCH_CHECK(fields.boolean("hidden"));
  RESTITCH_CHECK(fields.boolean("unique"));
  RESTITCH_CHECK(fields.boolean("prepareUnique"));
  if (request.contains("name") && request.contains("keyPattern")) {
    return mongo_error(code::kInvalidOptions, "Cannot specify both key pattern and name.");
  }
  if (!request.contains("name") && !request.contains("keyPattern")) {
    return mongo_error(code::kInvalidOptions, "Must specify either index name or key pattern.");
  }
  if (!changes) {
    return mongo_error(code::kInvalidOptions,
                       "no expireAfterSeconds, hidden, unique, or prepareUnique field");
  }
  return {};
}

Status modify_expiry(const Index& index, bson::ValueView wanted, Builder& reply) {
  const auto value = wanted.as_integer();
  if (!wanted.is_number()) {
    return Fields(View(), "collMod.index").wrong_type("expireAfterSeconds", "safeInt64");
  }
  if (!value || *value < 0 || *value > INT32_MAX) {
    return mongo_error(code::kInvalidOptions,
                       "TTL index 'expireAfterSeconds' option must be within an acceptable range, "
                       "try a different number");
  }
  if (index.fields.size() != 1 || index.is_id()) {
    return mongo_error(code::kInvalidOptions,
                       "TTL indexes are single-field indexes, compound indexes do not support TTL");
  }
  if (index.expire_after_seconds == *value) return {};
  if (index.expire_after_seconds) {
    reply.append("expireAfterSeconds_old", *index.expire_after_seconds);
  }
  reply.append("expireAfterSeconds_new", *value);
  return {};
}

// The specification with what the request changes; the reply gets old and new values.
Result<Document> modified_spec(const Index& index, View request, Builder& reply) {
  Builder spec;
  for (const bson::Element& element : index.spec.view()) {
    if (element.name == "name" || element.name == "key" || !request.contains(element.name)) {
      spec.append(element.name, element.value);
    }
  }
  if (const bson::ValueView seconds = request["expireAfterSeconds"]; !seconds.is_missing()) {
    RESTITCH_CHECK(modify_expiry(index, seconds, reply));
    spec.append("expireAfterSeconds", static_cast<std::int32_t>(*seconds.as_integer()));
  }
  if (const bson::ValueView hidden = request["hidden"]; !hidden.is_missing()) {
    if (index.is_id()) return mongo_error(code::kBadValue, "can't hide _id index");
    if (index.hidden != hidden.truthy()) {
      reply.append("hidden_old", index.hidden).append("hidden_new", hidden.truthy());
    }
    if (hidden.truthy()) spec.append("hidden", true);
  }
  if (const bson::ValueView prepares = request["prepareUnique"]; !prepares.is_missing()) {
    if (index.is_id()) {
      return mongo_error(code::kInvalidOptions, "'prepareUnique' is not valid for the _id index");
    }
    if (index.prepares_unique != prepares.truthy()) {
      reply.append("prepareUnique_old", index.prepares_unique)
          .append("prepareUnique_new", prepares.truthy());
    }
    if (prepares.truthy()) spec.append("prepareUnique", true);
  }
  return std::move(spec).finish();
}

Status modify_index(Operation& operation, const CollectionPtr& collection, View request,
                    Builder& reply) {
  RESTITCH_CHECK(check_index_request(request));
  RESTITCH_TRY(const IndexPtr index, modified_index(*collection, request));
  Builder changed;
  changed.append("index", request);
  if (request.contains("unique")) {
    if (!request["unique"].truthy()) {
      return mongo_error(code::kBadValue, "unique:false is not supported");
    }
    if (index->unique) return {};
    if (!index->prepares_unique) {
      return mongo_error(code::kInvalidOptions,
                         "Cannot make index unique with 'prepareUnique=false'. Run collMod with "
                         "prepareUnique=true first");
    }
    Builder spec;
    for (const bson::Element& element : index->spec.view()) {
      if (element.name != "prepareUnique") spec.append(element.name, element.value);
    }
    spec.append("unique", true);
    RESTITCH_CHECK(make_index_unique(operation.services, collection, index,
                                     std::move(spec).finish(), operation.error_extra));
    reply.append("unique_new", true);
    return {};
  }
  RESTITCH_TRY(const Document spec, modified_spec(*index, request, reply));
  return operation.services.catalog->modify_index(collection, index->name, spec,
                                                  std::move(changed).finish());
}

Result<Document> coll_mod(Operation& operation) {
  RESTITCH_TRY(const Namespace ns, operation.target_namespace());
  const Fields fields = operation.fields();
  CollectionPtr collection = operation.services.catalog->find(ns.database, ns.collection);
  if (!collection) {
    return mongo_error(code::kNamespaceNotFound, "ns does not exist: " + ns.full());
  }
  Builder reply;
  if (fields.has("index")) {
    if (collection->is_view()) {
      return mongo_error(code::kInvalidOptions, "option not supported on a view: index");
    }
    RESTITCH_TRY(const View request, fields.object("index"));
    RESTITCH_CHECK(modify_index(operation, collection, request, reply));
    collection = operation.services.catalog->find(ns.database, ns.collection);
  }
  if (fields.has("expireAfterSeconds")) {
    return mongo_error(code::kInvalidOptions,
                       "'expireAfterSeconds' is only supported on clustered collections");
  }
  Builder changes;
  if (fields.has("validator")) {
    RESTITCH_TRY(const View validator, fields.object("validator"));
    if (!validator.empty()) RESTITCH_CHECK(check_validator(ns, validator));
  }
  for (const char* name : {"validator", "validationLevel", "validationAction", "viewOn", "pipeline",
                           "changeStreamPreAndPostImages"}) {
    changes.append(name, fields[name]);
  }
  if ((fields.has("cappedSize") || fields.has("cappedMax")) && !collection->is_capped) {
    return mongo_error(code::kInvalidOptions, "Collection must be capped.");
  }
  RESTITCH_TRY(const auto capped_size, fields.integer("cappedSize"));
  RESTITCH_TRY(const auto capped_max, fields.integer("cappedMax"));
  if (capped_size) append_size(changes, rounded_capped_size(*capped_size));
  if (capped_max)
    changes.append("max", static_cast<std::int32_t>(std::max<std::int64_t>(*capped_max, 0)));
  const Document changed = std::move(changes).finish();
  if (collection->is_view() && !changed.empty() && !fields.has("viewOn") &&
      !fields.has("pipeline")) {
    return mongo_error(code::kInvalidOptions, "option not supported on a view");
  }
  // A command without any change is a change of its own in the log; one of an index is there
  // already.
  if (changed.empty() && fields.has("index")) return std::move(reply).finish();
  // Its own checks first: what it removes is not among the options below.
  RESTITCH_CHECK(check_image_option(ns, fields));
  const Document options = with_options(collection->options, changed);
  // The same checks as at the creation; the collation is complete already and stays.
  RESTITCH_CHECK(parse_create_options(ns, options));
  RESTITCH_CHECK(operation.services.catalog->modify(collection, options, changed));
  return std::move(reply).finish();
}

// ---- convertToCapped

// Evicts what a collection that has become capped holds too much of, in units of bounded size.
Status evict_excess(Operation& operation, const Namespace& ns) {
  for (;;) {
    WriterPin pin = operation.services.catalog->pin_for_write(ns.full());
    if (!pin.collection()) return {};
    auto unit = std::make_unique<WriteUnit>(
        operation.services.engine->begin(storage::Transaction::Mode::kLatest));
    const Collection& collection = unit->keep(std::move(pin));
    RecordWriter writer(*operation.services.engine, collection, *unit, operation.error_extra);
    RESTITCH_CHECK(writer.trim_capped());
    if (!unit->has_writes()) return {};
    RESTITCH_CHECK(wait_for_commit(*operation.services.engine, std::move(unit),
                                   storage::Durability::kJournaled));
  }
}

// The documents stay where they are: they are in insertion order already.
Result<Document> convert_to_capped(Operation& operation) {
  RESTITCH_TRY(const Namespace ns, operation.target_namespace());
  const Fields fields = operation.fields();
  RESTITCH_TRY(const auto size, fields.integer("size"));
  if (!size || *size < 1) {
    return mongo_error(code::kInvalidOptions, "Capped collection size must be greater than zero");
  }
  Catalog& catalog = *operation.services.catalog;
  CollectionPtr collection = catalog.find(ns.database, ns.collection);
  if (!collection) {
    return mongo_error(code::kNamespaceNotFound,
                       "source collection " + ns.full() + " does not exist");
  }
  if (collection->is_view()) {
    return mongo_error(code::kViewError, "cannot convert a view to a capped collection");
  }
  std::vector<std::string> names;
  for (const IndexPtr& index : collection->indexes) {
    if (!index->is_id() && !index->is_building) names.push_back(index->name);
  }
  if (!names.empty()) {
    RESTITCH_CHECK(catalog.drop_indexes(collection, names));
    collection = catalog.find(ns.database, ns.collection);
  }
  Builder changes;
  changes.append("capped", true);
  append_size(changes, rounded_capped_size(*size));
  const Document changed = std::move(changes).finish();
  const Document options = with_options(collection->options, changed);
  RESTITCH_CHECK(parse_create_options(ns, options));
  RESTITCH_CHECK(catalog.modify(collection, options, changed));
  RESTITCH_CHECK(evict_excess(operation, ns));
  return Document();
}

}  // namespace

std::span<const CommandSpec> catalog_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "create",
       .flags = kInTransaction,
       .async = create,
       .fields = "capped size max validator validationLevel validationAction collation viewOn "
                 "pipeline timeseries expireAfterSeconds clusteredIndex "
                 "changeStreamPreAndPostImages storageEngine indexOptionDefaults idIndex "
                 "encryptedFields autoIndexId flags temp"},
      {.name = "drop", .async = on_schema_thread<drop>, .fields = "collectionUUID"},
      {.name = "dropDatabase", .async = on_schema_thread<drop_database>},
      {.name = "renameCollection",
       .flags = kAdminOnly,
       .async = on_schema_thread<rename_collection>,
       .fields = "to dropTarget stayTemp collectionUUID"},
      {.name = "collMod",
       .async = on_schema_thread<coll_mod>,
       .fields = "index validator validationLevel validationAction viewOn pipeline "
                 "changeStreamPreAndPostImages cappedSize cappedMax expireAfterSeconds "
                 "timeseries dryRun"},
      {.name = "convertToCapped", .async = on_schema_thread<convert_to_capped>, .fields = "size"},
      {.name = "listCollections",
       .read = list_collections,
       .fields = "filter nameOnly authorizedCollections cursor"},
      {.name = "listDatabases",
       .flags = kAdminOnly,
       .read = list_databases,
       .fields = "filter nameOnly authorizedDatabases"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
