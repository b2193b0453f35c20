#include "datasource/embedded/record_writer.h"

#include <algorithm>
#include <cctype>

#include "base/encoding.h"
#include "bson/extended_json.h"
#include "bson/key_encoding.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/validation.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::View;

constexpr std::size_t kMaxUnitBytes = 256U << 20U;

const IndexKey* find_key(const std::vector<IndexKey>& keys, std::string_view key) {
  const auto found = std::lower_bound(
      keys.begin(), keys.end(), key,
      [](const IndexKey& entry, std::string_view wanted) { return entry.key < wanted; });
  return found != keys.end() && found->key == key ? &*found : nullptr;
}

std::string upper_hex(std::string_view bytes) {
  std::string text = to_hex(bytes);
  for (char& digit : text)
    digit = static_cast<char>(std::toupper(static_cast<unsigned char>(digit)));
  return text;
}

// { a: "x", b: null }, as duplicate key errors print keys.
std::string key_text(View key_value, bool is_collated) {
  std::string text = "{ ";
  bool first = true;
  for (const bson::Element& element : key_value) {
    if (!first) text += ", ";
    first = false;
    text += element.name;
    text += ": ";
    if (is_collated && element.value.as_string()) {
      text += "CollationKey(0x" + upper_hex(element.value.get_string()) + ")";
    } else {
      text += bson::to_shell(element.value);
    }
  }
  return text + " }";
}

}  // namespace

Error RecordWriter::duplicate_key(const Index& index, const IndexKey& entry) {
  conflicting_index_ = &index;
  const bson::Document values = decode_index_key(index, entry.key, entry.type_bits);
  std::string text =
      "E11000 duplicate key error collection: " + collection_.full_name + " index: " + index.name;
  Builder extra;
  extra.append("keyPattern", index.key);
  if (index.collation) {
    text += " collation: " + bson::to_shell(index.collation->spec().view());
    extra.open_object("keyValue");
    for (const bson::Element& element : values.view()) {
      if (element.value.as_string()) {
        extra.append(element.name, to_hex(element.value.get_string()));
      } else {
        extra.append(element.name, element.value);
      }
    }
    extra.close();
    extra.open_array("hexEncoded");
    for (const bson::Element& element : values.view()) {
      extra.push(element.value.as_string().has_value());
    }
    extra.close();
    extra.append("collation", index.collation->spec());
  } else {
    extra.append("keyValue", values);
  }
  text += " dup key: " + key_text(values, index.collation != nullptr);
  error_extra_ = std::move(extra).finish();
  return Error(ErrorCode::kDuplicateKey, code::kDuplicateKey, std::move(text));
}

Status RecordWriter::check_valid(View document, const View* before) {
  if (bypasses_validation_ || !collection_.validator) return {};
  return check_document(collection_, document, before, error_extra_);
}

Result<bool> RecordWriter::is_taken(const Index& index, std::string_view key,
                                    storage::RecordId record) {
  const storage::KeyRange range{std::string(key), std::string(key) + bson::kAboveAllValues};
  auto cursor = unit_.transaction().entries(index.ref(), range, true, storage::ReadTier::kAll);
  for (;;) {
    RESTITCH_TRY(const bool found, cursor->next());
    if (!found || cursor->key() != key) return false;
    if (cursor->record() != record) return true;
  }
}

Status RecordWriter::put_entry(const IndexPtr& index, const IndexKey& entry,
                               storage::RecordId record) {
  if (index->prepares_unique) {
    RESTITCH_TRY(const bool taken, is_taken(*index, entry.key, record));
    if (taken) return duplicate_key(*index, entry);
  }
  Status put = unit_.transaction().put_entry(index->ref(), entry.key, entry.type_bits, record);
  if (!put && put.error().code() == ErrorCode::kDuplicateKey) return duplicate_key(*index, entry);
  return put;
}

