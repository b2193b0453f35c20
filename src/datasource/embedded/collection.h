#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/index.h"
#include "datasource/embedded/namespace.h"
#include "datasource/embedded/open_inserts.h"
#include "datasource/embedded/plan_cache.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// Number and total size of a collection's documents, as of the last published commit. Changed on
// the commit thread.
struct CollectionCounters {
  std::atomic<std::int64_t> count{0};
  std::atomic<std::int64_t> bytes{0};
  std::atomic<bool> is_dirty{false};  // differs from the stored row
  // Capped collections only.
  OpenInserts open_inserts;
  std::atomic<storage::RecordId> evicted_below{0};  // there is no record below it: scans begin here
};

enum class CollectionKind : std::uint8_t { kCollection, kView };
enum class ValidationLevel : std::uint8_t { kStrict, kModerate, kOff };

// One version of a collection's description. Immutable, shared; a schema change publishes another
// version.
struct Collection {
  Namespace ns;
  std::string full_name;
  storage::CollectionId ident = 0;
  std::string uuid;  // 16 bytes
  CollectionKind kind = CollectionKind::kCollection;
  bson::Document options;         // as listCollections prints them
  std::vector<IndexPtr> indexes;  // _id_ first; building ones included
  std::shared_ptr<CollectionCounters> counters;

  std::shared_ptr<const StoredFilter> validator;
  ValidationLevel validation_level = ValidationLevel::kStrict;
  bool validation_warns_only = false;
  bool has_pre_images = false;
  bool is_capped = false;
  std::int64_t capped_bytes = 0, capped_count = 0;  // 0: no limit on the count
  std::shared_ptr<const query::Collation> collation;
  std::string view_on;
  bson::Document view_pipeline;  // an array

  // Commit that gave the collection this name; readers of older states must not use it.
  bson::Timestamp valid_from;

  // Plans chosen for this version's indexes.
  std::shared_ptr<PlanCache> plan_cache = std::make_shared<PlanCache>();

  // Writers that work with this version (see WriterPin).
  std::shared_ptr<std::atomic<int>> writers = std::make_shared<std::atomic<int>>(0);

  bool is_view() const { return kind == CollectionKind::kView; }
  const Index& id_index() const { return *indexes.front(); }
  IndexPtr find_index(std::string_view name) const;
};
using CollectionPtr = std::shared_ptr<const Collection>;

// The usual text form of the 16 bytes of a UUID.
std::string uuid_text(std::string_view uuid);

// Reads a catalog row. `counters` and index runtimes are taken over from `previous` where it is
// given.
Result<std::shared_ptr<Collection>> make_collection(bson::View row, const Collection* previous);
// The row of make_collection; indexes that are still being built are left out.
bson::Document collection_row(const Collection& collection);

// All collections at one moment. Immutable.
struct CatalogState {
  std::map<std::string, CollectionPtr, std::less<>> collections;  // by full name
  // When a name lost its collection: what readers of older states cannot see any more. Names are
  // forgotten when no reader can be that old.
  std::map<std::string, bson::Timestamp, std::less<>> dropped;

  CollectionPtr find(std::string_view full_name) const;
  // Zero for a name that has not lost a collection lately.
  bson::Timestamp dropped_at(std::string_view full_name) const;
  std::vector<CollectionPtr> of_database(std::string_view database) const;
  std::vector<std::string> databases() const;
  // A database whose name differs from this one in the case of letters only.
  std::optional<std::string> database_in_other_case(std::string_view name) const;
};
using CatalogStatePtr = std::shared_ptr<const CatalogState>;

// Says that somebody writes with a version of a collection. Held from before the first write until
// its commit has ended; schema changes wait for it.
class WriterPin {
 public:
  WriterPin() = default;
  explicit WriterPin(CollectionPtr collection) : collection_(std::move(collection)) {
    collection_->writers->fetch_add(1);
  }
  WriterPin(WriterPin&& other) noexcept : collection_(std::move(other.collection_)) {}
  WriterPin& operator=(WriterPin&& other) noexcept {
    if (this != &other) {
      release();
      collection_ = std::move(other.collection_);
    }
    return *this;
  }
  WriterPin(const WriterPin&) = delete;
  WriterPin& operator=(const WriterPin&) = delete;
  ~WriterPin() { release(); }

  const CollectionPtr& collection() const { return collection_; }

 private:
  void release() {
    if (collection_) collection_->writers->fetch_sub(1);
    collection_.reset();
  }

  CollectionPtr collection_;
};

}  // namespace restitch::datasource::embedded
