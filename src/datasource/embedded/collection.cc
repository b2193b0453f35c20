#include "datasource/embedded/collection.h"

#include "base/encoding.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

IndexPtr index_of(const Collection* previous, storage::IndexId ident) {
  if (previous == nullptr) return nullptr;
  for (const IndexPtr& index : previous->indexes) {
    if (index->ident == ident) return index;
  }
  return nullptr;
}

Status read_options(Collection& collection) {
  const View options = collection.options;
  if (const auto collation = options["collation"].as_object()) {
    RESTITCH_TRY(collection.collation, query::Collation::parse(*collation));
  }
  if (const auto validator = options["validator"].as_object(); validator && !validator->empty()) {
    RESTITCH_TRY(collection.validator,
                 StoredFilter::compile(*validator, query::Comparator(collection.collation)));
  }
  const auto level = options["validationLevel"].as_string().value_or("strict");
  if (level == "moderate") collection.validation_level = ValidationLevel::kModerate;
  if (level == "off") collection.validation_level = ValidationLevel::kOff;
  collection.validation_warns_only = options["validationAction"].as_string() == "warn";
  if (const auto images = options["changeStreamPreAndPostImages"].as_object()) {
    collection.has_pre_images = (*images)["enabled"].truthy();
  }
  collection.is_capped = options["capped"].truthy();
  if (collection.is_capped) {
    collection.capped_bytes = options["size"].as_integer().value_or(0);
    collection.capped_count = options["max"].as_integer().value_or(0);
  }
  if (const auto view_on = options["viewOn"].as_string()) {
    collection.kind = CollectionKind::kView;
    collection.view_on = std::string(*view_on);
    collection.view_pipeline = Document(options["pipeline"].as_array().value_or(View()));
  }
  return {};
}

}  // namespace

std::string uuid_text(std::string_view uuid) {
  const std::string hex = to_hex(uuid);
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
         hex.substr(16, 4) + "-" + hex.substr(20);
}

IndexPtr Collection::find_index(std::string_view name) const {
  for (const IndexPtr& index : indexes) {
    if (index->name == name) return index;
  }
  return nullptr;
}

Result<std::shared_ptr<Collection>> make_collection(View row, const Collection* previous) {
  auto collection = std::make_shared<Collection>();
  RESTITCH_TRY(collection->ns, split_namespace(row["ns"].as_string().value_or("")));
  collection->full_name = collection->ns.full();
  collection->ident = static_cast<storage::CollectionId>(row["ident"].as_integer().value_or(0));
  if (row["uuid"].type() == bson::Type::kBinary) {
    collection->uuid = std::string(row["uuid"].get_binary().bytes);
  }
  collection->options = Document(row["options"].as_object().value_or(View()));
  RESTITCH_CHECK(read_options(*collection));
  collection->counters =
      previous != nullptr ? previous->counters : std::make_shared<CollectionCounters>();
  for (const bson::Element& element : row["indexes"].as_array().value_or(View())) {
    const View entry = element.value.get_document();
    const auto ident = static_cast<storage::IndexId>(entry["ident"].as_integer().value_or(0));
    RESTITCH_TRY(auto index, make_index(ident, entry["spec"].as_object().value_or(View())));
    if (const IndexPtr known = index_of(previous, ident)) {
      index->runtime = known->runtime;
      index->usable_from = known->usable_from;
    }
    collection->indexes.push_back(std::move(index));
  }
  return collection;
}

Document collection_row(const Collection& collection) {
  Builder builder;
  builder.append("ns", collection.full_name);
  builder.append("ident", static_cast<std::int64_t>(collection.ident));
  builder.append_binary("uuid", 4, collection.uuid);
  builder.append("options", collection.options);
  builder.open_array("indexes");
  for (const IndexPtr& index : collection.indexes) {
    if (index->is_building) continue;
    builder.push_object();
    builder.append("ident", static_cast<std::int64_t>(index->ident));
    builder.append("spec", index->spec);
    builder.close();
  }
  builder.close();
  return std::move(builder).finish();
}

bson::Timestamp CatalogState::dropped_at(std::string_view full_name) const {
  auto found = dropped.find(full_name);
  if (found == dropped.end()) found = dropped.find("");
  return found == dropped.end() ? bson::Timestamp() : found->second;
}

CollectionPtr CatalogState::find(std::string_view full_name) const {
  const auto found = collections.find(full_name);
  return found == collections.end() ? nullptr : found->second;
}

std::vector<CollectionPtr> CatalogState::of_database(std::string_view database) const {
  const std::string prefix = std::string(database) + ".";
  std::vector<CollectionPtr> found;
  for (auto at = collections.lower_bound(prefix);
       at != collections.end() && at->first.starts_with(prefix); ++at) {
    found.push_back(at->second);
  }
  return found;
}

std::optional<std::string> CatalogState::database_in_other_case(std::string_view name) const {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  };
  auto at = collections.begin();
  while (at != collections.end()) {
    const std::string& other = at->second->ns.database;
    const bool is_equal = std::equal(name.begin(), name.end(), other.begin(), other.end(),
                                     [&](char a, char b) { return lower(a) == lower(b); });
    if (is_equal && other != name) return other;
    // '/' follows '.': the first name behind this database.
    at = collections.lower_bound(other + "/");
  }
  return std::nullopt;
}

std::vector<std::string> CatalogState::databases() const {
  std::vector<std::string> names;
  for (const auto& [name, collection] : collections) {
    if (names.empty() || names.back() != collection->ns.database) {
      names.push_back(collection->ns.database);
    }
  }
  return names;
}

}  // namespace restitch::datasource::embedded
