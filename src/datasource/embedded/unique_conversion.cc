#include "datasource/embedded/unique_conversion.h"

#include "datasource/embedded/error_names.h"
#include "datasource/embedded/index_build.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::size_t kMaxViolations = 1000;  // shown
constexpr std::size_t kMaxIds = 10'000;       // shown, over all violations

// Groups of documents that share a key of the index.
class Violations {
 public:
  Violations(Services& services, const Collection& collection, const Index& index)
      : snapshot_(services.engine->snapshot()), collection_(collection), index_(index) {}

  Status find() {
    list_.open_array("violations");
    auto entries = snapshot_->entries(index_.ref(), {}, true, storage::ReadTier::kAll);
    std::string key;
    std::vector<storage::RecordId> records;
    for (;;) {
      RESTITCH_TRY(const bool found, entries->next());
      if (found && !records.empty() && entries->key() == key) {
        if (records.size() < kMaxIds) records.push_back(entries->record());
        continue;
      }
      RESTITCH_CHECK(add(records));
      if (!found || count_ == kMaxViolations || ids_ >= kMaxIds) break;
      key.assign(entries->key());
      records.assign(1, entries->record());
    }
    list_.close();
    return {};
  }

  bool empty() const { return count_ == 0; }
  Document finish() && { return std::move(list_).finish(); }

 private:
  Status add(const std::vector<storage::RecordId>& records) {
    if (records.size() < 2) return {};
    ++count_;
    list_.push_object().open_array("ids");
    std::string bytes;
    for (const storage::RecordId record : records) {
      if (++ids_ > kMaxIds) break;
      RESTITCH_TRY(const bool found,
                   snapshot_->record(collection_.ident, record, storage::ReadTier::kAll, bytes));
      if (found) list_.push(View(reinterpret_cast<const std::uint8_t*>(bytes.data()))["_id"]);
    }
    list_.close().close();
    return {};
  }

  storage::SnapshotPtr snapshot_;
  const Collection& collection_;
  const Index& index_;
  Builder list_;
  std::size_t count_ = 0, ids_ = 0;
};

Status check_violations(Services& services, const Collection& collection, const Index& index,
                        Document& error_extra) {
  Violations violations(services, collection, index);
  RESTITCH_CHECK(violations.find());
  if (violations.empty()) return {};
  error_extra = std::move(violations).finish();
  return mongo_error(359,
                     "Cannot convert the index to unique. Please resolve conflicting documents "
                     "before running collMod again.");
}

}  // namespace

Status make_index_unique(Services& services, const CollectionPtr& collection, const IndexPtr& index,
                         View spec, Document& error_extra) {
  RESTITCH_CHECK(check_violations(services, *collection, *index, error_extra));
  IndexRequest request;
  request.spec = Document(spec);
  request.signature = index_signature(spec);
  RESTITCH_TRY(const CollectionPtr building,
               services.catalog->begin_indexes(collection, {request}));
  const std::vector<storage::IndexId> idents{building->indexes.back()->ident};
  Status built = build_indexes(services, collection, building, idents, error_extra);
  if (built) built = services.catalog->finish_indexes(building, idents, {index->ident});
  if (built) return {};
  services.catalog->abandon_indexes(building->ident, idents);
  if (built.error().code() == ErrorCode::kDuplicateKey) {
    RESTITCH_CHECK(check_violations(services, *collection, *index, error_extra));
  }
  return built;
}

}  // namespace restitch::datasource::embedded
