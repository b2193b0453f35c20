#include "datasource/embedded/change_log.h"

#include <chrono>

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

void append_head(Builder& builder, const Collection& collection, std::string_view kind) {
  builder.append("op", kind);
  builder.append("ns", collection.full_name);
  builder.append_binary("ui", 4, collection.uuid);
  builder.append("c", static_cast<std::int64_t>(collection.ident));
  builder.append("w", wall_clock());
  if (collection.is_view()) builder.append("view", true);
}

}  // namespace

bson::Date wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return bson::Date{std::chrono::duration_cast<std::chrono::milliseconds>(now).count()};
}

storage::Change make_record_change(const Collection& collection, const RecordChange& change,
                                   const std::optional<ChangeOrigin>& origin) {
  Builder builder;
  append_head(builder, collection, change.kind);
  builder.open_object("k").append("_id", change.id).close();
  if (change.kind != change::kDelete) builder.append("o", change.body);
  if (!change.disambiguated_paths.empty()) builder.append("d", change.disambiguated_paths);
  if (change.post_image && collection.has_pre_images) builder.append("p", *change.post_image);
  if (change.bytes != 0) builder.append("z", change.bytes);
  if (change.count != 0) builder.append("n", change.count);
  if (origin) {
    builder.append("lsid", origin->lsid);
    builder.append("txnNumber", origin->txn_number);
  }
  storage::Change made;
  made.entry = std::move(builder).finish();
  if (change.pre_image && collection.has_pre_images) made.pre_image = Document(*change.pre_image);
  return made;
}

storage::Change make_collection_change(const Collection& collection, std::string_view kind,
                                       View body, View state_before) {
  Builder builder;
  append_head(builder, collection, kind);
  builder.append("o", body);
  if (!state_before.empty()) builder.append("before", state_before);
  storage::Change made;
  made.entry = std::move(builder).finish();
  return made;
}

storage::Change make_drop_database_change(std::string_view database) {
  Builder builder;
  builder.append("op", change::kDropDatabase);
  builder.append("ns", database);
  builder.append("w", wall_clock());
  storage::Change made;
  made.entry = std::move(builder).finish();
  return made;
}

}  // namespace restitch::datasource::embedded
