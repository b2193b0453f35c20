#include "datasource/client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <random>

namespace restitch::datasource {

namespace {

using bson::Builder;
using bson::Document;
using bson::Value;
using bson::ValueView;
using bson::View;

std::string random_uuid() {
  thread_local std::random_device device;
  std::string bytes(16, '\0');
  for (char& byte : bytes) byte = static_cast<char>(device() & 0xFFU);
  bytes[6] = static_cast<char>((static_cast<unsigned char>(bytes[6]) & 0x0FU) | 0x40U);
  bytes[8] = static_cast<char>((static_cast<unsigned char>(bytes[8]) & 0x3FU) | 0x80U);
  return bytes;
}

bool has_label(View reply, std::string_view label) {
  const auto labels = reply["errorLabels"].as_array();
  if (!labels) return false;
  for (const bson::Element& element : *labels) {
    if (element.value.as_string() == label) return true;
  }
  return false;
}

void append_if_any(Builder& builder, std::string_view name, View document) {
  if (!document.empty()) builder.append(name, document);
}

void append_array_if_any(Builder& builder, std::string_view name, View array) {
  if (!array.empty()) builder.append_array(name, array);
}

Task<Document> run_built(DataSource* source, std::string database, Document command,
                         CallOptions options) {
  RESTITCH_CO_TRY(Document reply,
                  co_await source->run(database, std::move(command), options.deadline));
  if (options.transaction != nullptr) options.transaction->observe(reply);
  if (auto error = error_of_reply(reply)) co_return std::move(*error);
  co_return reply;
}

Document finished(Builder builder, const CallOptions& options, bool is_write = false) {
  if (options.transaction != nullptr) {
    options.transaction->decorate(builder);
  } else if (is_write && options.relaxed_durability) {
    builder.open_object("writeConcern");
    builder.append("w", std::int32_t{1});
    builder.close();
  }
  return std::move(builder).finish();
}

Builder find_command(const std::string& collection, View filter, const FindOptions& find) {
  Builder builder;
  builder.append("find", collection);
  builder.append("filter", filter);
  append_if_any(builder, "projection", find.projection);
  append_if_any(builder, "sort", find.sort);
  if (find.skip != 0) builder.append("skip", find.skip);
  if (find.limit != 0) builder.append("limit", find.limit);
  if (find.batch_size != 0) builder.append("batchSize", find.batch_size);
  append_if_any(builder, "collation", find.collation);
  builder.append("hint", find.hint);
  return builder;
}

Task<std::optional<Document>> first_of_batch(DataSource* source, std::string database,
                                             Document command, CallOptions options) {
  RESTITCH_CO_TRY(Document reply,
                  co_await run_built(source, std::move(database), std::move(command), options));
  const auto cursor = reply["cursor"].as_object();
  const auto batch = cursor ? (*cursor)["firstBatch"].as_array() : std::nullopt;
  if (!batch || batch->empty()) co_return std::optional<Document>();
  co_return std::optional<Document>(Document(batch->begin()->value.get_document()));
}

Task<Cursor> open_cursor(DataSource* source, std::string database, std::string collection,
                         Document command, CallOptions options, std::int32_t batch_size) {
  RESTITCH_CO_TRY(Document reply,
                  co_await run_built(source, database, std::move(command), options));
  co_return Cursor(*source, std::move(database), std::move(collection), std::move(reply), options,
                   batch_size);
}

Task<std::vector<Document>> all_of(DataSource* source, std::string database, std::string collection,
                                   Document command, CallOptions options) {
  RESTITCH_CO_TRY(Cursor cursor,
                  co_await open_cursor(source, std::move(database), std::move(collection),
                                       std::move(command), options, 0));
  std::vector<Document> documents;
  for (;;) {
    RESTITCH_CO_TRY(std::vector<Document> batch, co_await cursor.next_batch());
    if (batch.empty()) break;
    if (documents.empty()) {
      documents = std::move(batch);
    } else {
      for (Document& document : batch) documents.push_back(std::move(document));
    }
  }
  co_return documents;
}

Task<std::int64_t> count_of(DataSource* source, std::string database, Document command,
                            CallOptions options) {
  RESTITCH_CO_TRY(std::vector<Document> groups,
                  co_await all_of(source, std::move(database), "", std::move(command), options));
  co_return groups.empty() ? std::int64_t{0} : groups.front()["n"].as_integer().value_or(0);
}

Task<Value> insert_of(DataSource* source, std::string database, Document command, Value id,
                      CallOptions options) {
  RESTITCH_CO_CHECK(co_await run_built(source, std::move(database), std::move(command), options));
  co_return id;
}

Task<std::vector<Value>> insert_all(DataSource* source, std::string database,
                                    std::vector<Document> commands, std::vector<Value> ids,
                                    CallOptions options) {
  for (Document& command : commands) {
    RESTITCH_CO_CHECK(co_await run_built(source, database, std::move(command), options));
  }
  co_return ids;
}

Task<UpdateResult> update_of(DataSource* source, std::string database, Document command,
                             CallOptions options) {
  RESTITCH_CO_TRY(Document reply,
                  co_await run_built(source, std::move(database), std::move(command), options));
  UpdateResult result;
  result.matched = reply["n"].as_integer().value_or(0);
  result.modified = reply["nModified"].as_integer().value_or(0);
  if (const auto upserted = reply["upserted"].as_array(); upserted && !upserted->empty()) {
    if (const auto first = upserted->begin()->value.as_object()) {
      result.upserted_id = Value((*first)["_id"]);
      --result.matched;
    }
  }
  co_return result;
}

Task<std::optional<Document>> modified_of(DataSource* source, std::string database,
                                          Document command, CallOptions options) {
  RESTITCH_CO_TRY(Document reply,
                  co_await run_built(source, std::move(database), std::move(command), options));
  const auto value = reply["value"].as_object();
  if (!value) co_return std::optional<Document>();
  co_return std::optional<Document>(Document(*value));
}

Task<std::int64_t> deleted_of(DataSource* source, std::string database, Document command,
                              CallOptions options) {
  RESTITCH_CO_TRY(Document reply,
                  co_await run_built(source, std::move(database), std::move(command), options));
  co_return reply["n"].as_integer().value_or(0);
}

Task<void> nothing_of(DataSource* source, std::string database, Document command,
                      CallOptions options, int tolerated_code) {
  auto reply = co_await run_built(source, std::move(database), std::move(command), options);
  if (!reply && reply.error().mongo_code() != tolerated_code) co_return std::move(reply).error();
  co_return Status();
}

Document update_command(const std::string& collection, View filter, ValueView update, bool multi,
                        const UpdateOptions& update_options, const CallOptions& options) {
  Builder builder;
  builder.append("update", collection);
  builder.open_array("updates");
  builder.push_object();
  builder.append("q", filter);
  builder.append("u", update);
  if (multi) builder.append("multi", true);
  if (update_options.upsert) builder.append("upsert", true);
  append_array_if_any(builder, "arrayFilters", update_options.array_filters);
  append_if_any(builder, "collation", update_options.collation);
  builder.close().close();
  return finished(std::move(builder), options, true);
}

Document delete_command(const std::string& collection, View filter, std::int32_t limit,
                        const CallOptions& options) {
  Builder builder;
  builder.append("delete", collection);
  builder.open_array("deletes");
  builder.push_object();
  builder.append("q", filter);
  builder.append("limit", limit);
  builder.close().close();
  return finished(std::move(builder), options, true);
}

ValueView object_value(View view) { return {bson::Type::kObject, view.data(), view.size()}; }

// The document with an _id in front; the id is written to `id`.
void push_with_id(Builder& builder, View document, Value& id) {
  if (const ValueView present = document["_id"]; !present.is_missing()) {
    id = Value(present);
    builder.push(document);
    return;
  }
  const bson::ObjectId generated = bson::ObjectId::generate();
  id = Value::of(generated);
  builder.push_object();
  builder.append("_id", generated);
  builder.append_all(document);
  builder.close();
}

std::string default_index_name(View keys) {
  std::string name;
  for (const bson::Element& element : keys) {
    if (!name.empty()) name += '_';
    name += element.name;
    name += '_';
    if (const auto text = element.value.as_string()) {
      name += *text;
    } else {
      name += std::to_string(element.value.as_integer().value_or(1));
    }
  }
  return name;
}

constexpr std::size_t kInsertBatchBytes = 12U << 20U;
constexpr std::size_t kInsertBatchCount = 10'000;

}  // namespace

Task<Document> run_command(DataSource& source, std::string_view database, Builder builder,
                           CallOptions options) {
  return run_built(&source, std::string(database), finished(std::move(builder), options), options);
}

// ---- ClientTransaction

ClientTransaction::ClientTransaction(DataSource& source)
    : source_(&source), session_(random_uuid()) {}

void ClientTransaction::decorate(Builder& command) {
  command.open_object("lsid");
  command.append_binary("id", 4, session_);
  command.close();
  command.append("txnNumber", number_);
  command.append("autocommit", false);
  if (!has_started_) command.append("startTransaction", true);
  has_started_ = true;
}

void ClientTransaction::observe(View reply) {
  is_transient_ = has_label(reply, "TransientTransactionError");
  is_commit_unknown_ =
      has_label(reply, "RetryableWriteError") || has_label(reply, "UnknownTransactionCommitResult");
}

Task<void> ClientTransaction::end(const char* name, Deadline deadline) {
  Builder command;
  command.append(name, std::int32_t{1});
  decorate(command);
  RESTITCH_CO_TRY(Document reply,
                  co_await source_->run("admin", std::move(command).finish(), deadline));
  observe(reply);
  if (auto error = error_of_reply(reply)) co_return std::move(*error);
  co_return Status();
}

Task<void> ClientTransaction::commit(Deadline deadline) {
  if (!has_started_) co_return Status();
  auto ended = co_await end("commitTransaction", deadline);
  co_return ended;
}

Task<void> ClientTransaction::abort(Deadline deadline) {
  if (!has_started_) co_return Status();
  constexpr int kNoSuchTransaction = 251;
  auto ended = co_await end("abortTransaction", deadline);
  if (!ended && ended.error().mongo_code() != kNoSuchTransaction) co_return ended;
  co_return Status();
}

void ClientTransaction::restart() {
  ++number_;
  has_started_ = false;
  is_transient_ = false;
  is_commit_unknown_ = false;
}

// ---- Cursor

Cursor::Cursor(DataSource& source, std::string database, std::string collection,
               Document first_reply, CallOptions options, std::int32_t batch_size)
    : source_(&source),
      database_(std::move(database)),
      collection_(std::move(collection)),
      reply_(std::move(first_reply)),
      options_(options),
      batch_size_(batch_size),
      has_buffered_(true) {
  const auto cursor = reply_["cursor"].as_object();
  if (!cursor) return;
  id_ = (*cursor)["id"].as_integer().value_or(0);
  // The namespace of getMore is the one the cursor reports: database and collection.
  if (const auto ns = (*cursor)["ns"].as_string()) {
    const std::size_t dot = ns->find('.');
    if (dot != std::string_view::npos) collection_ = std::string(ns->substr(dot + 1));
  }
}

Task<std::vector<Document>> Cursor::next_batch() {
  for (;;) {
    if (!has_buffered_) {
      if (id_ == 0) co_return std::vector<Document>();
      Builder builder;
      builder.append("getMore", id_);
      builder.append("collection", collection_);
      if (batch_size_ != 0) builder.append("batchSize", batch_size_);
      RESTITCH_CO_TRY(reply_, co_await run_built(source_, database_,
                                                 finished(std::move(builder), options_), options_));
      const auto next = reply_["cursor"].as_object();
      id_ = next ? (*next)["id"].as_integer().value_or(0) : 0;
      has_buffered_ = true;
    }
    has_buffered_ = false;
    std::vector<Document> documents;
    const auto cursor = reply_["cursor"].as_object();
    auto batch = cursor ? (*cursor)["firstBatch"].as_array() : std::nullopt;
    if (!batch && cursor) batch = (*cursor)["nextBatch"].as_array();
    if (batch) {
      for (const bson::Element& element : *batch) {
        documents.emplace_back(element.value.get_document());
      }
    }
    reply_ = Document();
    if (!documents.empty()) co_return documents;
  }
}

Task<void> Cursor::close() {
  const std::int64_t id = std::exchange(id_, 0);
  has_buffered_ = false;
  if (id == 0) co_return Status();
  Builder builder;
  builder.append("killCursors", collection_);
  builder.open_array("cursors");
  builder.push(id);
  builder.close();
  RESTITCH_CO_CHECK(
      co_await run_built(source_, database_, finished(std::move(builder), options_), options_));
  co_return Status();
}

// ---- Collection

Task<std::optional<Document>> Collection::find_one(View filter, FindOptions find,
                                                   CallOptions options) const {
  find.limit = 1;
  Builder builder = find_command(name_, filter, find);
  builder.append("singleBatch", true);
  return first_of_batch(source_, database_, finished(std::move(builder), options), options);
}

Task<std::vector<Document>> Collection::find(View filter, FindOptions find,
                                             CallOptions options) const {
  return all_of(source_, database_, name_, finished(find_command(name_, filter, find), options),
                options);
}

Task<Cursor> Collection::open(View filter, FindOptions find, CallOptions options) const {
  return open_cursor(source_, database_, name_,
                     finished(find_command(name_, filter, find), options), options,
                     find.batch_size);
}

Task<std::vector<Document>> Collection::aggregate(View pipeline, CallOptions options) const {
  Builder builder;
  builder.append("aggregate", name_).append_array("pipeline", pipeline);
  builder.append("cursor", View());
  return all_of(source_, database_, name_, finished(std::move(builder), options), options);
}

Task<Cursor> Collection::open_aggregate(View pipeline, std::int32_t batch_size,
                                        CallOptions options) const {
  Builder builder;
  builder.append("aggregate", name_).append_array("pipeline", pipeline);
  builder.open_object("cursor");
  if (batch_size != 0) builder.append("batchSize", batch_size);
  builder.close();
  return open_cursor(source_, database_, name_, finished(std::move(builder), options), options,
                     batch_size);
}

Task<std::int64_t> Collection::count(View filter, CallOptions options) const {
  Builder builder;
  builder.append("aggregate", name_);
  builder.open_array("pipeline");
  builder.push_object();
  builder.append("$match", filter);
  builder.close();
  builder.push_object();
  builder.append("$count", "n");
  builder.close().close();
  builder.append("cursor", View());
  return count_of(source_, database_, finished(std::move(builder), options), options);
}

Task<Value> Collection::insert_one(View document, CallOptions options) const {
  Value id;
  Builder builder;
  builder.append("insert", name_);
  builder.open_array("documents");
  push_with_id(builder, document, id);
  builder.close();
  return insert_of(source_, database_, finished(std::move(builder), options, true), std::move(id),
                   options);
}

Task<std::vector<Value>> Collection::insert_many(const std::vector<Document>& documents,
                                                 CallOptions options) const {
  std::vector<Document> commands;
  std::vector<Value> ids(documents.size());
  for (std::size_t at = 0; at < documents.size();) {
    Builder builder;
    builder.append("insert", name_);
    builder.open_array("documents");
    const std::size_t first = at;
    do {
      push_with_id(builder, documents[at], ids[at]);
      ++at;
    } while (at < documents.size() && at - first < kInsertBatchCount &&
             builder.size() + documents[at].bytes().size() < kInsertBatchBytes);
    builder.close();
    commands.push_back(finished(std::move(builder), options, true));
  }
  return insert_all(source_, database_, std::move(commands), std::move(ids), options);
}

Task<UpdateResult> Collection::update_one(View filter, ValueView update,
                                          UpdateOptions update_options, CallOptions options) const {
  return update_of(source_, database_,
                   update_command(name_, filter, update, false, update_options, options), options);
}

Task<UpdateResult> Collection::update_one(View filter, View update, UpdateOptions update_options,
                                          CallOptions options) const {
  return update_one(filter, object_value(update), std::move(update_options), options);
}

Task<UpdateResult> Collection::update_many(View filter, ValueView update,
                                           UpdateOptions update_options,
                                           CallOptions options) const {
  return update_of(source_, database_,
                   update_command(name_, filter, update, true, update_options, options), options);
}

Task<UpdateResult> Collection::update_many(View filter, View update, UpdateOptions update_options,
                                           CallOptions options) const {
  return update_many(filter, object_value(update), std::move(update_options), options);
}

Task<UpdateResult> Collection::replace_one(View filter, View replacement,
                                           UpdateOptions update_options,
                                           CallOptions options) const {
  return update_one(filter, object_value(replacement), std::move(update_options), options);
}

Task<std::optional<Document>> Collection::find_one_and_update(View filter, View update,
                                                              FindAndModifyOptions modify,
                                                              CallOptions options) const {
  Builder builder;
  builder.append("findAndModify", name_).append("query", filter);
  append_if_any(builder, "sort", modify.sort);
  builder.append("update", update);
  if (modify.return_new) builder.append("new", true);
  if (modify.upsert) builder.append("upsert", true);
  append_if_any(builder, "fields", modify.projection);
  append_array_if_any(builder, "arrayFilters", modify.array_filters);
  append_if_any(builder, "collation", modify.collation);
  return modified_of(source_, database_, finished(std::move(builder), options, true), options);
}

Task<std::optional<Document>> Collection::find_one_and_delete(View filter,
                                                              FindAndModifyOptions modify,
                                                              CallOptions options) const {
  Builder builder;
  builder.append("findAndModify", name_).append("query", filter);
  append_if_any(builder, "sort", modify.sort);
  builder.append("remove", true);
  append_if_any(builder, "fields", modify.projection);
  append_if_any(builder, "collation", modify.collation);
  return modified_of(source_, database_, finished(std::move(builder), options, true), options);
}

Task<std::int64_t> Collection::delete_one(View filter, CallOptions options) const {
  return deleted_of(source_, database_, delete_command(name_, filter, 1, options), options);
}

Task<std::int64_t> Collection::delete_many(View filter, CallOptions options) const {
  return deleted_of(source_, database_, delete_command(name_, filter, 0, options), options);
}

Task<void> Collection::ensure_index(View keys, IndexOptions index, CallOptions options) const {
  Builder builder;
  builder.append("createIndexes", name_);
  builder.open_array("indexes");
  builder.push_object();
  builder.append("key", keys);
  builder.append("name", index.name.empty() ? default_index_name(keys) : index.name);
  if (index.unique) builder.append("unique", true);
  if (index.sparse) builder.append("sparse", true);
  append_if_any(builder, "partialFilterExpression", index.partial_filter);
  if (index.expire_after_seconds) {
    builder.append("expireAfterSeconds", *index.expire_after_seconds);
  }
  builder.close().close();
  return nothing_of(source_, database_, finished(std::move(builder), options), options, 0);
}

Task<void> Collection::drop(CallOptions options) const {
  constexpr int kNamespaceNotFound = 26;
  Builder builder;
  builder.append("drop", name_);
  return nothing_of(source_, database_, finished(std::move(builder), options), options,
                    kNamespaceNotFound);
}

namespace detail {

Task<void> wait_before_retry(int attempt) {
  thread_local std::minstd_rand random{std::random_device{}()};
  constexpr int kLongestMillis = 100;
  const int ceiling = std::min(kLongestMillis, 1 << std::min(attempt, 7));
  const auto delay = std::chrono::microseconds(
      std::uniform_int_distribution<int>(ceiling * 250, ceiling * 1000)(random));
  asio::steady_timer timer(co_await asio::this_coro::executor, delay);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return Status();
}

}  // namespace detail

}  // namespace restitch::datasource
