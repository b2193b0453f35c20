#pragma once

#include <string_view>

#include "base/result.h"
#include "datasource/embedded/catalog.h"
#include "datasource/embedded/write_unit.h"

namespace restitch::datasource::embedded {

// The collections that a command sees: those of now, or, for a reader of an older state, those of
// then, with what its own transaction has created.
class CatalogView {
 public:
  explicit CatalogView(const Catalog& catalog) : catalog_(&catalog) {}
  // `unit`, when not null, outlives the view.
  CatalogView(const Catalog& catalog, const WriteUnit* unit, bson::Timestamp read_time)
      : catalog_(&catalog), unit_(unit), read_time_(read_time) {}

  // Null if there is none. Error 246 when the collection has come, gone or been renamed since the
  // state that is read.
  Result<CollectionPtr> find(std::string_view database, std::string_view collection) const;
  Result<CollectionPtr> find(std::string_view full_name) const;

 private:
  const Catalog* catalog_;
  const WriteUnit* unit_ = nullptr;
  bson::Timestamp read_time_{UINT32_MAX, UINT32_MAX};
};

}  // namespace restitch::datasource::embedded
