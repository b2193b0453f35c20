#include "datasource/embedded/catalog.h"

#include <algorithm>
#include <cstdio>
#include <future>
#include <random>
#include <set>
#include <thread>
#include <unordered_map>

#include "base/kill_point.h"
#include "base/log.h"
#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

// Catalog rows: c|ident a collection, b|ident an index being built, m|index|field|component a
// multikey mark, s|ident counters, counters the point of the change log that they are of.
constexpr std::string_view kCollectionPrefix = "c|";
constexpr std::string_view kBuildPrefix = "b|";
constexpr std::string_view kMultikeyPrefix = "m|";
constexpr std::string_view kCounterPrefix = "s|";
constexpr std::string_view kCounterPoint = "counters";

std::string ident_text(std::uint32_t ident) {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", ident);
  return text;
}

std::string row_key(std::string_view prefix, std::uint32_t ident) {
  return std::string(prefix) + ident_text(ident);
}

Document counter_row(const CollectionCounters& counters) {
  Builder builder;
  builder.append("count", counters.count.load()).append("bytes", counters.bytes.load());
  return std::move(builder).finish();
}

Document spec_list(const std::vector<IndexPtr>& indexes) {
  Builder builder;
  builder.open_array("indexes");
  for (const IndexPtr& index : indexes) builder.push(index->spec);
  builder.close();
  return std::move(builder).finish();
}

// `stateBeforeChange` of a modify event.
Document state_before(const Collection& collection, View index_options) {
  Builder builder;
  builder.open_object("collectionOptions");
  builder.append_binary("uuid", 4, collection.uuid);
  builder.append_all(collection.options);
  builder.close();
  if (!index_options.empty()) builder.append("indexOptions", index_options);
  return std::move(builder).finish();
}

// What the options of an index that `changed` ({index: {…}}) replaces were before.
Document former_index_options(View spec, View changed) {
  const View request = changed["index"].as_object().value_or(View());
  Builder builder;
  if (request.contains("expireAfterSeconds")) {
    builder.append("expireAfterSeconds", spec["expireAfterSeconds"]);
  }
  if (request.contains("hidden")) builder.append("hidden", spec["hidden"].truthy());
  return std::move(builder).finish();
}

// While a drop is being made durable.
constexpr bson::Timestamp kUnknownTime{UINT32_MAX, UINT32_MAX};
// Readers of older states are refused.
constexpr std::uint32_t kOldestReaderSeconds = 600;

constexpr std::size_t kMostDropped = 1000;

// Keeps the list short: of many drops one time stays, for every name that is not listed (under the
// empty name). Readers older than that are refused rather than shown nothing.
void forget_old_drops(CatalogState& state) {
  const auto now = static_cast<std::uint32_t>(wall_clock().millis / 1000);
  std::erase_if(state.dropped, [&](const auto& entry) {
    return entry.second.seconds < now && now - entry.second.seconds > kOldestReaderSeconds;
  });
  if (state.dropped.size() <= kMostDropped) return;
  bson::Timestamp last;
  std::erase_if(state.dropped, [&](const auto& entry) {
    if (entry.second == kUnknownTime) return false;
    last = std::max(last, entry.second);
    return true;
  });
  state.dropped[""] = last;
}

// A copy whose writers are told from those of the former version.
std::shared_ptr<Collection> next_version(const Collection& collection) {
  auto version = std::make_shared<Collection>(collection);
  version->writers = std::make_shared<std::atomic<int>>(0);
  version->plan_cache = std::make_shared<PlanCache>();
  return version;
}

// A copy that writers need not tell from the former version.
std::shared_ptr<Collection> equal_version(const Collection& collection) {
  auto version = std::make_shared<Collection>(collection);
  version->plan_cache = std::make_shared<PlanCache>();
  return version;
}

}  // namespace

std::string new_uuid() {
  std::random_device device;
  std::string bytes(16, '\0');
  for (char& byte : bytes) byte = static_cast<char>(device() & 0xFFU);
  bytes[6] = static_cast<char>((static_cast<unsigned char>(bytes[6]) & 0x0FU) | 0x40U);
  bytes[8] = static_cast<char>((static_cast<unsigned char>(bytes[8]) & 0x3FU) | 0x80U);
  return bytes;
}

