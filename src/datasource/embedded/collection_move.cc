#include "datasource/embedded/collection_move.h"

#include "base/encoding.h"
#include "base/log.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/record_writer.h"
#include "datasource/embedded/write_unit.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Document;
using bson::View;

constexpr std::size_t kUnitBytes = 4U << 20U;

// An empty collection with the options and indexes of another.
Result<CollectionPtr> create_copy(Catalog& catalog, const Namespace& ns, const Collection& model) {
  const View collation = model.collation ? model.collation->spec().view() : View();
  RESTITCH_TRY(CollectionPtr copy, catalog.create(ns, model.options, collation));
  std::vector<IndexRequest> requests;
  for (const IndexPtr& index : model.indexes) {
    if (index->is_id() || index->is_building) continue;
    IndexRequest request;
    request.spec = index->spec;
    request.signature = index_signature(index->spec);
    requests.push_back(std::move(request));
  }
  if (requests.empty()) return copy;
  RESTITCH_TRY(copy, catalog.begin_indexes(copy, requests));
  std::vector<storage::IndexId> idents;
  for (const IndexPtr& index : copy->indexes) {
    if (index->is_building) idents.push_back(index->ident);
  }
  RESTITCH_CHECK(catalog.finish_indexes(copy, idents));
  return catalog.find(ns.database, ns.collection);
}

Status copy_documents(Services& services, const Collection& from, const Collection& to) {
  const storage::SnapshotPtr snapshot = services.engine->snapshot();
  auto cursor = snapshot->records(from.ident, true, storage::ReadTier::kAll);
  Document extra;
  bool is_done = false;
  while (!is_done) {
    auto unit =
        std::make_unique<WriteUnit>(services.engine->begin(storage::Transaction::Mode::kLatest));
    RecordWriter writer(*services.engine, to, *unit, extra);
    writer.set_bypass_validation(true);
    while (unit->write_bytes() < kUnitBytes) {
      RESTITCH_TRY(const bool found, cursor->next());
      is_done = !found;
      if (is_done) break;
      RESTITCH_CHECK(writer.insert(cursor->document()));
    }
    if (!unit->has_writes()) return {};
    RESTITCH_CHECK(wait_for_commit(
        *services.engine, std::move(unit),
        is_done ? storage::Durability::kJournaled : storage::Durability::kBuffered));
  }
  return {};
}

}  // namespace

Status move_collection(Services& services, const CollectionPtr& source, const Namespace& to,
                       const CollectionPtr& dropped_target) {
  Catalog& catalog = *services.catalog;
  const Namespace temporary{to.database, "tmp.rename." + to_hex(new_uuid())};
  catalog.hide(source);
  const auto move = [&]() -> Status {
    RESTITCH_TRY(const CollectionPtr copy, create_copy(catalog, temporary, *source));
    RESTITCH_CHECK(copy_documents(services, *source, *copy));
    return catalog.rename(copy, to, dropped_target);
  };
  Status moved = move();
  if (moved) return catalog.drop(source);
  catalog.restore(source);
  if (const CollectionPtr left = catalog.find(temporary.database, temporary.collection)) {
    if (Status dropped = catalog.drop(left); !dropped) {
      RESTITCH_LOG(kWarning, kSource, 5107, "Dropping an unfinished copy failed",
                   {"namespace", temporary.full()}, {"error", dropped.error().message()});
    }
  }
  return moved;
}

}  // namespace restitch::datasource::embedded
