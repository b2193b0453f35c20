#include "datasource/embedded/catalog_view.h"

#include "bson/extended_json.h"
#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

namespace {

std::string text_of(bson::Timestamp time) {
  return "Timestamp(" + std::to_string(time.seconds) + ", " + std::to_string(time.increment) + ")";
}

Error unavailable(bson::Timestamp snapshot, bson::Timestamp minimum) {
  return mongo_error(code::kSnapshotUnavailable,
                     "Unable to read from a snapshot due to pending collection catalog changes; "
                     "please retry the operation. Snapshot timestamp is " +
                         text_of(snapshot) + ". Collection minimum is " + text_of(minimum));
}

}  // namespace

Result<CollectionPtr> CatalogView::find(std::string_view database,
                                        std::string_view collection) const {
  std::string name;
  name.reserve(database.size() + collection.size() + 1);
  name.append(database).append(1, '.').append(collection);
  return find(name);
}

Result<CollectionPtr> CatalogView::find(std::string_view full_name) const {
  if (unit_ != nullptr) {
    if (CollectionPtr own = unit_->created(full_name)) return own;
  }
  const CatalogStatePtr state = catalog_->state();
  CollectionPtr found = state->find(full_name);
  const bson::Timestamp changed = found ? found->valid_from : state->dropped_at(full_name);
  if (changed > read_time_) return unavailable(read_time_, changed);
  return found;
}

}  // namespace restitch::datasource::embedded