Result<storage::Committed> commit_and_wait(storage::Engine& engine,
                                           std::unique_ptr<storage::Transaction> transaction) {
  auto promise = std::make_shared<std::promise<Result<storage::Committed>>>();
  auto future = promise->get_future();
  engine.commit(
      std::move(transaction), storage::Durability::kJournaled,
      [promise](Result<storage::Committed> result) { promise->set_value(std::move(result)); });
  return future.get();
}

// ---- state

CatalogStatePtr Catalog::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

CollectionPtr Catalog::find(std::string_view database, std::string_view collection) const {
  std::string name;
  name.reserve(database.size() + collection.size() + 1);
  name.append(database).append(1, '.').append(collection);
  const std::lock_guard lock(mutex_);
  return state_->find(name);
}

WriterPin Catalog::pin_for_write(std::string_view full_name) const {
  // A pin counts when it was taken before the version was replaced: publish() holds the mutex too.
  const std::lock_guard lock(mutex_);
  CollectionPtr found = state_->find(full_name);
  return found ? WriterPin(std::move(found)) : WriterPin();
}

CollectionPtr Catalog::find_ident(storage::CollectionId ident) const {
  for (const auto& [name, collection] : state()->collections) {
    if (collection->ident == ident) return collection;
  }
  return nullptr;
}

void Catalog::publish(const std::function<void(CatalogState&)>& change) {
  const std::lock_guard publishing(publishing_);
  auto next = std::make_shared<CatalogState>(*state());
  change(*next);
  forget_old_drops(*next);
  const std::lock_guard lock(mutex_);
  state_ = std::move(next);
}

void Catalog::publish_version(const CollectionPtr& collection) {
  publish([&](CatalogState& state) { state.collections[collection->full_name] = collection; });
}

void Catalog::wait_for_writers(const Collection& version) {
  auto pause = std::chrono::microseconds(50);
  while (version.writers->load() != 0) {
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(5000));
  }
}

// ---- opening

Status Catalog::load() {
  RESTITCH_CHECK(load_rows());
  return reclaim_orphans();
}

Status Catalog::reclaim_orphans() {
  std::set<std::uint32_t> collections, indexes;
  for (const auto& [name, collection] : state()->collections) {
    collections.insert(collection->ident);
    for (const IndexPtr& index : collection->indexes) indexes.insert(index->ident);
  }
  RESTITCH_TRY(const auto stored_collections, engine_.stored_collections());
  for (const storage::CollectionId ident : stored_collections) {
    if (!collections.contains(ident)) engine_.reclaim_collection(ident);
  }
  RESTITCH_TRY(const auto stored_indexes, engine_.stored_indexes());
  for (const storage::IndexId ident : stored_indexes) {
    if (!indexes.contains(ident)) engine_.reclaim_index(ident);
  }
  return {};
}

