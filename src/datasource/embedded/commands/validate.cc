#include "datasource/embedded/commands/validate.h"

#include <algorithm>
#include <unordered_set>

#include "bson/validate.h"
#include "datasource/embedded/catalog.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/index_keys.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {
namespace {

using bson::Builder;
using bson::Document;
using bson::View;

// Lists of findings stay within a reply; what is left out is told in a warning.
constexpr std::size_t kMostListed = 1000;
constexpr std::size_t kMostListedBytes = 1U << 20U;

class FindingList {
 public:
  void add(Document document) {
    ++found_;
    if (documents_.size() >= kMostListed || bytes_ > kMostListedBytes) return;
    bytes_ += document.bytes().size();
    documents_.push_back(std::move(document));
  }
  std::size_t found() const { return found_; }
  bool is_cut() const { return found_ > documents_.size(); }
  void append_to(Builder& reply, const char* name) const {
    reply.open_array(name);
    for (const Document& document : documents_) reply.push(document);
    reply.close();
  }

 private:
  std::vector<Document> documents_;
  std::size_t found_ = 0, bytes_ = 0;
};

struct IndexFindings {
  std::int64_t keys = 0;
  std::size_t missing = 0, extra = 0;
  std::vector<std::string> errors;
  bool is_valid() const { return missing == 0 && extra == 0 && errors.empty(); }
};

Document entry_document(const Index& index, storage::RecordId record, std::string_view key,
                        std::string_view bits) {
  Builder builder;
  builder.append("indexName", index.name);
  builder.append("recordId", record);
  builder.append("indexKey", decode_index_key(index, key, bits));
  return std::move(builder).finish();
}

class Validation {
 public:
  Validation(const Operation& operation, const Collection& collection,
             const storage::Reader& reader)
      : operation_(operation),
        collection_(collection),
        reader_(reader),
        indexes_(collection.indexes.size()) {}

  Status run() {
    RESTITCH_CHECK(check_records());
    for (std::size_t at = 0; at < indexes_.size(); ++at) {
      if (!collection_.indexes[at]->is_building) RESTITCH_CHECK(check_entries(at));
    }
    return {};
  }

  Document reply() const {
    const bool is_valid = errors_.empty() && corrupt_.empty() &&
                          std::all_of(indexes_.begin(), indexes_.end(),
                                      [](const IndexFindings& index) { return index.is_valid(); });
    Builder reply;
    reply.append("ns", collection_.full_name);
    reply.append_binary("uuid", 4, collection_.uuid);
    reply.append("nInvalidDocuments", static_cast<std::int64_t>(corrupt_.size()));
    reply.append("nNonCompliantDocuments", non_compliant_);
    reply.append("nrecords", records_);
    reply.append("nIndexes", static_cast<std::int32_t>(indexes_.size()));
    append_indexes(reply);
    reply.append("valid", is_valid).append("repaired", false).append("readOnly", false);
    append_warnings(reply);
    append_errors(reply);
    extra_.append_to(reply, "extraIndexEntries");
    missing_.append_to(reply, "missingIndexEntries");
    reply.open_array("corruptRecords");
    for (std::size_t at = 0; at < std::min(corrupt_.size(), kMostListed); ++at)
      reply.push(corrupt_[at]);
    reply.close();
    return std::move(reply).finish();
  }

 private:
  // Every record must have exactly its keys in each index.
  Status check_records() {
    auto cursor = reader_.records(collection_.ident, true, storage::ReadTier::kAll);
    std::optional<storage::RecordId> last;
    for (;;) {
      RESTITCH_CHECK(operation_.check_deadline());
      Result<bool> found = cursor->next();
      if (!found) {
        // Damaged bytes of one record: the cursor goes on behind it. Anything else ends the scan.
        if (found.error().code() != ErrorCode::kCorrupt || cursor->id() <= last.value_or(0)) {
          return std::move(found).error();
        }
        last = cursor->id();
        note_corrupt(*last);
        continue;
      }
      if (!*found) return {};
      last = cursor->id();
      if (!bson::validate(cursor->document().bytes())) {
        note_corrupt(*last);
        continue;
      }
      RESTITCH_CHECK(check_record(*last, cursor->document()));
    }
  }

