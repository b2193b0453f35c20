#include "datasource/embedded/plan_cache.h"

#include "datasource/embedded/catalog.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

// The shape that `query`, `sort`, `projection` and `collation` of the command describe.
Result<QueryShape> shape_of_command(Operation& operation, const Collection& collection) {
  const Fields fields = operation.fields();
  RESTITCH_TRY(const View query, fields.object("query"));
  RESTITCH_TRY(const View sort, fields.object("sort"));
  RESTITCH_TRY(const View projection, fields.object("projection"));
  query::CommandContext context;
  RESTITCH_CHECK(operation.fill_context(context, &collection));
  RESTITCH_TRY(const query::Filter filter, query::Filter::compile(query, context));
  return shape_of(filter, sort, projection, context.comparator.collation());
}

Result<Document> clear(Operation& operation) {
  RESTITCH_TRY(const Namespace ns, operation.target_namespace());
  const Fields fields = operation.fields();
  const CollectionPtr collection = operation.services.catalog->find(ns.database, ns.collection);
  if (!fields.has("query")) {
    if (fields.has("sort") || fields.has("projection") || fields.has("collation")) {
      return mongo_error(code::kBadValue, "sort or projection provided without query");
    }
    if (collection) collection->plan_cache->clear();
    return Document();
  }
  if (!collection) return Document();
  RESTITCH_TRY(const QueryShape shape, shape_of_command(operation, *collection));
  collection->plan_cache->remove(shape);
  return Document();
}

}  // namespace

std::span<const CommandSpec> plan_cache_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "planCacheClear", .read = clear, .fields = "query sort projection collation"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