Status Catalog::load_rows() {
  RESTITCH_TRY(const auto rows, engine_.catalog_rows());
  auto loaded = std::make_shared<CatalogState>();
  std::unordered_map<storage::IndexId, IndexPtr> indexes;
  std::unordered_map<storage::CollectionId, CollectionPtr> by_ident;
  for (const auto& [key, row] : rows) {
    if (!key.starts_with(kCollectionPrefix)) continue;
    RESTITCH_TRY(auto collection, make_collection(row, nullptr));
    for (const IndexPtr& index : collection->indexes) indexes[index->ident] = index;
    by_ident[collection->ident] = collection;
    loaded->collections[collection->full_name] = collection;
  }
  bson::Timestamp point;
  auto cleaning = engine_.begin(storage::Transaction::Mode::kLatest);
  bool has_leftovers = false;
  for (const auto& [key, row] : rows) {
    unsigned ident = 0, field = 0, component = 0;
    if (key == kCounterPoint) {
      if (row["at"].type() == bson::Type::kTimestamp) point = row["at"].get_timestamp();
    } else if (std::sscanf(key.c_str(), "m|%8x|%u|%u", &ident, &field, &component) == 3) {
      const auto found = indexes.find(ident);
      if (found != indexes.end() && field < found->second->fields.size()) {
        found->second->runtime->multikey[field] |= std::uint64_t{1} << component;
        found->second->runtime->stored_multikey[field] |= std::uint64_t{1} << component;
      }
    } else if (std::sscanf(key.c_str(), "s|%8x", &ident) == 1) {
      const auto found = by_ident.find(ident);
      if (found == by_ident.end()) continue;
      found->second->counters->count = row["count"].as_integer().value_or(0);
      found->second->counters->bytes = row["bytes"].as_integer().value_or(0);
    } else if (std::sscanf(key.c_str(), "b|%8x", &ident) == 1) {
      cleaning->delete_catalog_row(key);
      has_leftovers = true;
    }
  }
  if (has_leftovers) RESTITCH_CHECK(commit_and_wait(engine_, std::move(cleaning)));
  {
    const std::lock_guard lock(mutex_);
    state_ = std::move(loaded);
  }
  return replay_counters(point);
}

Status Catalog::replay_counters(bson::Timestamp since) {
  constexpr std::size_t kBatch = 1000;
  std::unordered_map<std::int64_t, CollectionPtr> by_ident;
  for (const auto& [name, collection] : state()->collections)
    by_ident[collection->ident] = collection;
  bson::Timestamp after = since;
  std::uint32_t index = UINT32_MAX;
  for (;;) {
    RESTITCH_TRY(const auto entries, engine_.changes_after(after, index, kBatch));
    for (const storage::ChangeLogEntry& change : entries) {
      const View entry = change.entry;
      const auto found = by_ident.find(entry["c"].as_integer().value_or(0));
      if (found == by_ident.end()) continue;
      const std::int64_t count = entry["n"].as_integer().value_or(0);
      const std::int64_t bytes = entry["z"].as_integer().value_or(0);
      if (count == 0 && bytes == 0) continue;
      found->second->counters->count += count;
      found->second->counters->bytes += bytes;
      found->second->counters->is_dirty = true;
    }
    if (entries.size() < kBatch) return {};
    after = entries.back().cluster_time;
    index = entries.back().index;
  }
}

Status Catalog::save_counters() {
  // The counters are changed by commit callbacks, in commit order. The callback of a commit of our
  // own therefore sees them exactly as of its cluster time.
  struct Snapshot {
    bson::Timestamp at;
    std::vector<std::pair<std::string, Document>> rows;
  };
  const CatalogStatePtr current = state();
  std::vector<CollectionPtr> dirty;
  for (const auto& [name, collection] : current->collections) {
    if (collection->counters->is_dirty.load()) dirty.push_back(collection);
  }
  if (dirty.empty()) return {};
  auto mark = engine_.begin(storage::Transaction::Mode::kLatest);
  mark->put_catalog_row("mark", bson::make_document("at", wall_clock()));
  auto promise = std::make_shared<std::promise<Result<Snapshot>>>();
  auto future = promise->get_future();
  engine_.commit(std::move(mark), storage::Durability::kBuffered,
                 [promise, current](Result<storage::Committed> committed) {
                   if (!committed) {
                     promise->set_value(std::move(committed).error());
                     return;
                   }
                   Snapshot snapshot;
                   snapshot.at = committed->cluster_time;
                   for (const auto& [name, collection] : current->collections) {
                     if (!collection->counters->is_dirty.exchange(false)) continue;
                     snapshot.rows.emplace_back(row_key(kCounterPrefix, collection->ident),
                                                counter_row(*collection->counters));
                   }
                   promise->set_value(std::move(snapshot));
                 });
  RESTITCH_TRY(const Snapshot snapshot, future.get());
  auto save = engine_.begin(storage::Transaction::Mode::kLatest);
  for (const auto& [key, row] : snapshot.rows) save->put_catalog_row(key, row);
  save->put_catalog_row(kCounterPoint, bson::make_document("at", snapshot.at));
  auto committed = commit_and_wait(engine_, std::move(save));
  if (!committed) {
    for (const CollectionPtr& collection : dirty) collection->counters->is_dirty = true;
    return std::move(committed).error();
  }
  return {};
}

