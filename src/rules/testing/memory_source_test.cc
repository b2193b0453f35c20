#include "rules/testing/memory_source.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "bson/compare.h"
#include "bson/extended_json.h"
#include "query/filter/filter.h"
#include "query/pipeline/pipeline.h"
#include "query/projection.h"
#include "query/sort.h"
#include "query/update/update.h"

namespace restitch::rules::testing {
namespace {

constexpr std::int64_t kDefaultBatch = 101;

bson::Document error_reply(int code, const std::string& text, bool is_transient = false) {
  bson::Builder builder;
  builder.append("ok", 0.0).append("code", std::int32_t{code}).append("errmsg", text);
  if (is_transient) builder.open_array("errorLabels").push("TransientTransactionError").close();
  return std::move(builder).finish();
}

bson::Document error_reply(const Error& error) {
  return error_reply(error.mongo_code() != 0 ? error.mongo_code() : 2, error.message());
}

bson::View object(bson::ValueView value) { return value.as_object().value_or(bson::View()); }
bson::View array(bson::ValueView value) { return value.as_array().value_or(bson::View()); }
std::int64_t integer(bson::ValueView value) { return value.as_integer().value_or(0); }

class Stream : public query::DocumentStream {
 public:
  explicit Stream(std::vector<bson::Document> documents) : documents_(std::move(documents)) {}
  Result<std::optional<bson::Document>> next() override {
    if (at_ == documents_.size()) return std::optional<bson::Document>();
    return std::optional<bson::Document>(documents_[at_++]);
  }