  void note_corrupt(storage::RecordId record) {
    ++records_;
    corrupt_.push_back(record);
    is_corrupt_.insert(record);
  }

  Status check_record(storage::RecordId record, View document) {
    ++records_;
    if (collection_.validator) {
      const auto matches = collection_.validator->filter->matches(document);
      if (!matches || !*matches) ++non_compliant_;
    }
    for (std::size_t at = 0; at < indexes_.size(); ++at) {
      const Index& index = *collection_.indexes[at];
      if (index.is_building) continue;
      if (Status generated = generate_keys(index, document, keys_); !generated) {
        add_error(indexes_[at].errors, "record " + std::to_string(record) +
                                           " has no keys: " + generated.error().message());
        continue;
      }
      RESTITCH_CHECK(check_keys(at, record));
    }
    return {};
  }

  Status check_keys(std::size_t at, storage::RecordId record) {
    const Index& index = *collection_.indexes[at];
    for (const IndexKey& entry : keys_.keys) {
      RESTITCH_TRY(const bool is_there, has_entry(index, entry, record));
      if (is_there) continue;
      ++indexes_[at].missing;
      missing_.add(entry_document(index, record, entry.key, entry.type_bits));
    }
    for (std::size_t field = 0; field < keys_.multikey.size(); ++field) {
      if ((keys_.multikey[field] & ~index.multikey_bits(field)) != 0) {
        add_error(indexes_[at].errors, "Index " + index.name +
                                           " is not marked as multikey, but record " +
                                           std::to_string(record) + " has an array");
      }
    }
    return {};
  }

  Result<bool> has_entry(const Index& index, const IndexKey& wanted,
                         storage::RecordId record) const {
    storage::KeyRange range{wanted.key, wanted.key + '\xFF'};
    auto entries = reader_.entries(index.ref(), std::move(range), true, storage::ReadTier::kAll);
    for (;;) {
      RESTITCH_TRY(const bool more, entries->next());
      if (!more || entries->key() != wanted.key) return false;
      if (entries->record() == record) return entries->type_bits() == wanted.type_bits;
    }
  }

  // Every entry must belong to a record that has that key.
  Status check_entries(std::size_t at) {
    const Index& index = *collection_.indexes[at];
    std::string bytes;
    auto entries = reader_.entries(index.ref(), {}, true, storage::ReadTier::kAll);
    for (;;) {
      RESTITCH_CHECK(operation_.check_deadline());
      RESTITCH_TRY(const bool found, entries->next());
      if (!found) return {};
      ++indexes_[at].keys;
      if (is_corrupt_.contains(entries->record())) continue;  // told already
      RESTITCH_TRY(const bool is_right, belongs_to_record(index, *entries, bytes));
      if (is_right) continue;
      ++indexes_[at].extra;
      extra_.add(entry_document(index, entries->record(), entries->key(), entries->type_bits()));
    }
  }

  Result<bool> belongs_to_record(const Index& index, const storage::IndexCursor& entry,
                                 std::string& bytes) {
    RESTITCH_TRY(const bool has_record,
                 reader_.record(collection_.ident, entry.record(), storage::ReadTier::kAll, bytes));
    if (!has_record) return false;
    const View document(reinterpret_cast<const std::uint8_t*>(bytes.data()));
    if (!generate_keys(index, document, keys_)) return false;
    return std::any_of(keys_.keys.begin(), keys_.keys.end(),
                       [&](const IndexKey& key) { return key.key == entry.key(); });
  }

  static void add_error(std::vector<std::string>& errors, std::string text) {
    constexpr std::size_t kMostErrors = 100;
    if (errors.size() < kMostErrors) errors.push_back(std::move(text));
  }

