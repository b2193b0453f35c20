#include "datasource/embedded/schema_changes.h"

#include <algorithm>

#include "base/log.h"
#include "bson/compare.h"
#include "bson/extended_json.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/index_build.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Document;
using bson::View;

constexpr std::size_t kMaxIndexes = 64;

Error view_error(const Namespace& ns) {
  return mongo_error(code::kViewError, "Namespace " + ns.full() + " is a view, not a collection");
}

// Whether stored and requested specification differ in options that are not part of the signature.
bool same_options(View a, View b) {
  const auto value = [](View spec, std::string_view name) { return spec[name]; };
  return bson::equal(value(a, "expireAfterSeconds"), value(b, "expireAfterSeconds")) &&
         a["hidden"].truthy() == b["hidden"].truthy();
}

// Decides about one request against one index that is there: a conflict, the same index (true), or
// neither (false).
Result<bool> is_same_index(const Index& existing, const IndexRequest& request) {
  const bool same_name = existing.name == request.name();
  const bool same_signature =
      bson::equal(index_signature(existing.spec).view(), request.signature.view());
  const std::string both = "Requested index: " + bson::to_shell(request.spec.view()) +
                           ", existing index: " + bson::to_shell(existing.spec.view());
  if (same_signature) {
    const bool equal_options = same_options(existing.spec, request.spec);
    if (same_name && equal_options) return true;
    if (existing.is_id()) return true;
    if (same_name) {
      return mongo_error(code::kIndexOptionsConflict,
                         "An equivalent index already exists with the same name but different "
                         "options. " +
                             both);
    }
    if (equal_options) {
      return mongo_error(code::kIndexOptionsConflict,
                         "Index already exists with a different name: " + existing.name);
    }
    return mongo_error(
        code::kIndexOptionsConflict,
        "An equivalent index already exists with a different name and options. " + both);
  }
  if (same_name) {
    return mongo_error(
        code::kIndexKeySpecsConflict,
        "An existing index has the same name as the requested index. When index names are not "
        "specified, they are auto generated and can cause conflicts. Please refer to our "
        "documentation. " +
            both);
  }
  return false;
}

// The requests that are not there yet.
Result<std::vector<IndexRequest>> missing_indexes(const Collection& collection,
                                                  const std::vector<View>& specs) {
  std::vector<IndexRequest> missing;
  const View default_collation =
      collection.collation ? collection.collation->spec().view() : View();
  for (const View spec : specs) {
    RESTITCH_TRY(IndexRequest request, parse_index_request(spec, default_collation));
    if (collection.is_capped && request.spec.view().contains("expireAfterSeconds")) {
      return mongo_error(code::kCannotCreateIndex,
                         "Cannot create TTL index on a capped collection");
    }
    bool is_there = false;
    for (const IndexPtr& index : collection.indexes) {
      RESTITCH_TRY(const bool same, is_same_index(*index, request));
      is_there = is_there || same;
    }
    for (const IndexRequest& other : missing) {
      if (bson::equal(other.spec.view(), request.spec.view())) {
        return mongo_error(code::kIndexAlreadyExists,
                           "Identical index already exists: " + std::string(request.name()));
      }
      if (other.name() == request.name()) {
        return mongo_error(code::kIndexKeySpecsConflict,
                           "An existing index has the same name as the requested index: " +
                               std::string(request.name()));
      }
    }
    if (!is_there) missing.push_back(std::move(request));
  }
  if (collection.indexes.size() + missing.size() > kMaxIndexes) {
    return mongo_error(code::kCannotCreateIndex,
                       "add index fails, too many indexes for " + collection.full_name);
  }
  return missing;
}

std::int32_t ready_count(const Collection& collection) {
  return static_cast<std::int32_t>(
      std::count_if(collection.indexes.begin(), collection.indexes.end(),
                    [](const IndexPtr& index) { return !index->is_building; }));
}

// Index builds of one collection that run already are waited for by being asked again.
bool is_building(const Collection& collection) {
  return std::any_of(collection.indexes.begin(), collection.indexes.end(),
                     [](const IndexPtr& index) { return index->is_building; });
}

}  // namespace

Status ensure_collection(Services& services, const Namespace& ns) {
  const std::lock_guard lock(services.schema_mutex);
  if (const CollectionPtr found = services.catalog->find(ns.database, ns.collection)) {
    if (found->is_view()) return view_error(ns);
    return {};
  }
  RESTITCH_CHECK(services.catalog->create(ns, View(), View()));
  return {};
}

Status create_like(Services& services, const Namespace& ns, const CollectionPtr& model) {
  std::vector<View> specs;
  CollectionPtr created;
  {
    const std::lock_guard lock(services.schema_mutex);
    const View options = model ? model->options.view() : View();
    const View collation = model && model->collation ? model->collation->spec().view() : View();
    RESTITCH_TRY(created, services.catalog->create(ns, options, collation));
  }
  if (!model) return {};
  for (const IndexPtr& index : model->indexes) {
    if (!index->is_id() && !index->is_building) specs.push_back(index->spec);
  }
  if (specs.empty()) return {};
  RESTITCH_CHECK(create_indexes(services, ns, specs));
  return {};
}