 private:
  std::vector<bson::Document> documents_;
  std::size_t at_ = 0;
};

class Environment : public query::PipelineEnvironment {
 public:
  Result<query::DocumentStreamPtr> open(std::string_view, std::string_view, bson::View) override {
    return mongo_error(40324, "not here");
  }
  Status out(std::string_view, std::string_view, query::DocumentStream&) override {
    return mongo_error(40324, "not here");
  }
  Status merge(const query::MergeSpec&, bson::View, bson::View) override {
    return mongo_error(40324, "not here");
  }
  Result<std::vector<bson::Document>> statistics(std::string_view, bson::View) override {
    return mongo_error(40324, "not here");
  }
};

std::string transaction_key(bson::View command) {
  const auto session = command["lsid"].as_object();
  if (!session || command["txnNumber"].is_missing()) return {};
  return bson::to_json((*session)["id"]) + "/" + std::to_string(integer(command["txnNumber"]));
}

bson::Document ok() { return bson::make_document("ok", 1.0); }

}  // namespace

void MemorySource::put(const std::string& ns, bson::View document) {
  auto prepared = query::prepare_for_insert(document, bson::Timestamp{});
  state_[ns].push_back({std::move(prepared).value(), next_version_++});
}

std::vector<bson::Document> MemorySource::documents(const std::string& ns) const {
  std::vector<bson::Document> documents;
  const auto it = state_.find(ns);
  if (it == state_.end()) return documents;
  for (const Stored& stored : it->second) documents.push_back(stored.document);
  return documents;
}

Task<bson::Document> MemorySource::run(std::string_view database, bson::Document command,
                                       datasource::Deadline) {
  const bson::Element first = *command.view().begin();
  const std::string name(first.name);
  if (before_command) before_command(name);
  const std::string key = transaction_key(command);
  if (name == "commitTransaction") co_return end_transaction(key, true);
  if (name == "abortTransaction") co_return end_transaction(key, false);
  Call call;
  call.command = command;
  call.context.now = bson::Date{0};
  call.ns = std::string(database) + "." + std::string(first.value.as_string().value_or(""));
  if (!key.empty()) {
    if (command["startTransaction"].truthy()) transactions_[key].state = state_;
    const auto it = transactions_.find(key);
    if (it == transactions_.end()) co_return error_reply(251, "no such transaction", true);
    call.transaction = &it->second;
  }
  bson::Document reply = dispatch(name, call);
  const bool has_failed = !reply["ok"].truthy() || reply.view().contains("writeErrors");
  if (has_failed && call.transaction != nullptr) transactions_.erase(key);
  co_return reply;
}

bson::Document MemorySource::dispatch(const std::string& name, Call& call) {
  if (name == "find") return find(call);
  if (name == "getMore") return get_more(call);
  if (name == "killCursors") {
    for (const bson::Element& id : array(call.command["cursors"]))
      cursors_.erase(integer(id.value));
    return ok();
  }
  if (name == "count")
    return call.transaction ? error_reply(263, "not in a transaction") : count(call);
  if (name == "distinct") return distinct(call);
  if (name == "aggregate") return aggregate(call);
  if (name == "insert") return insert(call);
  if (name == "update") return update(call);
  if (name == "delete") return remove(call);
  if (name == "findAndModify") return find_and_modify(call);
  return error_reply(59, "no such command: '" + name + "'");
}

bson::Document MemorySource::end_transaction(const std::string& key, bool commits) {
  const auto it = transactions_.find(key);
  if (it == transactions_.end()) return error_reply(251, "no such transaction");
  Transaction transaction = std::move(it->second);
  transactions_.erase(it);
  if (!commits) return ok();
  for (const auto& [ns, id] : transaction.written) {
    const auto is_it = [&id = id](const Stored& stored) {
      return bson::equal(stored.document["_id"], id);
    };
    Collection& mine = transaction.state[ns];
    Collection& theirs = state_[ns];
    const auto source = std::find_if(mine.begin(), mine.end(), is_it);
    const auto target = std::find_if(theirs.begin(), theirs.end(), is_it);
    if (source == mine.end()) {
      if (target != theirs.end()) theirs.erase(target);
    } else if (target == theirs.end()) {
      theirs.push_back({source->document, next_version_++});
    } else {
      *target = {source->document, next_version_++};
    }
  }
  return ok();
}

std::optional<MemorySource::Failure> MemorySource::matching(Call& call, bson::View filter,
                                                            bson::View sort,
                                                            std::vector<bson::Document>& found) {
  auto compiled = query::Filter::compile(filter, call.context);
  if (!compiled) return Failure{compiled.error().mongo_code(), compiled.error().message()};
  for (const Stored& stored : state_of(call)[call.ns]) {
    auto matches = compiled->matches(stored.document);
    if (!matches) return Failure{matches.error().mongo_code(), matches.error().message()};
    if (*matches) found.push_back(stored.document);
  }
  if (sort.empty()) return std::nullopt;
  auto pattern = query::SortPattern::compile(sort, call.context);
  if (!pattern) return Failure{pattern.error().mongo_code(), pattern.error().message()};
  std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
    return pattern->key_of(a).value() < pattern->key_of(b).value();
  });
  return std::nullopt;
}

bson::Document MemorySource::cursor_reply(std::vector<bson::Document> documents,
                                          const std::string& ns, std::int64_t batch_size) {
  const auto size = static_cast<std::size_t>(batch_size > 0 ? batch_size : kDefaultBatch);
  const std::size_t count = std::min(size, documents.size());
  std::int64_t id = 0;
  bson::Builder builder;
  builder.open_object("cursor").open_array("firstBatch");
  for (std::size_t i = 0; i < count; ++i) builder.push(documents[i]);
  builder.close();
  // As MongoDB: a batch that is just full leaves the cursor open.
  if (documents.size() >= size) {
    id = next_cursor_++;
    documents.erase(documents.begin(), documents.begin() + static_cast<std::ptrdiff_t>(count));
    cursors_[id] = {std::move(documents), ns};
  }
  builder.append("id", id).append("ns", ns).close().append("ok", 1.0);
  return std::move(builder).finish();
}

