#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "query/comparator.h"
#include "query/context.h"
#include "query/filter/filter.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

struct IndexField {
  std::string path;
  std::vector<std::string> components;
  bool descending = false;
  bool hashed = false;
  bool has_numeric_component = false;  // behind the first
};

// A filter with the context that it was compiled in.
struct StoredFilter {
  query::CommandContext context;
  bson::Document spec;
  std::optional<query::Filter> filter;

  static Result<std::shared_ptr<const StoredFilter>> compile(bson::View spec,
                                                             query::Comparator comparator);
};

// What is learnt about an index while it is used. Shared by all versions of the index's
// description.
struct IndexRuntime {
  explicit IndexRuntime(std::size_t fields) : multikey(fields), stored_multikey(fields) {}

  // Per field: bit c is set once a document had an array at path component c. Bits are never
  // cleared. Set before the write that needs them becomes visible, so a reader that takes its
  // snapshot first sees what it must.
  std::vector<std::atomic<std::uint64_t>> multikey;
  // The bits that the catalog holds durably.
  std::vector<std::atomic<std::uint64_t>> stored_multikey;
  std::atomic<std::uint64_t> uses{0};
  bson::Date since;
};

// One index of one collection. Immutable apart from `runtime`.
struct Index {
  storage::IndexId ident = 0;
  std::string name;
  bson::Document spec;  // as listIndexes prints it
  bson::Document key;   // key pattern
  std::vector<IndexField> fields;
  bool unique = false;  // true for _id_ as well
  bool prepares_unique = false;  // new duplicates are refused, old ones may be there
  bool sparse = false;
  bool hidden = false;
  bson::Timestamp usable_from;  // readers of older states must not use it: it is not filled there
  bool is_building = false;     // maintained by writers, not yet usable by readers
  std::optional<std::int64_t> expire_after_seconds;
  std::shared_ptr<const StoredFilter> partial;
  std::shared_ptr<const query::Collation> collation;
  std::shared_ptr<IndexRuntime> runtime;

  bool is_id() const { return name == "_id_"; }
  bool is_hashed() const;
  bool is_multikey() const;
  std::uint64_t multikey_bits(std::size_t field) const {
    return runtime->multikey[field].load(std::memory_order_acquire);
  }
  storage::IndexRef ref() const { return {ident, unique}; }
};
using IndexPtr = std::shared_ptr<const Index>;

// What createIndexes is asked for, completed and checked (spec: mongodb-engine §10.1).
struct IndexRequest {
  bson::Document spec;       // {v, key, name, …options}, as it will be stored
  bson::Document signature;  // the options that make an index another one

  std::string_view name() const { return *spec["name"].as_string(); }
};

// Checks one element of createIndexes' `indexes`. `default_collation` is the collection's.
Result<IndexRequest> parse_index_request(bson::View spec, bson::View default_collation);
// {v: 2, key: {_id: 1}, name: "_id_"} with the collection's collation.
bson::Document id_index_spec(bson::View default_collation);
// Builds the description of a stored index.
Result<std::shared_ptr<Index>> make_index(storage::IndexId ident, bson::View spec);
// Identity of an index for conflict rules: key, collation, partial filter, unique, sparse.
bson::Document index_signature(bson::View spec);
// The default name: fields and directions joined by underscores.
std::string default_index_name(bson::View key);

}  // namespace restitch::datasource::embedded