Status replace_collection(Services& services, const Namespace& source, const Namespace& target) {
  const std::lock_guard lock(services.schema_mutex);
  const CollectionPtr from = services.catalog->find(source.database, source.collection);
  const CollectionPtr to = services.catalog->find(target.database, target.collection);
  if (!from) {
    return mongo_error(code::kNamespaceNotFound,
                       "Source collection " + source.full() + " does not exist");
  }
  return services.catalog->rename(from, target, to);
}

void drop_quietly(Services& services, const Namespace& ns) {
  const std::lock_guard lock(services.schema_mutex);
  const CollectionPtr found = services.catalog->find(ns.database, ns.collection);
  if (!found) return;
  if (Status dropped = services.catalog->drop(found); !dropped) {
    RESTITCH_LOG(kWarning, kSource, 5103, "Dropping a temporary collection failed",
                 {"namespace", ns.full()}, {"error", dropped.error().message()});
  }
}

Result<IndexCreation> create_indexes(Services& services, const Namespace& ns,
                                     const std::vector<View>& specs, Document* error_extra) {
  IndexCreation result;
  CollectionPtr former, building;
  std::vector<storage::IndexId> idents;
  {
    const std::lock_guard lock(services.schema_mutex);
    former = services.catalog->find(ns.database, ns.collection);
    if (former && former->is_view()) return view_error(ns);
    if (!former) {
      // Checked first, so that a bad specification creates no collection.
      for (const View spec : specs) RESTITCH_CHECK(parse_index_request(spec, View()));
      RESTITCH_TRY(former, services.catalog->create(ns, View(), View()));
      result.created_collection = true;
    }
    if (is_building(*former)) {
      RESTITCH_TRY(const auto conflicting, missing_indexes(*former, specs));
      if (conflicting.size() < specs.size()) {
        // The caller asks again until it is built.
        return Error(ErrorCode::kWriteConflict, "an index of the same name or keys is being built");
      }
    }
    result.before = ready_count(*former);
    RESTITCH_TRY(const std::vector<IndexRequest> missing, missing_indexes(*former, specs));
    if (missing.empty()) {
      result.after = result.before;
      result.did_nothing = true;
      return result;
    }
    RESTITCH_TRY(building, services.catalog->begin_indexes(former, missing));
    for (std::size_t at = former->indexes.size(); at < building->indexes.size(); ++at) {
      idents.push_back(building->indexes[at]->ident);
    }
  }
  Document extra;
  Status built = build_indexes(services, former, building, idents, extra);
  if (error_extra != nullptr) *error_extra = std::move(extra);
  const std::lock_guard lock(services.schema_mutex);
  const CollectionPtr current = services.catalog->state()->find(ns.full());
  if (built && (!current || current->ident != building->ident)) {
    built = mongo_error(code::kIndexBuildAborted,
                        "Index build aborted: the collection has been dropped or renamed");
  }
  if (built) built = services.catalog->finish_indexes(current, idents);
  if (!built) {
    services.catalog->abandon_indexes(building->ident, idents);
    return std::move(built).error();
  }
  result.after = ready_count(*services.catalog->find(ns.database, ns.collection));
  return result;
}

Result<CollectionPtr> create_in_transaction(Services& services, WriteUnit& unit,
                                            const Namespace& ns, View options) {
  RESTITCH_TRY(NameReservation reservation, services.catalog->reserve(ns));
  const auto collation = options["collation"].as_object();
  RESTITCH_TRY(std::shared_ptr<Collection> made,
               services.catalog->make_new(ns, options, collation.value_or(View())));
  CollectionPtr created = made;
  unit.create(*services.catalog, std::move(made), std::move(reservation));
  return created;
}

Result<IndexCreation> create_indexes_in_transaction(Services& services, WriteUnit& unit,
                                                    const CollectionPtr& collection,
                                                    const Namespace& ns,
                                                    const std::vector<View>& specs) {
  IndexCreation result;
  CollectionPtr former = collection;
  if (former && former->is_view()) return view_error(ns);
  if (!former) {
    for (const View spec : specs) RESTITCH_CHECK(parse_index_request(spec, View()));
    RESTITCH_TRY(former, create_in_transaction(services, unit, ns, View()));
    result.created_collection = true;
  }
  result.before = ready_count(*former);
  RESTITCH_TRY(const std::vector<IndexRequest> missing, missing_indexes(*former, specs));
  if (missing.empty()) {
    result.after = result.before;
    result.did_nothing = true;
    return result;
  }
  const bool is_own = unit.created(former->full_name) != nullptr;
  if (!is_own || unit.added(*former->counters) != 0) {
    return mongo_error(code::kNotInTransaction, std::string("Cannot create new indexes on ") +
                                                    (is_own ? "non-empty" : "existing") +
                                                    " collection " + ns.full() +
                                                    " in a multi-document transaction.");
  }
  RESTITCH_TRY(std::shared_ptr<Collection> version,
               services.catalog->make_indexed(*former, missing));
  result.after = ready_count(*version);
  unit.replace_created(std::move(version));
  return result;
}

}  // namespace restitch::datasource::embedded