bson::Document MemorySource::find(Call& call) {
  std::vector<bson::Document> found;
  const auto failure =
      matching(call, object(call.command["filter"]), object(call.command["sort"]), found);
  if (failure) return error_reply(failure->code, failure->text);
  const auto skip = static_cast<std::size_t>(integer(call.command["skip"]));
  found.erase(found.begin(),
              found.begin() + static_cast<std::ptrdiff_t>(std::min(skip, found.size())));
  const auto limit = static_cast<std::size_t>(integer(call.command["limit"]));
  if (limit > 0 && found.size() > limit) found.resize(limit);
  const bson::View projection = object(call.command["projection"]);
  if (!projection.empty()) {
    auto filter = query::Filter::compile(object(call.command["filter"]), call.context);
    auto compiled = query::Projection::compile(projection, query::ProjectionDialect::kFind,
                                               call.context, &*filter);
    if (!compiled) return error_reply(compiled.error());
    for (bson::Document& document : found) document = compiled->apply(document).value();
  }
  std::int64_t batch = integer(call.command["batchSize"]);
  if (limit > 0 && (batch == 0 || batch > static_cast<std::int64_t>(limit))) {
    batch = static_cast<std::int64_t>(limit) + 1;
  }
  return cursor_reply(std::move(found), call.ns, batch);
}

bson::Document MemorySource::get_more(Call& call) {
  const auto it = cursors_.find(integer(call.command["getMore"]));
  if (it == cursors_.end()) return error_reply(43, "cursor not found");
  bson::Builder builder;
  builder.open_object("cursor").open_array("nextBatch");
  for (const bson::Document& document : it->second.rest) builder.push(document);
  builder.close().append("id", std::int64_t{0}).append("ns", it->second.ns).close();
  builder.append("ok", 1.0);
  cursors_.erase(it);
  return std::move(builder).finish();
}

bson::Document MemorySource::count(Call& call) {
  std::vector<bson::Document> found;
  const auto failure = matching(call, object(call.command["query"]), bson::View(), found);
  if (failure) return error_reply(failure->code, failure->text);
  auto counted = static_cast<std::int64_t>(found.size());
  counted = std::max<std::int64_t>(0, counted - integer(call.command["skip"]));
  const std::int64_t limit = integer(call.command["limit"]);
  if (limit > 0) counted = std::min(counted, limit);
  bson::Builder builder;
  builder.append("n", counted).append("ok", 1.0);
  return std::move(builder).finish();
}

bson::Document MemorySource::distinct(Call& call) {
  std::vector<bson::Document> found;
  const auto failure = matching(call, object(call.command["query"]), bson::View(), found);
  if (failure) return error_reply(failure->code, failure->text);
  std::vector<bson::Value> values;
  bson::Builder builder;
  builder.open_array("values");
  const auto add = [&](bson::ValueView value) {
    for (const bson::Value& known : values) {
      if (bson::equal(known.view(), value)) return;
    }
    values.emplace_back(value);
    builder.push(value);
  };
  for (const bson::Document& document : found) {
    const bson::ValueView value = document.view().find_path(call.command["key"].get_string());
    if (value.type() == bson::Type::kArray) {
      for (const bson::Element& element : value.get_document()) add(element.value);
    } else if (!value.is_missing()) {
      add(value);
    }
  }
  builder.close().append("ok", 1.0);
  return std::move(builder).finish();
}

bson::Document MemorySource::aggregate(Call& call) {
  query::PipelineOptions options;
  options.database = call.ns.substr(0, call.ns.find('.'));
  options.collection = call.ns.substr(call.ns.find('.') + 1);
  auto pipeline = query::Pipeline::compile(array(call.command["pipeline"]), call.context, options);
  if (!pipeline) return error_reply(pipeline.error());
  std::vector<bson::Document> input;
  const auto failure = matching(call, bson::View(), bson::View(), input);
  if (failure) return error_reply(failure->code, failure->text);
  Environment environment;
  auto stream = pipeline->run(std::make_unique<Stream>(std::move(input)), environment);
  if (!stream) return error_reply(stream.error());
  std::vector<bson::Document> output;
  while (true) {
    auto next = (*stream)->next();
    if (!next) return error_reply(next.error());
    if (!*next) break;
    output.push_back(std::move(**next));
  }
  return cursor_reply(std::move(output), call.ns, 0);
}

