#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/index.h"

namespace restitch::datasource::embedded {

struct IndexKey {
  std::string key;
  std::string type_bits;
};

struct IndexKeys {
  std::vector<IndexKey> keys;           // distinct, in key order
  std::vector<std::uint64_t> multikey;  // per field: path components at which an array was met

  void clear() {
    keys.clear();
    multikey.clear();
  }
};

// Entries of a document in an index (spec: mongodb-engine §10.2); none when the document is not in
// the index (sparse, partial). Errors: 171 for arrays on two branches, 16766 for an array under a
// hashed field.
Status generate_keys(const Index& index, bson::View document, IndexKeys& out);

// Appends the encoded form of one field's value as the index stores it: hashed, collated,
// descending.
void append_index_value(const IndexField& field, const query::Collation* collation,
                        bson::ValueView value, std::string& key, std::string* type_bits);
// Hash of hashed indexes. Equal values have equal hashes; stored on disk.
std::int64_t hashed_value(bson::ValueView value);

// {a: 1, b: "x"}: the values of an encoded key under the index's field names, for messages; missing
// reads as null.
bson::Document decode_index_key(const Index& index, std::string_view key,
                                std::string_view type_bits);

}  // namespace restitch::datasource::embedded
