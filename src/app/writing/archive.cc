#include "app/writing/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>  // NOLINT(modernize-deprecated-headers): uselocale

#include <array>
#include <memory>
#include <utility>

#include "base/encoding.h"

namespace restitch::app {
namespace {

struct EndReading {
  void operator()(archive* it) const { archive_read_free(it); }
};
struct EndWriting {
  void operator()(archive* it) const { archive_write_free(it); }
};
struct EndEntry {
  void operator()(archive_entry* it) const { archive_entry_free(it); }
};
using Reader = std::unique_ptr<archive, EndReading>;
using Writer = std::unique_ptr<archive, EndWriting>;
using Entry = std::unique_ptr<archive_entry, EndEntry>;

// libarchive reads names by the locale of the thread: UTF-8 while one of these lives.
class Utf8Names {
 public:
  Utf8Names() : utf8_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (utf8_ != nullptr) former_ = uselocale(utf8_);
  }
  ~Utf8Names() {
    if (utf8_ == nullptr) return;
    uselocale(former_);
    freelocale(utf8_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t utf8_;
  locale_t former_ = nullptr;
};

Error no_archive(archive* reader) {
  const char* text = archive_error_string(reader);
  return Error(ErrorCode::kInvalidArgument,
               "is no readable archive: " + std::string(text == nullptr ? "unknown error" : text));
}

la_ssize_t collect(archive* /*writer*/, void* target, const void* data, std::size_t size) {
  static_cast<std::string*>(target)->append(static_cast<const char*>(data), size);
  return static_cast<la_ssize_t>(size);
}

Error cannot_write(archive* writer) {
  const char* text = archive_error_string(writer);
  return Error(ErrorCode::kInternal,
               "cannot write an archive: " + std::string(text == nullptr ? "unknown error" : text));
}

Status add(archive* writer, const std::string& path, const std::string* content) {
  const Entry entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), path.c_str());
  archive_entry_set_filetype(entry.get(), content == nullptr ? AE_IFDIR : AE_IFREG);
  archive_entry_set_perm(entry.get(), content == nullptr ? 0777 : 0666);
  archive_entry_set_mtime(entry.get(), 315'532'800, 0);  // 1980, the first day that a zip can name
  if (content != nullptr)
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content->size()));
  if (archive_write_header(writer, entry.get()) != ARCHIVE_OK) return cannot_write(writer);
  if (content == nullptr || content->empty()) return {};
  const la_ssize_t written = archive_write_data(writer, content->data(), content->size());
  if (written != static_cast<la_ssize_t>(content->size())) return cannot_write(writer);
  return {};
}

class ArchiveReader {
 public:
  ArchiveReader(archive* reader, const ArchiveLimits& limits) : reader_(reader), limits_(limits) {}

  Result<Files> read() {
    archive_entry* entry = nullptr;
    while (true) {
      const int state = archive_read_next_header(reader_, &entry);
      if (state == ARCHIVE_EOF) return std::move(files_);
      if (state != ARCHIVE_OK && state != ARCHIVE_WARN) return no_archive(reader_);
      RESTITCH_CHECK(read_entry(entry));
    }
  }

 private:
  Status read_entry(archive_entry* entry) {
    if (++entries_ > limits_.max_files) {
      return Error(ErrorCode::kInvalidArgument,
                   "has more than " + std::to_string(limits_.max_files) + " files");
    }
    const char* raw = archive_entry_pathname(entry);
    std::string path(raw == nullptr ? "" : raw);
    while (path.starts_with("./")) path.erase(0, 2);
    const bool is_directory = archive_entry_filetype(entry) == AE_IFDIR;
    while (is_directory && path.ends_with('/')) path.pop_back();
    if (is_directory && (path.empty() || path == ".")) return {};
    if (path.size() > limits_.max_path_bytes || !is_safe_path(path)) {
      return Error(ErrorCode::kInvalidArgument,
                   "has an entry whose path is not allowed: '" + printable(path) + "'");
    }
    if (archive_entry_is_encrypted(entry) != 0) {
      return Error(ErrorCode::kInvalidArgument, "has an encrypted entry: '" + path + "'");
    }
    const bool is_link =
        archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr;
    if (is_directory) {
      files_.directories.insert(path);
      return {};
    }
    if (is_link && limits_.leaves_out_links) return {};
    if (is_link || archive_entry_filetype(entry) != AE_IFREG) {
      return Error(ErrorCode::kInvalidArgument,
                   "has an entry that is no regular file: '" + path + "'");
    }
    RESTITCH_TRY(std::string content, read_content(path));
    if (!files_.contents.emplace(path, std::move(content)).second) {
      return Error(ErrorCode::kInvalidArgument, "has the file '" + path + "' twice");
    }
    return {};
  }

  // The sizes that an archive states are not believed: what comes out is counted.
  Result<std::string> read_content(const std::string& path) {
    std::string content;
    std::array<char, 65536> buffer{};
    while (true) {
      const la_ssize_t got = archive_read_data(reader_, buffer.data(), buffer.size());
      if (got == 0) return content;
      if (got < 0) return no_archive(reader_);
      const auto bytes = static_cast<std::uint64_t>(got);
      total_ += bytes;
      if (content.size() + bytes > limits_.max_file_bytes || total_ > limits_.max_total_bytes) {
        return Error(ErrorCode::kInvalidArgument,
                     "unpacks to more than is allowed, at '" + path + "' (" +
                         std::to_string(limits_.max_file_bytes >> 20U) + " MiB a file, " +
                         std::to_string(limits_.max_total_bytes >> 20U) + " MiB in all)");
      }
      content.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  static std::string printable(const std::string& path) {
    return is_valid_utf8(path) ? path.substr(0, 200) : std::string("(no UTF-8)");
  }

  archive* reader_;
  const ArchiveLimits& limits_;
  Files files_;
  std::size_t entries_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace

Result<std::string> to_zip(const Files& files) {
  const Utf8Names names;
  std::string out;
  const Writer writer(archive_write_new());
  archive_write_set_format_zip(writer.get());
  archive_write_set_options(writer.get(), "compression=deflate,hdrcharset=UTF-8");
  archive_write_set_bytes_per_block(writer.get(), 0);
  if (archive_write_open(writer.get(), &out, nullptr, &collect, nullptr) != ARCHIVE_OK) {
    return cannot_write(writer.get());
  }
  for (const std::string& directory : files.directories) {
    RESTITCH_CHECK(add(writer.get(), directory + "/", nullptr));
  }
  for (const auto& [path, content] : files.contents)
    RESTITCH_CHECK(add(writer.get(), path, &content));
  if (archive_write_close(writer.get()) != ARCHIVE_OK) return cannot_write(writer.get());
  return out;
}

Result<Files> read_archive(std::string_view bytes, const ArchiveLimits& limits) {
  const Utf8Names names;
  const Reader reader(archive_read_new());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_format_zip_seekable(reader.get());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
    return no_archive(reader.get());
  }
  return ArchiveReader(reader.get(), limits).read();
}

}  // namespace restitch::app