Status RecordWriter::all_or_nothing(const std::function<Status()>& write) {
  if (unit_.write_bytes() > kMaxUnitBytes) {
    return mongo_error(code::kTransactionTooLarge, "the transaction has written too much data");
  }
  // With _id_ as the only unique index nothing is written before the one step that can fail.
  const bool can_fail_late =
      std::any_of(collection_.indexes.begin() + 1, collection_.indexes.end(),
                  [](const IndexPtr& index) { return index->unique || index->prepares_unique; });
  if (can_fail_late) unit_.transaction().mark();
  Status written = write();
  if (!written && can_fail_late) unit_.transaction().rollback_to_mark();
  return written;
}

Status RecordWriter::insert(View document) {
  if (collection_.is_capped && document.size() > collection_.capped_bytes) {
    return mongo_error(code::kTooLargeForCapped, "object to insert exceeds cappedMaxSize (" +
                                                     std::to_string(collection_.capped_bytes) +
                                                     ")");
  }
  RESTITCH_CHECK(check_valid(document, nullptr));
  keys_.resize(collection_.indexes.size());
  for (std::size_t at = 0; at < collection_.indexes.size(); ++at) {
    RESTITCH_CHECK(generate_keys(*collection_.indexes[at], document, keys_[at]));
  }
  const storage::RecordId record = collection_.is_capped
                                       ? unit_.begin_insert(engine_, collection_)
                                       : engine_.allocate_record_id(collection_.ident);
  const Status written = all_or_nothing([&]() -> Status {
    for (std::size_t at = 0; at < collection_.indexes.size(); ++at) {
      for (const IndexKey& entry : keys_[at].keys) {
        RESTITCH_CHECK(put_entry(collection_.indexes[at], entry, record));
      }
    }
    return unit_.transaction().put_record(collection_.ident, record, document);
  });
  if (!written) return written;
  for (std::size_t at = 0; at < collection_.indexes.size(); ++at) {
    if (!keys_[at].multikey.empty()) {
      unit_.note_multikey(collection_.indexes[at], keys_[at].multikey);
    }
  }
  const auto bytes = static_cast<std::int64_t>(document.size());
  unit_.transaction().add_change(make_record_change(
      collection_, {change::kInsert, document["_id"], document, bytes, 1, {}, {}, {}},
      unit_.origin()));
  unit_.count(collection_.counters, 1, bytes);
  unit_.note_write();
  return collection_.is_capped ? trim_capped() : Status();
}

Status RecordWriter::enter(const IndexPtr& index, storage::RecordId record, View document) {
  RESTITCH_CHECK(generate_keys(*index, document, old_keys_));
  for (const IndexKey& entry : old_keys_.keys) {
    RESTITCH_CHECK(put_entry(index, entry, record));
  }
  if (!old_keys_.multikey.empty()) unit_.note_multikey(index, old_keys_.multikey);
  return {};
}

Status RecordWriter::update_entries(const IndexPtr& index, storage::RecordId record,
                                    const IndexKeys& fresh) {
  for (const IndexKey& entry : fresh.keys) {
    const IndexKey* former = find_key(old_keys_.keys, entry.key);
    if (former != nullptr && former->type_bits == entry.type_bits) continue;
    RESTITCH_CHECK(put_entry(index, entry, record));
  }
  for (const IndexKey& entry : old_keys_.keys) {
    if (find_key(fresh.keys, entry.key) != nullptr) continue;
    RESTITCH_CHECK(unit_.transaction().delete_entry(index->ref(), entry.key, record));
  }
  return {};
}