// ---- schema changes

Result<storage::Committed> Catalog::write_row(const Collection& collection,
                                              storage::Change change) {
  auto transaction = engine_.begin(storage::Transaction::Mode::kLatest);
  transaction->put_catalog_row(row_key(kCollectionPrefix, collection.ident),
                               collection_row(collection));
  transaction->add_change(std::move(change));
  return commit_and_wait(engine_, std::move(transaction));
}

NameReservation& NameReservation::operator=(NameReservation&& other) noexcept {
  if (this != &other) {
    release();
    catalog_ = std::exchange(other.catalog_, nullptr);
    full_name_ = std::move(other.full_name_);
  }
  return *this;
}

void NameReservation::release() {
  if (catalog_ == nullptr) return;
  const std::lock_guard lock(catalog_->mutex_);
  catalog_->reserved_.erase(full_name_);
  catalog_ = nullptr;
}

Result<NameReservation> Catalog::reserve(const Namespace& ns) {
  std::string name = ns.full();
  const std::lock_guard lock(mutex_);
  if (state_->find(name)) {
    return mongo_error(code::kNamespaceExists, "Collection " + name + " already exists.");
  }
  if (!reserved_.insert(name).second) {
    return Error(ErrorCode::kWriteConflict, code::kWriteConflict,
                 "The collection " + name +
                     " is being created by another operation. Please retry your operation or "
                     "multi-document transaction.");
  }
  return NameReservation(this, std::move(name));
}

Result<std::shared_ptr<Collection>> Catalog::make_new(const Namespace& ns, View options,
                                                      View id_index_collation) {
  if (const auto other = state()->database_in_other_case(ns.database)) {
    return mongo_error(13297, "db already exists with different case already have: [" + *other +
                                  "] trying to create [" + ns.database + "]");
  }
  const bool is_view = options.contains("viewOn");
  Builder row;
  row.append("ns", ns.full());
  row.append("ident", static_cast<std::int64_t>(engine_.allocate_ident()));
  row.append_binary("uuid", 4, new_uuid());
  row.append("options", options);
  row.open_array("indexes");
  if (!is_view) {
    row.push_object();
    row.append("ident", static_cast<std::int64_t>(engine_.allocate_ident()));
    row.append("spec", id_index_spec(id_index_collation));
    row.close();
  }
  row.close();
  return make_collection(std::move(row).finish(), nullptr);
}

void Catalog::stage_new(storage::Transaction& transaction, const Collection& collection) {
  Builder description;
  if (!collection.is_view()) description.append("idIndex", collection.indexes.front()->spec);
  description.append_all(collection.options);
  transaction.put_catalog_row(row_key(kCollectionPrefix, collection.ident),
                              collection_row(collection));
  transaction.add_change(
      make_collection_change(collection, change::kCreate, std::move(description).finish()));
}

Result<std::shared_ptr<Collection>> Catalog::make_indexed(
    const Collection& collection, const std::vector<IndexRequest>& requests) {
  auto version = next_version(collection);
  for (const IndexRequest& request : requests) {
    RESTITCH_TRY(std::shared_ptr<Index> index, make_index(engine_.allocate_ident(), request.spec));
    index->runtime->since = wall_clock();
    version->indexes.push_back(std::move(index));
  }
  return version;
}

void Catalog::stage_indexes(storage::Transaction& transaction, const Collection& version,
                            std::size_t first_index) {
  const std::vector<IndexPtr> added(
      version.indexes.begin() + static_cast<std::ptrdiff_t>(first_index), version.indexes.end());
  transaction.put_catalog_row(row_key(kCollectionPrefix, version.ident), collection_row(version));
  transaction.add_change(make_collection_change(version, change::kCreateIndexes, spec_list(added)));
}

