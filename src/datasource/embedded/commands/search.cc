#include "datasource/embedded/command_table.h"
#include "query/pipeline/pipeline.h"

namespace restitch::datasource::embedded {

namespace {

// A search index needs a search engine beside the database, which MongoDB has in Atlas only.
Result<bson::Document> refuse(Operation&) {
  return mongo_error(31082, std::string(query::kSearchNotEnabled));
}

}  // namespace

std::span<const CommandSpec> search_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "createSearchIndexes", .flags = kIgnoresUnknownFields, .read = refuse},
      {.name = "updateSearchIndex", .flags = kIgnoresUnknownFields, .read = refuse},
      {.name = "dropSearchIndex", .flags = kIgnoresUnknownFields, .read = refuse},
      {.name = "listSearchIndexes", .flags = kIgnoresUnknownFields, .read = refuse},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