std::optional<MemorySource::Failure> MemorySource::check_unique(const Call& call,
                                                                bson::View document,
                                                                bson::ValueView id) {
  const auto it = unique_.find(call.ns);
  if (it == unique_.end()) return std::nullopt;
  const bson::ValueView value = document[it->second];
  for (const Stored& stored : state_of(call)[call.ns]) {
    if (bson::equal(stored.document["_id"], id)) continue;
    if (!bson::equal(stored.document[it->second], value)) continue;
    return Failure{11000, "E11000 duplicate key error collection: " + call.ns +
                              " index: " + it->second + "_1 dup key: { " + it->second + ": " +
                              bson::to_shell(value) + " }"};
  }
  return std::nullopt;
}

std::optional<MemorySource::Failure> MemorySource::write(Call& call, bson::ValueView id,
                                                         std::optional<bson::Document> document,
                                                         bool is_new) {
  const auto is_it = [&](const Stored& stored) { return bson::equal(stored.document["_id"], id); };
  Collection& collection = state_of(call)[call.ns];
  const auto stored = std::find_if(collection.begin(), collection.end(), is_it);
  if (is_new && stored != collection.end()) {
    return Failure{11000, "E11000 duplicate key error collection: " + call.ns +
                              " index: _id_ dup key: { _id: " + bson::to_shell(id) + " }"};
  }
  if (document) {
    if (auto failure = check_unique(call, *document, id)) return failure;
  }
  if (call.transaction != nullptr) {
    const Collection& outside = state_[call.ns];
    const auto current = std::find_if(outside.begin(), outside.end(), is_it);
    const std::int64_t now = current == outside.end() ? 0 : current->version;
    const std::int64_t then = stored == collection.end() ? 0 : stored->version;
    if (now != then) return Failure{112, "write conflict", true};
    call.transaction->written.emplace_back(call.ns, bson::Value(id));
  }
  const std::int64_t version = call.transaction != nullptr && stored != collection.end()
                                   ? stored->version
                                   : (call.transaction != nullptr ? 0 : next_version_++);
  if (!document) {
    collection.erase(stored);
  } else if (stored != collection.end()) {
    *stored = {std::move(*document), version};
  } else {
    collection.push_back({std::move(*document), version});
  }
  return std::nullopt;
}

namespace {

bson::Document write_failed(int code, const std::string& text, bool is_transient, std::int64_t n) {
  if (is_transient) return error_reply(code, text, true);
  bson::Builder builder;
  builder.append("n", n).open_array("writeErrors").push_object();
  builder.append("index", std::int32_t{0})
      .append("code", std::int32_t{code})
      .append("errmsg", text);
  builder.close().close().append("ok", 1.0);
  return std::move(builder).finish();
}

}  // namespace

bson::Document MemorySource::insert(Call& call) {
  std::int64_t n = 0;
  for (const bson::Element& element : array(call.command["documents"])) {
    auto document = query::prepare_for_insert(element.value.get_document(), bson::Timestamp{});
    if (!document) return error_reply(document.error());
    const bson::Value id((*document)["_id"]);
    if (auto failure = write(call, id, std::move(*document), true)) {
      return write_failed(failure->code, failure->text, failure->is_transient, n);
    }
    ++n;
  }
  bson::Builder builder;
  builder.append("n", n).append("ok", 1.0);
  return std::move(builder).finish();
}

