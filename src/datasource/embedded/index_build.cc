#include "datasource/embedded/index_build.h"

#include <algorithm>
#include <thread>

#include "base/kill_point.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/internal_command.h"
#include "datasource/embedded/record_writer.h"
#include "datasource/embedded/write_unit.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Document;
using bson::View;

constexpr std::size_t kChunk = 500;  // records

class IndexBuild {
 public:
  IndexBuild(Services& services, const CollectionPtr& collection,
             const std::vector<storage::IndexId>& idents)
      : services_(services), collection_(collection) {
    for (const IndexPtr& index : collection->indexes) {
      if (std::find(idents.begin(), idents.end(), index->ident) != idents.end()) {
        indexes_.push_back(index);
      }
    }
  }

  Status run() {
    const storage::SnapshotPtr snapshot = services_.engine->snapshot();
    auto cursor = snapshot->records(collection_->ident, true, storage::ReadTier::kAll);
    std::vector<storage::RecordId> chunk;
    for (;;) {
      RESTITCH_TRY(const bool found, cursor->next());
      if (found) chunk.push_back(cursor->id());
      if (chunk.size() == kChunk || (!found && !chunk.empty())) {
        RESTITCH_CHECK(enter(chunk));
        chunk.clear();
      }
      if (!found) return {};
    }
  }

  const Document& error_extra() const { return error_extra_; }

  Error failed(Error cause) const {
    if (cause.mongo_code() == 0 || cause.mongo_code() == code::kIndexBuildAborted) return cause;
    return Error(cause.code(), cause.mongo_code(),
                 "Index build failed: " + uuid_text(build_id_) + ": Collection " +
                     collection_->full_name + " ( " + uuid_text(collection_->uuid) +
                     " ) :: caused by :: " + cause.message());
  }

 private:
  // Every record is entered as it is now: what changed since the snapshot has been entered by its
  // writer, and doing it again changes nothing.
  Status enter(const std::vector<storage::RecordId>& records) {
    std::size_t at = 0;
    int conflicts = 0;
    while (at < records.size()) {
      const CollectionPtr current = services_.catalog->state()->find(collection_->full_name);
      if (!current || current->ident != collection_->ident) {
        return mongo_error(code::kIndexBuildAborted,
                           "Index build aborted: the collection has been dropped or renamed");
      }
      auto unit =
          std::make_unique<WriteUnit>(services_.engine->begin(storage::Transaction::Mode::kLatest));
      bool is_conflict = false;
      for (; at < records.size(); ++at) {
        Status entered = enter_record(*unit, records[at]);
        if (entered) continue;
        if (entered.error().code() != ErrorCode::kWriteConflict) return entered;
        is_conflict = true;
        break;
      }
      RESTITCH_CHECK(commit(std::move(unit)));
      kill_point::reach("index.part");
      if (is_conflict) {
        std::this_thread::sleep_for(conflict_pause(conflicts++));
      } else {
        conflicts = 0;
      }
    }
    return {};
  }

  Status enter_record(WriteUnit& unit, storage::RecordId record) {
    RESTITCH_TRY(const bool found,
                 unit.transaction().lock_record(collection_->ident, record, bytes_));
    if (!found) return {};
    const View document(reinterpret_cast<const std::uint8_t*>(bytes_.data()));
    RecordWriter writer(*services_.engine, *collection_, unit, error_extra_);
    for (const IndexPtr& index : indexes_) {
      RESTITCH_CHECK(writer.enter(index, record, document));
    }
    unit.note_write();
    return {};
  }

  Status commit(std::unique_ptr<WriteUnit> unit) {
    if (!unit->has_writes()) return {};
    return wait_for_commit(*services_.engine, std::move(unit), storage::Durability::kBuffered);
  }

  Services& services_;
  CollectionPtr collection_;
  std::vector<IndexPtr> indexes_;
  std::string build_id_ = new_uuid();
  Document error_extra_;
  std::string bytes_;
};

}  // namespace

Status build_indexes(Services& services, const CollectionPtr& former, const CollectionPtr& building,
                     const std::vector<storage::IndexId>& idents, bson::Document& error_extra) {
  Catalog::wait_for_writers(*former);
  IndexBuild build(services, building, idents);
  if (Status built = build.run(); !built) {
    error_extra = build.error_extra();
    return build.failed(std::move(built).error());
  }
  kill_point::reach("index.filled");
  return {};
}

}  // namespace restitch::datasource::embedded
