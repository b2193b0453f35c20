#include "deployment/file_store.h"

#include <openssl/evp.h>

#include <algorithm>
#include <chrono>

#include "auth/state_queries.h"
#include "base/encoding.h"

namespace restitch::deployment {
namespace {

using auth::collection;
using bson::Builder;
using bson::Document;
using bson::ObjectId;

// A write under way is a document of this kind. It names the version whose chunks nobody needs once
// the write has ended or died: the new one, and from the exchange on the former one.
constexpr std::string_view kWriteKind = "\x01write";
constexpr std::int64_t kLeftoverSeconds = 3600;  // no write takes that long
constexpr std::size_t kChunksAtOnce = 16;
constexpr int kReadAttempts = 20;

bson::Date now() {
  return bson::Date{std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count()};
}

Document key_of(const ObjectId& app, std::string_view kind, std::string_view name) {
  Builder key;
  key.append("app", app).append("kind", kind).append("name", name);
  return std::move(key).finish();
}

Document write_note(const ObjectId& app, const ObjectId& write, const ObjectId& version) {
  Builder note;
  note.append("_id", write).append("app", app).append("kind", kWriteKind);
  note.append("name", write.to_hex()).append("version", version);
  return std::move(note).finish();
}

Status check_name(std::string_view name) {
  if (!name.empty() && name.size() <= FileStore::kMaxNameBytes && is_valid_utf8(name) &&
      name.find('\0') == std::string_view::npos) {
    return {};
  }
  return Error(ErrorCode::kInvalidArgument,
               "a file's name must be UTF-8 of 1 to " + std::to_string(FileStore::kMaxNameBytes) +
                   " bytes, without NUL");
}

Result<FileInfo> info_from(bson::View document) {
  const auto name = document["name"].as_string();
  const auto version = document["version"].as_object_id();
  const auto size = document["size"].as_integer();
  const auto md5 = document["md5"].as_string();
  if (!name || !version || !size || !md5 || document["modified"].type() != bson::Type::kDate) {
    return Error(ErrorCode::kCorrupt, "a stored file's description is incomplete");
  }
  FileInfo info;
  info.name = std::string(*name);
  info.version = *version;
  info.size = *size;
  info.md5 = std::string(*md5);
  info.modified = document["modified"].get_date();
  info.attributes = Document(document["attributes"].as_object().value_or(bson::View()));
  return info;
}

// The MD5 of a content that comes in pieces.
class Md5 {
 public:
  Md5() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    RESTITCH_ASSERT(context_ && EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr) == 1);
  }
  void add(std::string_view piece) {
    EVP_DigestUpdate(context_.get(), piece.data(), piece.size());
  }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    return to_hex({reinterpret_cast<const char*>(digest), size});
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string md5_of(std::string_view content) {
  Md5 md5;
  md5.add(content);
  return md5.hex();
}

FileStore::FileStore(std::shared_ptr<datasource::DataSource> state)
    : state_(std::move(state)),
      files_(collection(*state_, "files")),
      chunks_(collection(*state_, "file_chunks")) {}

Task<void> FileStore::prepare() {
  datasource::IndexOptions unique;
  unique.unique = true;
  Builder file_keys;
  file_keys.append("app", std::int32_t{1}).append("kind", std::int32_t{1});
  file_keys.append("name", std::int32_t{1});
  const Document by_name = std::move(file_keys).finish();
  RESTITCH_CO_CHECK(co_await files_.ensure_index(by_name, unique));
  const Document by_kind = bson::make_document("kind", std::int32_t{1});
  RESTITCH_CO_CHECK(co_await files_.ensure_index(by_kind));
  Builder chunk_keys;
  chunk_keys.append("version", std::int32_t{1}).append("n", std::int32_t{1});
  const Document by_version = std::move(chunk_keys).finish();
  RESTITCH_CO_CHECK(co_await chunks_.ensure_index(by_version, unique));
  const Document by_app = bson::make_document("app", std::int32_t{1});
  RESTITCH_CO_CHECK(co_await chunks_.ensure_index(by_app));
  co_return co_await remove_leftovers();
}

Task<FileInfo> FileStore::put(ObjectId app, std::string kind, std::string name,
                              std::string content, Document attributes,
                              std::string expected_md5) const {
  RESTITCH_CO_CHECK(check_name(name));
  if (content.size() > kMaxFileBytes) {
    co_return Error(ErrorCode::kRequestTooLarge, "a file may have at most " +
                                                     std::to_string(kMaxFileBytes >> 20U) + " MiB");
  }
  FileInfo file;
  file.name = std::move(name);
  file.version = ObjectId::generate();
  file.size = static_cast<std::int64_t>(content.size());
  file.attributes = std::move(attributes);
  const Document begun = write_note(app, file.version, file.version);
  RESTITCH_CO_CHECK(co_await files_.insert_one(begun));
  auto written = co_await write_chunks(app, file, content);
  if (written && !expected_md5.empty() && file.md5 != expected_md5) {
    written = Error(ErrorCode::kInvalidArgument,
                    "the content's MD5 is " + file.md5 + ", not " + expected_md5);
  }
  if (written) written = co_await publish(app, std::move(kind), file);
  if (!written) {
    // Otherwise the next start does it.
    auto undone = co_await forget(file.version, file.version);
    static_cast<void>(undone);
    co_return std::move(written).error();
  }
  co_return file;
}

Task<void> FileStore::write_chunks(ObjectId app, FileInfo& file, const std::string& content) const {
  Md5 md5;
  std::vector<Document> batch;
  std::int32_t number = 0;
  for (std::size_t at = 0; at < content.size(); at += kChunkBytes) {
    const std::string_view piece = std::string_view(content).substr(at, kChunkBytes);
    md5.add(piece);
    Builder chunk;
    chunk.append("_id", ObjectId::generate()).append("app", app).append("version", file.version);
    chunk.append("n", number++).append_binary("data", 0, piece);
    batch.push_back(std::move(chunk).finish());
    if (batch.size() < kChunksAtOnce && at + kChunkBytes < content.size()) continue;
    RESTITCH_CO_CHECK(co_await chunks_.insert_many(batch));
    batch.clear();
  }
  file.md5 = md5.hex();
  file.modified = now();
  co_return Status();
}

// The exchange: from here on readers find the new version, and the chunks to delete are the former
// one's.
Task<void> FileStore::publish(ObjectId app, std::string kind, const FileInfo& file) const {
  const Document key = key_of(app, kind, file.name);
  Builder fields;
  fields.append_all(key).append("version", file.version).append("size", file.size);
  fields.append("md5", file.md5).append("modified", file.modified);
  fields.append("attributes", file.attributes);
  const Document set = bson::make_document("$set", std::move(fields).finish());
  const Document this_write = bson::make_document("_id", file.version);
  datasource::FindAndModifyOptions upsert;
  upsert.upsert = true;
  std::optional<ObjectId> former;
  const auto exchange = [&](datasource::ClientTransaction& transaction) -> Task<void> {
    const datasource::CallOptions options{&transaction};
    RESTITCH_CO_TRY(const auto before,
                    co_await files_.find_one_and_update(key, set, upsert, options));
    former = before ? (*before)["version"].as_object_id() : std::nullopt;
    if (!former) {
      RESTITCH_CO_CHECK(co_await files_.delete_one(this_write, options));
      co_return Status();
    }
    const Document garbage = bson::make_document("$set", bson::make_document("version", *former));
    RESTITCH_CO_CHECK(co_await files_.update_one(this_write, garbage.view(), {}, options));
    co_return Status();
  };
  RESTITCH_CO_CHECK(co_await datasource::with_transaction(*state_, exchange));
  if (!former) co_return Status();
  co_return co_await forget(file.version, *former);
}

// Deletes the chunks of a version that no file has, and the note of the write.
Task<void> FileStore::forget(ObjectId write, ObjectId version) const {
  const Document of_version = bson::make_document("version", version);
  RESTITCH_CO_CHECK(co_await chunks_.delete_many(of_version));
  const Document this_write = bson::make_document("_id", write);
  RESTITCH_CO_CHECK(co_await files_.delete_one(this_write));
  co_return Status();
}

Task<void> FileStore::remove_leftovers() const {
  const Document writes = bson::make_document("kind", kWriteKind);
  RESTITCH_CO_TRY(const auto found, co_await files_.find(writes));
  const std::int64_t limit = now().millis / 1000 - kLeftoverSeconds;
  for (const Document& write : found) {
    const auto id = write["_id"].as_object_id();
    const auto version = write["version"].as_object_id();
    if (!id || !version || static_cast<std::int64_t>(id->seconds()) > limit) continue;
    RESTITCH_CO_CHECK(co_await forget(*id, *version));
  }
  co_return Status();
}

Task<std::optional<FileInfo>> FileStore::find(ObjectId app, std::string kind,
                                              std::string name) const {
  const Document key = key_of(app, kind, name);
  RESTITCH_CO_TRY(const auto found, co_await files_.find_one(key));
  if (!found) co_return std::optional<FileInfo>();
  RESTITCH_CO_TRY(FileInfo info, info_from(*found));
  co_return std::optional<FileInfo>(std::move(info));
}

// The chunks of a version that was replaced after its description was read may be gone: then the
// newer version is read.
Task<std::optional<StoredFile>> FileStore::get(ObjectId app, std::string kind,
                                               std::string name) const {
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    RESTITCH_CO_TRY(auto info, co_await find(app, kind, name));
    if (!info) co_return std::optional<StoredFile>();
    RESTITCH_CO_TRY(auto content, co_await read_chunks(*info));
    if (!content) continue;
    StoredFile file{std::move(*info), std::move(*content)};
    co_return std::optional<StoredFile>(std::move(file));
  }
  co_return Error(ErrorCode::kCorrupt, "the file's content is incomplete");
}

