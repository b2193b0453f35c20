#include "server/backup/tar.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace restitch::server::backup {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kMostBytes = (1ULL << 33U) - 1;  // eleven octal digits

using Block = std::array<char, kBlock>;

// Fields of a header: offset and length (IEEE Std 1003.1, "ustar Interchange Format").
struct Field {
  std::size_t offset, length;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kOwner{108, 8}, kGroup{116, 8}, kSize{124, 12},
    kTime{136, 12}, kSum{148, 8};
constexpr std::size_t kTypeOffset = 156;
constexpr Field kMagic{257, 8};

void put_octal(Block& block, Field field, std::uint64_t value) {
  std::snprintf(block.data() + field.offset, field.length, "%0*llo",
                static_cast<int>(field.length - 1), static_cast<unsigned long long>(value));
}

std::optional<std::uint64_t> octal_of(const Block& block, Field field) {
  const char* begin = block.data() + field.offset;
  const char* end = begin + field.length;
  while (begin != end && *begin == ' ') ++begin;
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(begin, end, value, 8);
  if (parsed.ec != std::errc()) return std::nullopt;
  return value;
}

// Sum of all bytes, those of the sum itself read as spaces.
std::uint64_t sum_of(const Block& block) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < kBlock; ++at) {
    const bool is_sum = at >= kSum.offset && at < kSum.offset + kSum.length;
    sum += is_sum ? static_cast<unsigned char>(' ') : static_cast<unsigned char>(block[at]);
  }
  return sum;
}

std::size_t padding_of(std::uint64_t bytes) {
  return static_cast<std::size_t>((kBlock - bytes % kBlock) % kBlock);
}

class TarWriter final : public Writer {
 public:
  explicit TarWriter(File file) : file_(std::move(file)) {}

  Status begin_file(const std::string& path, std::uint64_t bytes) override {
    if (path.size() >= kName.length || bytes > kMostBytes) {
      return Error(ErrorCode::kUnsupported,
                   path + " does not fit into a tar archive; back up into a directory");
    }
    Block header{};
    std::memcpy(header.data(), path.data(), path.size());
    put_octal(header, kMode, 0600);
    put_octal(header, kOwner, 0);
    put_octal(header, kGroup, 0);
    put_octal(header, kSize, bytes);
    put_octal(header, kTime, static_cast<std::uint64_t>(std::time(nullptr)));
    header[kTypeOffset] = '0';
    std::memcpy(header.data() + kMagic.offset, "ustar\00000", kMagic.length);
    std::snprintf(header.data() + kSum.offset, kSum.length, "%06llo",
                  static_cast<unsigned long long>(sum_of(header)));
    header[kSum.offset + kSum.length - 1] = ' ';
    bytes_ = bytes;
    return file_.write({header.data(), header.size()});
  }
  Status write(std::string_view bytes) override { return file_.write(bytes); }
  Status end_file() override { return file_.write(std::string(padding_of(bytes_), '\0')); }
  Status finish() override {
    RESTITCH_CHECK(file_.write(std::string(2 * kBlock, '\0')));
    return file_.sync();
  }

 private:
  File file_;
  std::uint64_t bytes_ = 0;
};

class TarReader final : public Reader {
 public:
  explicit TarReader(File file) : file_(std::move(file)) {}

  Result<std::optional<FileHeader>> next() override {
    RESTITCH_CHECK(skip_rest());
    Block header{};
    RESTITCH_TRY(const std::size_t count, file_.read(header.data(), header.size()));
    if (count != kBlock) return ends_early();
    if (header == Block{}) return std::optional<FileHeader>();
    if (octal_of(header, kSum) != sum_of(header)) {
      return Error(ErrorCode::kCorrupt, "the archive is damaged behind " + described());
    }
    FileHeader file;
    file.path.assign(header.data(), ::strnlen(header.data(), kName.length));
    const auto bytes = octal_of(header, kSize);
    const char type = header[kTypeOffset];
    if (!bytes || (type != '0' && type != '\0') || !is_safe_path(file.path)) {
      return Error(ErrorCode::kCorrupt, "'" + file.path + "' does not belong in a backup");
    }
    file.bytes = left_ = *bytes;
    padding_ = padding_of(*bytes);
    path_ = file.path;
    return std::optional(std::move(file));
  }

  Result<std::size_t> read(char* buffer, std::size_t bytes) override {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, left_));
    RESTITCH_TRY(const std::size_t count, file_.read(buffer, wanted));
    if (count != wanted) return ends_early();
    left_ -= count;
    return count;
  }

 private:
  Error ends_early() const {
    return Error(ErrorCode::kCorrupt, "the archive ends early, in or behind " + described());
  }
  std::string described() const { return path_.empty() ? "its beginning" : path_; }

  Status skip_rest() {
    std::array<char, 16384> sink;
    while (left_ > 0) RESTITCH_CHECK(read(sink.data(), sink.size()));
    RESTITCH_TRY(const std::size_t count, file_.read(sink.data(), padding_));
    if (count != padding_) return ends_early();
    padding_ = 0;
    return {};
  }

  File file_;
  std::uint64_t left_ = 0;
  std::size_t padding_ = 0;
  std::string path_;
};

}  // namespace

std::unique_ptr<Writer> tar_writer(File file) {
  return std::make_unique<TarWriter>(std::move(file));
}
std::unique_ptr<Reader> tar_reader(File file) {
  return std::make_unique<TarReader>(std::move(file));
}

}  // namespace restitch::server::backup
