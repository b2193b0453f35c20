#include "datasource/embedded/catalog.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/commands/reads.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/index_keys.h"
#include "datasource/embedded/services.h"
#include "datasource/embedded/tail_stream.h"
#include "datasource/embedded/users/access.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::int64_t kDefaultBatch = 101;

std::string namespace_text(const Operation& operation, std::string_view collection) {
  return operation.database + "." + std::string(collection);
}

// Names of the fields of a find that a plain look-up by _id may carry.
bool is_plain_field(std::string_view name) {
  return name == "find" || name == "filter" || name == "limit" || name == "singleBatch" ||
         name == "batchSize" || name == "$db" || name == "lsid" || name == "$clusterTime" ||
         name == "$readPreference" || name == "readConcern";
}

// The short path of find {_id: value}: no filter, plan or cursor is made. Nothing when the command
// is another.
Result<std::optional<Document>> find_by_id(Operation& operation, const CollectionPtr& collection,
                                           std::string_view ns) {
  if (operation.in_transaction() || operation.pinned() || collection->is_view() ||
      collection->collation) {
    return std::optional<Document>();
  }
  bson::ValueView id;
  for (const bson::Element& element : operation.command.view()) {
    if (!is_plain_field(element.name)) return std::optional<Document>();
    if (element.name == "limit" || element.name == "batchSize") {
      const auto number = element.value.as_integer();
      if (!number || *number < 1) return std::optional<Document>();
    }
    if (element.name != "filter") continue;
    const auto filter = element.value.as_object();
    if (!filter || filter->empty()) return std::optional<Document>();
    auto first = filter->begin();
    if (first->name != "_id") return std::optional<Document>();
    id = first->value;
    if (++first != filter->end()) return std::optional<Document>();
  }
  switch (id.type()) {
    case bson::Type::kObjectId:
    case bson::Type::kString:
    case bson::Type::kInt32:
    case bson::Type::kInt64:
    case bson::Type::kBinary:
    case bson::Type::kDate:
      break;
    default:
      return std::optional<Document>();
  }
  const Index& index = collection->id_index();
  std::string key;
  append_index_value(index.fields.front(), nullptr, id, key, nullptr);
  const storage::Reader& reader = operation.reader();
  std::string bytes;
  RESTITCH_TRY(const auto record,
               reader.keyed_record(index.ident, key, collection->ident, operation.tier, bytes));
  ++index.runtime->uses;
  Builder reply;
  reply.open_object("cursor");
  reply.open_array("firstBatch");
  if (record) reply.push(View(reinterpret_cast<const std::uint8_t*>(bytes.data())));
  reply.close();
  reply.append("id", std::int64_t{0});
  reply.append("ns", ns);
  reply.close();
  return std::optional<Document>(std::move(reply).finish());
}

// Parse errors of MongoDB's numeric options of find that are checked outside its request parser.
Result<bool> check_tailable(const Fields& fields, const Collection* collection) {
  RESTITCH_TRY(const bool is_tailable, fields.boolean("tailable"));
  RESTITCH_TRY(const bool awaits, fields.boolean("awaitData"));
  if (awaits && !is_tailable) {
    return mongo_error(code::kFailedToParse,
                       "Cannot set 'awaitData' without also setting 'tailable'");
  }
  if (!is_tailable) return false;
  RESTITCH_TRY(const bool is_single, fields.boolean("singleBatch"));
  if (is_single) {
    return mongo_error(code::kBadValue, "cannot use tailable option with the 'singleBatch' option");
  }
  const View sort = fields["sort"].as_object().value_or(View());
  if (!sort.empty() && (sort.count() != 1 || sort["$natural"].as_integer() != 1)) {
    return mongo_error(code::kBadValue,
                       "cannot use tailable option with a sort other than {$natural: 1}");
  }
  if (collection != nullptr && !collection->is_capped) {
    return mongo_error(code::kBadValue, "error processing query: ns=" + collection->full_name +
                                            " tailable cursor requested on non capped collection");
  }
  return collection != nullptr;
}

}  // namespace

Error with_prefix(Error error, std::string_view prefix) {
  if (error.mongo_code() == 0 || error.code() == ErrorCode::kWriteConflict ||
      error.mongo_code() == code::kMaxTimeExpired) {
    return error;
  }
  return Error(error.code(), error.mongo_code(), std::string(prefix) + error.message());
}

std::unique_ptr<ClientCursor> make_cursor(const Operation& operation, std::string ns,
                                          std::unique_ptr<ResultStream> stream) {
  auto cursor = std::make_unique<ClientCursor>();
  cursor->ns = std::move(ns);
  cursor->session = operation.session_request.id;
  cursor->snapshot = operation.pinned();
  if (operation.in_transaction()) cursor->txn_number = operation.session_request.txn_number;
  cursor->command_name = std::string(operation.spec->name);
  cursor->owner = owner_of(operation);
  cursor->stream = std::move(stream);
  return cursor;
}

void read_from(Operation& operation, FindRequest& request) {
  request.reader = &operation.reader();
  request.read_time = request.reader->cluster_time();
  request.tier = operation.tier;
}

void attach_stream(Operation& operation, ResultStream& stream) {
  const storage::Reader& reader = operation.reader();
  stream.attach(reader, operation.in_transaction() ? nullptr : operation.snapshot(), operation.tier,
                operation.inline_budget());
}