Status RecordWriter::update(storage::RecordId record, View before, const query::Updated& updated) {
  if (!updated.modified) return {};
  const View after = updated.document;
  if (collection_.is_capped && after.size() > collection_.capped_bytes) {
    return mongo_error(code::kCannotGrowInCapped,
                       "Cannot change the size of a document in a capped collection: " +
                           std::to_string(before.size()) + " != " + std::to_string(after.size()));
  }
  RESTITCH_CHECK(check_valid(after, &before));
  keys_.resize(collection_.indexes.size());
  for (std::size_t at = 1; at < collection_.indexes.size(); ++at) {
    RESTITCH_CHECK(generate_keys(*collection_.indexes[at], after, keys_[at]));
  }
  const Status written = all_or_nothing([&]() -> Status {
    for (std::size_t at = 1; at < collection_.indexes.size(); ++at) {
      const IndexPtr& index = collection_.indexes[at];
      RESTITCH_CHECK(generate_keys(*index, before, old_keys_));
      RESTITCH_CHECK(update_entries(index, record, keys_[at]));
    }
    return unit_.transaction().put_record(collection_.ident, record, after);
  });
  if (!written) return written;
  for (std::size_t at = 1; at < collection_.indexes.size(); ++at) {
    if (!keys_[at].multikey.empty()) {
      unit_.note_multikey(collection_.indexes[at], keys_[at].multikey);
    }
  }
  const std::int64_t grown =
      static_cast<std::int64_t>(after.size()) - static_cast<std::int64_t>(before.size());
  RecordChange change;
  change.kind = updated.is_replace ? change::kReplace : change::kUpdate;
  change.id = after["_id"];
  change.body = updated.is_replace ? after : updated.description.view();
  change.bytes = grown;
  change.pre_image = before;
  if (!updated.is_replace) {
    change.disambiguated_paths = updated.disambiguated_paths;
    change.post_image = after;
  }
  unit_.transaction().add_change(make_record_change(collection_, change, unit_.origin()));
  unit_.count(collection_.counters, 0, grown);
  unit_.note_write();
  return collection_.is_capped && grown > 0 ? trim_capped() : Status();
}

Status RecordWriter::remove(storage::RecordId record, View before) {
  const Status written = all_or_nothing([&]() -> Status {
    for (const IndexPtr& index : collection_.indexes) {
      RESTITCH_CHECK(generate_keys(*index, before, old_keys_));
      for (const IndexKey& entry : old_keys_.keys) {
        RESTITCH_CHECK(unit_.transaction().delete_entry(index->ref(), entry.key, record));
      }
    }
    return unit_.transaction().delete_record(collection_.ident, record);
  });
  if (!written) return written;
  const auto bytes = static_cast<std::int64_t>(before.size());
  unit_.transaction().add_change(make_record_change(
      collection_, {change::kDelete, before["_id"], View(), -bytes, -1, before, {}, {}},
      unit_.origin()));
  unit_.count(collection_.counters, -1, -bytes);
  unit_.note_write();
  return {};
}

Status RecordWriter::trim_capped() {
  // The collection as this unit will leave it, apart from what others commit meanwhile: the limits
  // are kept to within the documents of concurrent writers, and reached by the next insert.
  constexpr std::size_t kMaxEvicted = 1000;
  CollectionCounters& counters = *collection_.counters;
  std::int64_t excess_count = 0, excess_bytes = 0;
  if (collection_.capped_count > 0) {
    excess_count = counters.count.load() + unit_.added(counters) - collection_.capped_count;
  }
  excess_bytes = counters.bytes.load() + unit_.added_bytes(counters) - collection_.capped_bytes;
  if (excess_count <= 0 && excess_bytes <= 0) return {};
  std::vector<storage::RecordId> oldest;
  {
    const storage::RecordId decided = counters.open_inserts.limit(engine_, collection_.ident);
    auto cursor = unit_.transaction().records(collection_.ident, true, storage::ReadTier::kAll,
                                              counters.evicted_below.load());
    while ((excess_count > 0 || excess_bytes > 0) && oldest.size() < kMaxEvicted) {
      RESTITCH_TRY(const bool found, cursor->next());
      if (!found) break;
      if (oldest.empty()) counters.evicted_below = std::min(decided, cursor->id());
      oldest.push_back(cursor->id());
      --excess_count;
      excess_bytes -= cursor->document().size();
    }
  }
  std::string bytes;
  for (const storage::RecordId record : oldest) {
    auto found = unit_.transaction().lock_record(collection_.ident, record, bytes);
    // Somebody else is trimming it.
    if (!found && found.error().code() == ErrorCode::kWriteConflict) return {};
    if (!found) return std::move(found).error();
    if (!*found) continue;
    RESTITCH_CHECK(remove(record, View(reinterpret_cast<const std::uint8_t*>(bytes.data()))));
  }
  return {};
}

}  // namespace restitch::datasource::embedded