void Catalog::publish_new(const std::vector<std::shared_ptr<Collection>>& collections,
                          bson::Timestamp committed) {
  for (const std::shared_ptr<Collection>& collection : collections) {
    collection->valid_from = committed;
  }
  publish([&](CatalogState& state) {
    for (const std::shared_ptr<Collection>& collection : collections) {
      state.collections[collection->full_name] = collection;
    }
  });
}

Result<CollectionPtr> Catalog::create(const Namespace& ns, View options, View id_index_collation) {
  RESTITCH_TRY(const NameReservation reservation, reserve(ns));
  RESTITCH_TRY(std::shared_ptr<Collection> collection, make_new(ns, options, id_index_collation));
  auto transaction = engine_.begin(storage::Transaction::Mode::kLatest);
  stage_new(*transaction, *collection);
  RESTITCH_TRY(const storage::Committed committed,
               commit_and_wait(engine_, std::move(transaction)));
  publish_new({collection}, committed.cluster_time);
  return CollectionPtr(std::move(collection));
}

Status Catalog::drop_rows(const std::vector<CollectionPtr>& collections,
                          std::vector<storage::Change> changes) {
  // Hidden first, so that nobody begins to write; then those who have begun end; then it is made
  // durable.
  publish([&](CatalogState& state) {
    for (const CollectionPtr& collection : collections) {
      state.collections.erase(collection->full_name);
      state.dropped[collection->full_name] = kUnknownTime;
    }
  });
  auto transaction = engine_.begin(storage::Transaction::Mode::kLatest);
  for (const CollectionPtr& collection : collections) {
    wait_for_writers(*collection);
    transaction->delete_catalog_row(row_key(kCollectionPrefix, collection->ident));
    transaction->delete_catalog_row(row_key(kCounterPrefix, collection->ident));
    for (const IndexPtr& index : collection->indexes) {
      if (index->is_building) continue;  // its builder cleans up
      for (std::size_t field = 0; field < index->fields.size(); ++field) {
        const std::uint64_t bits = index->multikey_bits(field);
        for (unsigned component = 0; component < 64; ++component) {
          if ((bits >> component & 1U) == 0) continue;
          transaction->delete_catalog_row(multikey_row_key(index->ident, field, component));
        }
      }
    }
  }
  for (storage::Change& change : changes) transaction->add_change(std::move(change));
  auto committed = commit_and_wait(engine_, std::move(transaction));
  if (!committed) {
    publish([&](CatalogState& state) {
      for (const CollectionPtr& collection : collections) {
        state.collections.emplace(collection->full_name, collection);
        state.dropped.erase(collection->full_name);
      }
    });
    return std::move(committed).error();
  }
  kill_point::reach("drop.committed");
  publish([&](CatalogState& state) {
    for (const CollectionPtr& collection : collections) {
      state.dropped[collection->full_name] = committed->cluster_time;
    }
  });
  for (const CollectionPtr& collection : collections) {
    if (collection->is_view()) continue;
    engine_.reclaim_collection(collection->ident);
    for (const IndexPtr& index : collection->indexes) {
      if (!index->is_building) engine_.reclaim_index(index->ident);
    }
  }
  return {};
}

void Catalog::hide(const CollectionPtr& collection) {
  publish([&](CatalogState& state) { state.collections.erase(collection->full_name); });
  wait_for_writers(*collection);
}

void Catalog::restore(const CollectionPtr& collection) { publish_version(collection); }

Status Catalog::drop(const CollectionPtr& collection) {
  std::vector<storage::Change> changes;
  changes.push_back(make_collection_change(*collection, change::kDrop, View()));
  return drop_rows({collection}, std::move(changes));
}

Status Catalog::drop_database(std::string_view database) {
  const std::vector<CollectionPtr> collections = state()->of_database(database);
  std::vector<storage::Change> changes;
  for (const CollectionPtr& collection : collections) {
    changes.push_back(make_collection_change(*collection, change::kDrop, View()));
  }
  changes.push_back(make_drop_database_change(database));
  return drop_rows(collections, std::move(changes));
}