Result<ParsedFind> parse_find(Operation& operation) {
  const Fields fields = operation.fields();
  ParsedFind parsed;
  RESTITCH_TRY(parsed.request.filter, fields.object("filter"));
  RESTITCH_TRY(parsed.request.projection, fields.object("projection"));
  RESTITCH_TRY(parsed.request.sort, fields.object("sort"));
  RESTITCH_TRY(parsed.request.min, fields.object("min"));
  RESTITCH_TRY(parsed.request.max, fields.object("max"));
  parsed.request.hint = fields["hint"];
  RESTITCH_TRY(const auto skip, fields.non_negative("skip"));
  parsed.request.skip = skip.value_or(0);
  RESTITCH_TRY(const auto limit, fields.non_negative("limit"));
  if (limit && *limit > 0) parsed.request.limit = limit;
  RESTITCH_TRY(parsed.batch_size, fields.non_negative("batchSize"));
  RESTITCH_TRY(parsed.is_single_batch, fields.boolean("singleBatch"));
  RESTITCH_TRY(parsed.has_no_timeout, fields.boolean("noCursorTimeout"));
  RESTITCH_TRY(parsed.request.returns_key, fields.boolean("returnKey"));
  RESTITCH_TRY(parsed.request.shows_record_id, fields.boolean("showRecordId"));
  RESTITCH_CHECK(fields.boolean("allowDiskUse"));
  RESTITCH_CHECK(fields.object("let"));
  return parsed;
}

Result<Document> run_find(Operation& operation) {
  RESTITCH_TRY(const std::string name, operation.collection_name());
  ++operation.services.queries;
  // The snapshot comes before the plan: what it holds is then known to the indexes' marks.
  operation.reader();
  RESTITCH_TRY(const CollectionPtr collection, operation.find_collection(operation.database, name));
  const std::string ns = namespace_text(operation, name);
  if (collection) {
    RESTITCH_TRY(auto found, find_by_id(operation, collection, ns));
    if (found) return std::move(*found);
  }
  RESTITCH_TRY(ParsedFind parsed, parse_find(operation));
  read_from(operation, parsed.request);
  if (operation.in_transaction() && operation.fields()["tailable"].truthy()) {
    return mongo_error(code::kInvalidOptions,
                       "Tailable cursors are not allowed in multi-document transactions.");
  }
  RESTITCH_TRY(const bool is_tailable, check_tailable(operation.fields(), collection.get()));
  if (collection && collection->is_view()) return run_find_on_view(operation, collection);

  auto context = std::make_unique<query::CommandContext>();
  RESTITCH_CHECK(operation.fill_context(*context, collection.get()));
  std::unique_ptr<ResultStream> stream;
  const bool awaits = is_tailable && operation.fields()["awaitData"].truthy();
  if (is_tailable) {
    RESTITCH_TRY(stream, TailStream::make(operation.services, collection, parsed.request,
                                          std::move(context), awaits));
  } else {
    RESTITCH_TRY(stream, FindStream::make(collection, parsed.request, std::move(context)));
  }
  attach_stream(operation, *stream);
  auto cursor = make_cursor(operation, ns, std::move(stream));
  if (awaits) cursor->wakeup = std::make_shared<Wakeup>();
  cursor->has_no_timeout = parsed.has_no_timeout;
  if (collection) cursor->collection = collection->ident;
  BatchOptions options;
  options.batch_size = parsed.batch_size.value_or(kDefaultBatch);
  if (parsed.is_single_batch && !parsed.batch_size) options.batch_size.reset();
  options.is_single = parsed.is_single_batch;
  options.summary = &operation.summary;
  auto reply = open_cursor_reply(operation.services.cursors, std::move(cursor), options);
  if (!reply) return with_prefix(std::move(reply).error(), kFindPrefix);
  return reply;
}

Result<Document> run_count(Operation& operation) {
  RESTITCH_TRY(const std::string name, operation.collection_name());
  ++operation.services.queries;
  const Fields fields = operation.fields();
  RESTITCH_TRY(const View query, fields.object("query"));
  RESTITCH_TRY(auto limit, fields.integer("limit"));
  RESTITCH_TRY(const auto skip, fields.non_negative("skip"));
  if (limit && *limit < 0) limit = -*limit;
  operation.reader();
  RESTITCH_TRY(const CollectionPtr collection, operation.find_collection(operation.database, name));
  if (collection && collection->is_view()) return run_count_on_view(operation, collection);
  std::int64_t count = 0;
  if (query.empty() && fields["hint"].is_missing()) {
    count = collection ? collection->counters->count.load() : 0;
    count = std::max<std::int64_t>(0, count - skip.value_or(0));
    if (limit && *limit > 0) count = std::min(count, *limit);
  } else {
    auto context = std::make_unique<query::CommandContext>();
    RESTITCH_CHECK(operation.fill_context(*context, collection.get()));
    FindRequest request;
    request.filter = query;
    request.hint = fields["hint"];
    request.skip = skip.value_or(0);
    if (limit && *limit > 0) request.limit = limit;
    request.counts_only = true;
    read_from(operation, request);
    RESTITCH_TRY(auto stream, FindStream::make(collection, request, std::move(context)));
    attach_stream(operation, *stream);
    for (;;) {
      RESTITCH_TRY(const bool found, stream->next());
      if (!found) break;
      ++count;
    }
  }
  Builder reply;
  if (count <= INT32_MAX) {
    reply.append("n", static_cast<std::int32_t>(count));
  } else {
    reply.append("n", count);
  }
  return std::move(reply).finish();
}

}  // namespace restitch::datasource::embedded