Task<std::optional<std::string>> FileStore::read_chunks(const FileInfo& file) const {
  const auto size = static_cast<std::size_t>(std::max<std::int64_t>(0, file.size));
  if (size > kMaxFileBytes) co_return Error(ErrorCode::kCorrupt, "a stored file is too large");
  const Document of_version = bson::make_document("version", file.version);
  datasource::FindOptions in_order;
  in_order.sort = bson::make_document("n", std::int32_t{1});
  in_order.batch_size = static_cast<std::int32_t>(kChunksAtOnce);
  RESTITCH_CO_TRY(datasource::Cursor cursor, co_await chunks_.open(of_version, in_order));
  std::string content;
  content.reserve(size);
  std::int64_t next = 0;
  for (;;) {
    RESTITCH_CO_TRY(const auto batch, co_await cursor.next_batch());
    if (batch.empty()) break;
    for (const Document& chunk : batch) {
      const bson::ValueView data = chunk["data"];
      if (chunk["n"].as_integer() != next++ || data.type() != bson::Type::kBinary) {
        co_return std::optional<std::string>();
      }
      content.append(data.get_binary().bytes);
    }
  }
  if (content.size() != size) co_return std::optional<std::string>();
  co_return std::optional<std::string>(std::move(content));
}

Task<std::vector<FileInfo>> FileStore::list(ObjectId app, std::string kind,
                                            std::string prefix) const {
  Builder filter;
  filter.append("app", app).append("kind", kind);
  if (!prefix.empty()) filter.open_object("name").append("$gte", prefix).close();
  const Document wanted = std::move(filter).finish();
  datasource::FindOptions by_name;
  by_name.sort = bson::make_document("name", std::int32_t{1});
  RESTITCH_CO_TRY(datasource::Cursor cursor, co_await files_.open(wanted, by_name));
  std::vector<FileInfo> files;
  for (;;) {
    RESTITCH_CO_TRY(const auto batch, co_await cursor.next_batch());
    for (const Document& document : batch) {
      RESTITCH_CO_TRY(FileInfo info, info_from(document));
      if (!info.name.starts_with(prefix)) {
        RESTITCH_CO_CHECK(co_await cursor.close());
        co_return files;
      }
      files.push_back(std::move(info));
    }
    if (batch.empty()) co_return files;
  }
}

