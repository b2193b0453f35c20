#include "api/wire/compression.h"

#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <array>

namespace restitch::api::wire {

namespace {

constexpr int kZstdLevel = 3;

Error damaged() { return Error(ErrorCode::kInvalidArgument, "the compressed message is damaged"); }

std::string zlib_compress(std::string_view bytes) {
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  std::string out(size, '\0');
  const int done = compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                             reinterpret_cast<const Bytef*>(bytes.data()),
                             static_cast<uLong>(bytes.size()), Z_DEFAULT_COMPRESSION);
  RESTITCH_ASSERT(done == Z_OK);
  out.resize(size);
  return out;
}

Result<std::string> zlib_decompress(std::string_view bytes, std::size_t size) {
  std::string out(size, '\0');
  auto got = static_cast<uLongf>(size);
  auto used = static_cast<uLong>(bytes.size());
  const int done = uncompress2(reinterpret_cast<Bytef*>(out.data()), &got,
                               reinterpret_cast<const Bytef*>(bytes.data()), &used);
  if (done != Z_OK || got != size || used != bytes.size()) return damaged();
  return out;
}

std::string zstd_compress(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size =
      ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), kZstdLevel);
  RESTITCH_ASSERT(ZSTD_isError(size) == 0);
  out.resize(size);
  return out;
}

Result<std::string> zstd_decompress(std::string_view bytes, std::size_t size) {
  std::string out(size, '\0');
  const std::size_t got = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(got) != 0 || got != size) return damaged();
  return out;
}

std::string snappy_compress(std::string_view bytes) {
  std::string out;
  snappy::Compress(bytes.data(), bytes.size(), &out);
  return out;
}

Result<std::string> snappy_decompress(std::string_view bytes, std::size_t size) {
  std::size_t told = 0;
  if (!snappy::GetUncompressedLength(bytes.data(), bytes.size(), &told) || told != size) {
    return damaged();
  }
  std::string out(size, '\0');
  if (!snappy::RawUncompress(bytes.data(), bytes.size(), out.data())) return damaged();
  return out;
}

}  // namespace

std::span<const std::string_view> compressor_names() {
  static constexpr std::array<std::string_view, 3> kNames{"snappy", "zstd", "zlib"};
  return kNames;
}

std::optional<Compressor> compressor_of(std::uint8_t number) {
  if (number > static_cast<std::uint8_t>(Compressor::kZstd)) return std::nullopt;
  return static_cast<Compressor>(number);
}

std::string compress(Compressor compressor, std::string_view bytes) {
  switch (compressor) {
    case Compressor::kSnappy:
      return snappy_compress(bytes);
    case Compressor::kZlib:
      return zlib_compress(bytes);
    case Compressor::kZstd:
      return zstd_compress(bytes);
    case Compressor::kNone:
      break;
  }
  return std::string(bytes);
}

Result<std::string> decompress(Compressor compressor, std::string_view bytes, std::size_t size) {
  switch (compressor) {
    case Compressor::kSnappy:
      return snappy_decompress(bytes, size);
    case Compressor::kZlib:
      return zlib_decompress(bytes, size);
    case Compressor::kZstd:
      return zstd_decompress(bytes, size);
    case Compressor::kNone:
      break;
  }
  if (bytes.size() != size) return damaged();
  return std::string(bytes);
}

}  // namespace restitch::api::wire
