#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bson/document.h"
#include "datasource/embedded/collection.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// Entries of the change log. Every entry is a document of
//   op     string  kind, see below
//   ns     string  full name of the collection (the database's name for dropDatabase)
//   ui     UUID    of the collection (not for dropDatabase)
//   c      int     ident of the collection (not for dropDatabase)
//   w      date    wall clock
//   k      object  document key {_id}                              i u r d
//   o      object  insert, replace: the document; update: the description {updatedFields,
//   removedFields,
//                  truncatedArrays}; collection changes: the operation's description
//   d      object  disambiguatedPaths of an update, when there are some
//   p      object  update of a collection with images: the document afterwards
//   before object  modify: collectionOptions and indexOptions before the change
//   view   bool    true when the collection is a view
//   z      int     change of the stored bytes; n  int  of the number of documents (not when 0)
//   lsid, txnNumber                                                of a transaction
// and, for an update of a collection with images, the pre-image beside the entry.
namespace change {
inline constexpr std::string_view kInsert = "i";
inline constexpr std::string_view kUpdate = "u";
inline constexpr std::string_view kReplace = "r";
inline constexpr std::string_view kDelete = "d";
inline constexpr std::string_view kCreate = "create";
inline constexpr std::string_view kDrop = "drop";
inline constexpr std::string_view kRename = "rename";
inline constexpr std::string_view kDropDatabase = "dropDatabase";
inline constexpr std::string_view kCreateIndexes = "createIndexes";
inline constexpr std::string_view kDropIndexes = "dropIndexes";
inline constexpr std::string_view kModify = "modify";
}  // namespace change

// The session that a transaction's entries name.
struct ChangeOrigin {
  bson::Document lsid;
  std::int64_t txn_number = 0;
};

struct RecordChange {
  std::string_view kind;
  bson::ValueView id;
  bson::View body;                    // empty for delete
  std::int64_t bytes = 0, count = 0;  // differences
  std::optional<bson::View> pre_image;
  bson::View disambiguated_paths;
  std::optional<bson::View>
      post_image;  // of an update; the images are kept where the collection has them
};

bson::Date wall_clock();

storage::Change make_record_change(const Collection& collection, const RecordChange& change,
                                   const std::optional<ChangeOrigin>& origin);
storage::Change make_collection_change(const Collection& collection, std::string_view kind,
                                       bson::View body, bson::View state_before = {});
storage::Change make_drop_database_change(std::string_view database);

}  // namespace restitch::datasource::embedded