Status Catalog::rename(const CollectionPtr& source, const Namespace& target,
                       CollectionPtr dropped_target) {
  NameReservation reservation;
  if (!dropped_target) {
    RESTITCH_TRY(reservation, reserve(target));
  }
  auto renamed = next_version(*source);
  renamed->ns = target;
  renamed->full_name = target.full();
  Builder description;
  description.open_object("to")
      .append("db", target.database)
      .append("coll", target.collection)
      .close();
  if (dropped_target) description.append_binary("dropTarget", 4, dropped_target->uuid);
  storage::Change change =
      make_collection_change(*source, change::kRename, std::move(description).finish());
  publish([&](CatalogState& state) {
    state.collections.erase(source->full_name);
    state.dropped[source->full_name] = kUnknownTime;
    if (dropped_target) state.collections.erase(dropped_target->full_name);
  });
  wait_for_writers(*source);
  if (dropped_target) wait_for_writers(*dropped_target);
  auto transaction = engine_.begin(storage::Transaction::Mode::kLatest);
  transaction->put_catalog_row(row_key(kCollectionPrefix, renamed->ident),
                               collection_row(*renamed));
  if (dropped_target) {
    transaction->delete_catalog_row(row_key(kCollectionPrefix, dropped_target->ident));
    transaction->delete_catalog_row(row_key(kCounterPrefix, dropped_target->ident));
  }
  transaction->add_change(std::move(change));
  auto committed = commit_and_wait(engine_, std::move(transaction));
  if (!committed) {
    publish([&](CatalogState& state) {
      state.collections.emplace(source->full_name, source);
      state.dropped.erase(source->full_name);
      if (dropped_target) state.collections.emplace(dropped_target->full_name, dropped_target);
    });
    return std::move(committed).error();
  }
  kill_point::reach("rename.committed");
  renamed->valid_from = committed->cluster_time;
  publish([&](CatalogState& state) {
    state.collections[renamed->full_name] = renamed;
    state.dropped[source->full_name] = committed->cluster_time;
  });
  if (dropped_target && !dropped_target->is_view()) {
    engine_.reclaim_collection(dropped_target->ident);
    for (const IndexPtr& index : dropped_target->indexes) engine_.reclaim_index(index->ident);
  }
  return {};
}

Status Catalog::modify(const CollectionPtr& collection, View options, View changed) {
  auto version = next_version(*collection);
  version->options = Document(options);
  RESTITCH_TRY(std::shared_ptr<Collection> made,
               make_collection(collection_row(*version), collection.get()));
  for (const IndexPtr& index : collection->indexes) {
    if (index->is_building) made->indexes.push_back(index);
  }
  RESTITCH_CHECK(write_row(*made, make_collection_change(*collection, change::kModify, changed,
                                                         state_before(*collection, View()))));
  publish_version(made);
  wait_for_writers(*collection);
  return {};
}

Status Catalog::modify_index(const CollectionPtr& collection, std::string_view name, View spec,
                             View changed) {
  auto version = equal_version(*collection);
  Document former;
  for (IndexPtr& index : version->indexes) {
    if (index->name != name) continue;
    former = former_index_options(index->spec, changed);
    RESTITCH_TRY(std::shared_ptr<Index> made, make_index(index->ident, spec));
    made->runtime = index->runtime;
    made->usable_from = index->usable_from;
    index = std::move(made);
  }
  RESTITCH_CHECK(
      write_row(*version, make_collection_change(*collection, change::kModify, changed,
                                                 state_before(*collection, former))));
  publish_version(version);
  return {};
}

Result<CollectionPtr> Catalog::begin_indexes(const CollectionPtr& collection,
                                             const std::vector<IndexRequest>& requests) {
  auto version = next_version(*collection);
  auto transaction = engine_.begin(storage::Transaction::Mode::kLatest);
  for (const IndexRequest& request : requests) {
    RESTITCH_TRY(std::shared_ptr<Index> index, make_index(engine_.allocate_ident(), request.spec));
    index->is_building = true;
    index->runtime->since = wall_clock();
    transaction->put_catalog_row(row_key(kBuildPrefix, index->ident),
                                 bson::make_document("ns", collection->full_name));
    version->indexes.push_back(std::move(index));
  }
  RESTITCH_CHECK(commit_and_wait(engine_, std::move(transaction)));
  kill_point::reach("index.begun");
  publish_version(version);
  return CollectionPtr(std::move(version));
}

