#include "datasource/embedded/write_unit.h"

#include <future>

#include "datasource/embedded/catalog.h"

namespace restitch::datasource::embedded {

const Collection& WriteUnit::keep(WriterPin pin) {
  pins_.push_back(std::move(pin));
  return *pins_.back().collection();
}

const Collection* WriteUnit::pinned(std::string_view full_name) const {
  if (const CollectionPtr own = created(full_name)) return own.get();
  for (const WriterPin& pin : pins_) {
    if (pin.collection()->full_name == full_name) return pin.collection().get();
  }
  return nullptr;
}

CollectionPtr WriteUnit::created(std::string_view full_name) const {
  for (const std::shared_ptr<Collection>& collection : created_) {
    if (collection->full_name == full_name) return collection;
  }
  return nullptr;
}

void WriteUnit::create(Catalog& catalog, std::shared_ptr<Collection> collection,
                       NameReservation reservation) {
  catalog_ = &catalog;
  Catalog::stage_new(*transaction_, *collection);
  created_.push_back(std::move(collection));
  reservations_.push_back(std::move(reservation));
  note_write();
}

void WriteUnit::replace_created(std::shared_ptr<Collection> version) {
  for (std::shared_ptr<Collection>& collection : created_) {
    if (collection->full_name != version->full_name) continue;
    Catalog::stage_indexes(*transaction_, *version, collection->indexes.size());
    collection = std::move(version);
    return;
  }
}

void WriteUnit::count(const std::shared_ptr<CollectionCounters>& counters, std::int64_t count,
                      std::int64_t bytes) {
  for (CounterChange& change : counters_) {
    if (change.counters != counters) continue;
    change.count += count;
    change.bytes += bytes;
    return;
  }
  counters_.push_back({counters, count, bytes});
}

std::int64_t WriteUnit::added(const CollectionCounters& counters) const {
  for (const CounterChange& change : counters_) {
    if (change.counters.get() == &counters) return change.count;
  }
  return 0;
}

std::int64_t WriteUnit::added_bytes(const CollectionCounters& counters) const {
  for (const CounterChange& change : counters_) {
    if (change.counters.get() == &counters) return change.bytes;
  }
  return 0;
}

void WriteUnit::note_multikey(const IndexPtr& index, const std::vector<std::uint64_t>& bits) {
  for (std::size_t field = 0; field < bits.size(); ++field) {
    const std::uint64_t unstored = bits[field] & ~index->runtime->stored_multikey[field].load();
    if (unstored == 0) continue;
    index->runtime->multikey[field].fetch_or(unstored);
    marks_.push_back({index->runtime, field, unstored});
    for (unsigned component = 0; component < 64; ++component) {
      if ((unstored >> component & 1U) == 0) continue;
      transaction_->put_catalog_row(multikey_row_key(index->ident, field, component), bson::View());
    }
  }
}

storage::RecordId WriteUnit::begin_insert(storage::Engine& engine, const Collection& collection) {
  const storage::RecordId record =
      collection.counters->open_inserts.begin(engine, collection.ident);
  open_inserts_.push_back({collection.counters, record});
  return record;
}

void WriteUnit::end_inserts() {
  for (const OpenInsert& insert : open_inserts_) insert.counters->open_inserts.end(insert.record);
  open_inserts_.clear();
}

void WriteUnit::apply_effects(bson::Timestamp committed) {
  if (!created_.empty()) catalog_->publish_new(created_, committed);
  for (const CounterChange& change : counters_) {
    change.counters->count += change.count;
    change.counters->bytes += change.bytes;
    change.counters->is_dirty = true;
  }
  for (const MultikeyMark& mark : marks_) {
    mark.runtime->stored_multikey[mark.field].fetch_or(mark.bits);
  }
}

void WriteUnit::commit(storage::Engine& engine, std::unique_ptr<WriteUnit> unit,
                       storage::Durability durability, storage::Engine::CommitCallback done) {
  auto transaction = std::move(unit->transaction_);
  auto kept = std::shared_ptr<WriteUnit>(std::move(unit));
  engine.commit(
      std::move(transaction), durability,
      [kept = std::move(kept), done = std::move(done)](Result<storage::Committed> result) {
        if (result) kept->apply_effects(result->cluster_time);
        kept->pins_.clear();
        kept->reservations_.clear();
        kept->end_inserts();
        done(std::move(result));
      });
}

Status wait_for_commit(storage::Engine& engine, std::unique_ptr<WriteUnit> unit,
                       storage::Durability durability) {
  auto promise = std::make_shared<std::promise<Result<storage::Committed>>>();
  auto future = promise->get_future();
  WriteUnit::commit(
      engine, std::move(unit), durability,
      [promise](Result<storage::Committed> result) { promise->set_value(std::move(result)); });
  auto committed = future.get();
  if (!committed) return std::move(committed).error();
  return {};
}

}  // namespace restitch::datasource::embedded