Task<std::int64_t> FileStore::count(ObjectId app, std::string kind) const {
  Builder filter;
  filter.append("app", app).append("kind", kind);
  const Document wanted = std::move(filter).finish();
  co_return co_await files_.count(wanted);
}

Task<bool> FileStore::set_attributes(ObjectId app, std::string kind, std::string name,
                                     Document attributes) const {
  const Document key = key_of(app, kind, name);
  Builder update;
  update.open_object("$set").append("attributes", attributes);
  update.append("modified", now()).close();
  const Document set = std::move(update).finish();
  RESTITCH_CO_TRY(const auto changed, co_await files_.update_one(key, set.view()));
  co_return changed.matched > 0;
}

Task<bool> FileStore::copy(ObjectId app, std::string kind, std::string from, std::string to) const {
  RESTITCH_CO_TRY(auto file, co_await get(app, kind, std::move(from)));
  if (!file) co_return false;
  RESTITCH_CO_CHECK(co_await put(app, std::move(kind), std::move(to), std::move(file->content),
                                 std::move(file->info.attributes)));
  co_return true;
}

Task<bool> FileStore::move(ObjectId app, std::string kind, std::string from, std::string to) const {
  RESTITCH_CO_CHECK(check_name(to));
  const Document source = key_of(app, kind, from);
  const Document target = key_of(app, kind, to);
  if (from == to) {
    RESTITCH_CO_TRY(const auto there, co_await files_.find_one(source));
    co_return there.has_value();
  }
  Builder update;
  update.open_object("$set").append("name", to).append("modified", now()).close();
  const Document rename = std::move(update).finish();
  bool was_there = false;
  std::optional<ObjectId> replaced;
  const ObjectId write = ObjectId::generate();
  const auto exchange = [&](datasource::ClientTransaction& transaction) -> Task<void> {
    const datasource::CallOptions options{&transaction};
    RESTITCH_CO_TRY(const auto moved, co_await files_.find_one(source, {}, options));
    was_there = moved.has_value();
    if (!was_there) co_return Status();
    RESTITCH_CO_TRY(const auto former, co_await files_.find_one_and_delete(target, {}, options));
    replaced = former ? (*former)["version"].as_object_id() : std::nullopt;
    if (replaced) {
      const Document noted = write_note(app, write, *replaced);
      RESTITCH_CO_CHECK(co_await files_.insert_one(noted, options));
    }
    RESTITCH_CO_CHECK(co_await files_.update_one(source, rename.view(), {}, options));
    co_return Status();
  };
  RESTITCH_CO_CHECK(co_await datasource::with_transaction(*state_, exchange));
  if (replaced) {
    RESTITCH_CO_CHECK(co_await forget(write, *replaced));
  }
  co_return was_there;
}