Status Catalog::finish_indexes(const CollectionPtr& collection,
                               const std::vector<storage::IndexId>& idents,
                               const std::vector<storage::IndexId>& replaced) {
  auto version = replaced.empty() ? equal_version(*collection) : next_version(*collection);
  std::erase_if(version->indexes, [&](const IndexPtr& index) {
    return std::find(replaced.begin(), replaced.end(), index->ident) != replaced.end();
  });
  std::vector<IndexPtr> finished;
  std::vector<std::shared_ptr<Index>> made;
  auto transaction = engine_.begin(storage::Transaction::Mode::kLatest);
  for (IndexPtr& index : version->indexes) {
    if (std::find(idents.begin(), idents.end(), index->ident) == idents.end()) continue;
    auto ready = std::make_shared<Index>(*index);
    ready->is_building = false;
    index = ready;
    made.push_back(ready);
    finished.push_back(index);
    transaction->delete_catalog_row(row_key(kBuildPrefix, index->ident));
  }
  transaction->put_catalog_row(row_key(kCollectionPrefix, version->ident),
                               collection_row(*version));
  transaction->add_change(
      make_collection_change(*collection, change::kCreateIndexes, spec_list(finished)));
  RESTITCH_TRY(const storage::Committed committed,
               commit_and_wait(engine_, std::move(transaction)));
  kill_point::reach("index.finished");
  for (const std::shared_ptr<Index>& index : made) index->usable_from = committed.cluster_time;
  publish_version(version);
  if (!replaced.empty()) {
    wait_for_writers(*collection);
    for (const storage::IndexId index : replaced) engine_.reclaim_index(index);
  }
  return {};
}

void Catalog::abandon_indexes(storage::CollectionId ident,
                              const std::vector<storage::IndexId>& idents) {
  const auto is_abandoned = [&](const IndexPtr& index) {
    return std::find(idents.begin(), idents.end(), index->ident) != idents.end();
  };
  if (const CollectionPtr collection = find_ident(ident)) {
    auto version = next_version(*collection);
    std::erase_if(version->indexes, is_abandoned);
    publish_version(version);
    wait_for_writers(*collection);
  }
  auto transaction = engine_.begin(storage::Transaction::Mode::kLatest);
  for (const storage::IndexId index : idents) {
    transaction->delete_catalog_row(row_key(kBuildPrefix, index));
  }
  if (const auto committed = commit_and_wait(engine_, std::move(transaction)); !committed) {
    RESTITCH_LOG(kWarning, kSource, 5101, "Removing an unfinished index failed",
                 {"error", committed.error().message()});
  }
  for (const storage::IndexId index : idents) engine_.reclaim_index(index);
}

Status Catalog::drop_indexes(const CollectionPtr& collection,
                             const std::vector<std::string>& names) {
  auto version = next_version(*collection);
  std::vector<IndexPtr> dropped;
  std::erase_if(version->indexes, [&](const IndexPtr& index) {
    if (std::find(names.begin(), names.end(), index->name) == names.end()) return false;
    dropped.push_back(index);
    return true;
  });
  auto transaction = engine_.begin(storage::Transaction::Mode::kLatest);
  transaction->put_catalog_row(row_key(kCollectionPrefix, version->ident),
                               collection_row(*version));
  for (const IndexPtr& index : dropped) {
    transaction->add_change(
        make_collection_change(*collection, change::kDropIndexes, spec_list({index})));
  }
  RESTITCH_CHECK(commit_and_wait(engine_, std::move(transaction)));
  publish_version(version);
  wait_for_writers(*collection);
  for (const IndexPtr& index : dropped) engine_.reclaim_index(index->ident);
  return {};
}

std::string multikey_row_key(storage::IndexId ident, std::size_t field, unsigned component) {
  return row_key(kMultikeyPrefix, ident) + "|" + std::to_string(field) + "|" +
         std::to_string(component);
}

}  // namespace restitch::datasource::embedded