bson::Document MemorySource::update(Call& call) {
  std::int64_t n = 0;
  std::int64_t modified = 0;
  bson::Builder upserted;
  for (const bson::Element& element : array(call.command["updates"])) {
    const bson::View spec = object(element.value);
    const bool multi = spec["multi"].truthy();
    auto filter = query::Filter::compile(object(spec["q"]), call.context);
    if (!filter) return error_reply(filter.error());
    query::UpdateOptions options;
    options.multi = multi;
    options.array_filters = array(spec["arrayFilters"]);
    auto compiled = query::Update::compile(spec["u"], call.context, options);
    if (!compiled) return error_reply(compiled.error());
    std::vector<bson::Document> found;
    const auto failure = matching(call, object(spec["q"]), bson::View(), found);
    if (failure) return error_reply(failure->code, failure->text);
    if (!multi && found.size() > 1) found.resize(1);
    for (const bson::Document& document : found) {
      query::MatchDetails details;
      static_cast<void>(filter->matches(document, &details));
      auto updated = compiled->apply(document, details);
      if (!updated) return error_reply(updated.error());
      ++n;
      if (!updated->modified) continue;
      ++modified;
      if (auto failed = write(call, document["_id"], std::move(updated->document), false)) {
        return write_failed(failed->code, failed->text, failed->is_transient, n);
      }
    }
    if (!found.empty() || !spec["upsert"].truthy()) continue;
    auto made = compiled->upsert_document(*filter, object(spec["q"]));
    if (!made) return error_reply(made.error());
    const bson::Value id((*made)["_id"]);
    if (auto failed = write(call, id, std::move(*made), true)) {
      return write_failed(failed->code, failed->text, failed->is_transient, n);
    }
    ++n;
    upserted.push_object().append("index", std::int32_t{0}).append("_id", id).close();
  }
  bson::Builder builder;
  builder.append("n", n).append("nModified", modified);
  const bson::Document ids = std::move(upserted).finish();
  if (!ids.empty()) builder.append_array("upserted", ids);
  builder.append("ok", 1.0);
  return std::move(builder).finish();
}

bson::Document MemorySource::remove(Call& call) {
  std::int64_t n = 0;
  for (const bson::Element& element : array(call.command["deletes"])) {
    const bson::View spec = object(element.value);
    std::vector<bson::Document> found;
    const auto failure = matching(call, object(spec["q"]), bson::View(), found);
    if (failure) return error_reply(failure->code, failure->text);
    if (integer(spec["limit"]) == 1 && found.size() > 1) found.resize(1);
    for (const bson::Document& document : found) {
      if (auto failed = write(call, document["_id"], std::nullopt, false)) {
        return write_failed(failed->code, failed->text, failed->is_transient, n);
      }
      ++n;
    }
  }
  bson::Builder builder;
  builder.append("n", n).append("ok", 1.0);
  return std::move(builder).finish();
}

bson::Document MemorySource::find_and_modify(Call& call) {
  const bson::View query = object(call.command["query"]);
  std::vector<bson::Document> found;
  const auto failure = matching(call, query, object(call.command["sort"]), found);
  if (failure) return error_reply(failure->code, failure->text);
  std::optional<bson::Document> value;
  if (call.command["remove"].truthy()) {
    if (!found.empty()) {
      value = found.front();
      if (auto failed = write(call, found.front()["_id"], std::nullopt, false)) {
        return error_reply(failed->code, failed->text, failed->is_transient);
      }
    }
  } else {
    auto filter = query::Filter::compile(query, call.context);
    query::UpdateOptions options;
    options.array_filters = array(call.command["arrayFilters"]);
    auto compiled = query::Update::compile(call.command["update"], call.context, options);
    if (!compiled) return error_reply(compiled.error());
    const bool wants_new = call.command["new"].truthy();
    if (!found.empty()) {
      query::MatchDetails details;
      static_cast<void>(filter->matches(found.front(), &details));
      auto updated = compiled->apply(found.front(), details);
      if (!updated) return error_reply(updated.error());
      value = wants_new ? updated->document : found.front();
      if (auto failed = write(call, found.front()["_id"], std::move(updated->document), false)) {
        return error_reply(failed->code, failed->text, failed->is_transient);
      }
    } else if (call.command["upsert"].truthy()) {
      auto made = compiled->upsert_document(*filter, query);
      if (!made) return error_reply(made.error());
      if (wants_new) value = *made;
      const bson::Value id((*made)["_id"]);
      if (auto failed = write(call, id, std::move(*made), true)) {
        return error_reply(failed->code, failed->text, failed->is_transient);
      }
    }
  }
  bson::Builder builder;
  if (value) {
    builder.append("value", *value);
  } else {
    builder.append("value", bson::Null{});
  }
  builder.append("ok", 1.0);
  return std::move(builder).finish();
}

}  // namespace restitch::rules::testing