Task<void> FileStore::remove_all(ObjectId app) const {
  const Document of_app = bson::make_document("app", app);
  datasource::FindOptions versions;
  versions.projection = bson::make_document("version", std::int32_t{1});
  RESTITCH_CO_TRY(datasource::Cursor cursor, co_await files_.open(of_app, versions));
  for (;;) {
    RESTITCH_CO_TRY(const auto batch, co_await cursor.next_batch());
    if (batch.empty()) break;
    for (const Document& file : batch) {
      const Document of_version = bson::make_document("version", file["version"]);
      RESTITCH_CO_CHECK(co_await chunks_.delete_many(of_version));
    }
  }
  RESTITCH_CO_CHECK(co_await files_.delete_many(of_app));
  RESTITCH_CO_CHECK(co_await chunks_.delete_many(of_app));
  co_return Status();
}

Task<bool> FileStore::remove(ObjectId app, std::string kind, std::string name) const {
  const Document key = key_of(app, kind, name);
  std::optional<ObjectId> former;
  const ObjectId write = ObjectId::generate();
  const auto take_out = [&](datasource::ClientTransaction& transaction) -> Task<void> {
    const datasource::CallOptions options{&transaction};
    RESTITCH_CO_TRY(const auto before, co_await files_.find_one_and_delete(key, {}, options));
    former = before ? (*before)["version"].as_object_id() : std::nullopt;
    if (!former) co_return Status();
    const Document noted = write_note(app, write, *former);
    RESTITCH_CO_CHECK(co_await files_.insert_one(noted, options));
    co_return Status();
  };
  RESTITCH_CO_CHECK(co_await datasource::with_transaction(*state_, take_out));
  if (!former) co_return false;
  RESTITCH_CO_CHECK(co_await forget(write, *former));
  co_return true;
}

}  // namespace restitch::deployment