  void append_indexes(Builder& reply) const {
    reply.open_object("keysPerIndex");
    for (std::size_t at = 0; at < indexes_.size(); ++at) {
      reply.append(collection_.indexes[at]->name, indexes_[at].keys);
    }
    reply.close();
    reply.open_object("indexDetails");
    for (std::size_t at = 0; at < indexes_.size(); ++at) {
      reply.open_object(collection_.indexes[at]->name).append("valid", indexes_[at].is_valid());
      if (!indexes_[at].errors.empty()) {
        reply.open_array("errors");
        for (const std::string& error : indexes_[at].errors) reply.push(error);
        reply.close();
      }
      reply.close();
    }
    reply.close();
  }

  void append_warnings(Builder& reply) const {
    reply.open_array("warnings");
    if (non_compliant_ > 0) {
      reply.push(
          "Detected one or more documents not compliant with the collection's schema. Check logs "
          "for log id "
          "5363500.");
    }
    if (extra_.is_cut())
      reply.push("Not all extra index entry inconsistencies are listed due to size limitations.");
    if (missing_.is_cut())
      reply.push("Not all missing index entry inconsistencies are listed due to size limitations.");
    reply.close();
  }

  void append_errors(Builder& reply) const {
    reply.open_array("errors");
    for (const std::string& error : errors_) reply.push(error);
    if (!corrupt_.empty()) {
      reply.push("Detected " + std::to_string(corrupt_.size()) + " corrupt documents.");
    }
    if (extra_.found() > 0)
      reply.push("Detected " + std::to_string(extra_.found()) + " extra index entries.");
    if (missing_.found() > 0)
      reply.push("Detected " + std::to_string(missing_.found()) + " missing index entries.");
    for (std::size_t at = 0; at < indexes_.size(); ++at) {
      if (!indexes_[at].is_valid()) {
        reply.push("Index with name '" + collection_.indexes[at]->name + "' has inconsistencies.");
      }
    }
    reply.close();
  }

  const Operation& operation_;
  const Collection& collection_;
  const storage::Reader& reader_;
  std::int64_t records_ = 0, non_compliant_ = 0;
  std::vector<storage::RecordId> corrupt_;
  std::unordered_set<storage::RecordId> is_corrupt_;
  std::vector<std::string> errors_;
  std::vector<IndexFindings> indexes_;
  FindingList missing_, extra_;
  IndexKeys keys_;
};

}  // namespace

Result<Document> validate_collection(Operation& operation) {
  RESTITCH_TRY(const Namespace ns, operation.target_namespace());
  RESTITCH_TRY(const bool repairs, operation.fields().boolean("repair"));
  RESTITCH_TRY(const bool is_full, operation.fields().boolean("full"));
  RESTITCH_TRY(const bool is_metadata_only, operation.fields().boolean("metadata"));
  if (repairs) {
    return mongo_error(code::kInvalidOptions,
                       "Running the validate command with { repair: true } is not possible on a "
                       "replica set member");
  }
  if (is_metadata_only && is_full) {
    return mongo_error(code::kInvalidOptions,
                       "Running the validate command with { metadata: true } is not supported with "
                       "any other options");
  }
  if (operation.tier == storage::ReadTier::kCacheOnly) {
    return Error(ErrorCode::kWouldBlock, "validation reads everything");
  }
  const storage::SnapshotPtr snapshot = operation.snapshot();
  const CollectionPtr collection = operation.services.catalog->find(ns.database, ns.collection);
  if (!collection) {
    return mongo_error(code::kNamespaceNotFound,
                       "Collection '" + ns.full() + "' does not exist to validate.");
  }
  if (collection->is_view()) return mongo_error(code::kViewError, "Cannot validate a view");
  Validation validation(operation, *collection, *snapshot);
  if (!is_metadata_only) RESTITCH_CHECK(validation.run());
  return validation.reply();
}

}  // namespace restitch::datasource::embedded
