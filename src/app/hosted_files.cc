#include "app/hosted_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "app/json_file.h"
#include "app/writing/members.h"

namespace restitch::app {
namespace {

namespace fs = std::filesystem;

struct MediaType {
  std::string_view extension, type;
  std::string_view former = {};  // what the official command line calls it, if otherwise
};

constexpr std::array kMediaTypes = {
    MediaType{"aac", "audio/aac"},
    MediaType{"apng", "image/apng"},
    MediaType{"atom", "application/atom+xml"},
    MediaType{"avi", "video/x-msvideo"},
    MediaType{"avif", "image/avif"},
    MediaType{"bin", "application/octet-stream"},
    MediaType{"bmp", "image/bmp"},
    MediaType{"css", "text/css"},
    MediaType{"csv", "text/csv"},
    MediaType{"doc", "application/msword"},
    MediaType{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    MediaType{"eot", "application/vnd.ms-fontobject"},
    MediaType{"epub", "application/epub+zip"},
    MediaType{"flac", "audio/flac"},
    MediaType{"geojson", "application/geo+json"},
    MediaType{"gif", "image/gif"},
    MediaType{"glb", "model/gltf-binary"},
    MediaType{"gltf", "model/gltf+json"},
    MediaType{"gz", "application/gzip", "application/x-gzip"},
    MediaType{"htm", "text/html"},
    MediaType{"html", "text/html"},
    MediaType{"ico", "image/vnd.microsoft.icon", "image/x-icon"},
    MediaType{"ics", "text/calendar"},
    MediaType{"jpeg", "image/jpeg"},
    MediaType{"jpg", "image/jpeg"},
    MediaType{"js", "text/javascript", "application/x-javascript"},
    MediaType{"json", "application/json"},
    MediaType{"jsonld", "application/ld+json"},
    MediaType{"m4a", "audio/mp4", "audio/mp4a-latm"},
    MediaType{"m4v", "video/mp4", "video/x-m4v"},
    MediaType{"map", "application/json"},
    MediaType{"md", "text/markdown"},
    MediaType{"mid", "audio/midi"},
    MediaType{"mjs", "text/javascript"},
    MediaType{"mov", "video/quicktime"},
    MediaType{"mp3", "audio/mpeg"},
    MediaType{"mp4", "video/mp4"},
    MediaType{"mpeg", "video/mpeg"},
    MediaType{"oga", "audio/ogg"},
    MediaType{"ogg", "audio/ogg", "application/ogg"},
    MediaType{"ogv", "video/ogg"},
    MediaType{"otf", "font/otf"},
    MediaType{"pdf", "application/pdf"},
    MediaType{"png", "image/png"},
    MediaType{"ppt", "application/vnd.ms-powerpoint"},
    MediaType{"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    MediaType{"rss", "application/rss+xml"},
    MediaType{"rtf", "application/rtf", "text/rtf"},
    MediaType{"svg", "image/svg+xml"},
    MediaType{"tar", "application/x-tar"},
    MediaType{"tif", "image/tiff"},
    MediaType{"tiff", "image/tiff"},
    MediaType{"tsv", "text/tab-separated-values"},
    MediaType{"ttf", "font/ttf"},
    MediaType{"txt", "text/plain"},
    MediaType{"vtt", "text/vtt"},
    MediaType{"wasm", "application/wasm"},
    MediaType{"wav", "audio/wav", "audio/x-wav"},
    MediaType{"webm", "video/webm"},
    MediaType{"webmanifest", "application/manifest+json"},
    MediaType{"webp", "image/webp"},
    MediaType{"woff", "font/woff"},
    MediaType{"woff2", "font/woff2"},
    MediaType{"xhtml", "application/xhtml+xml"},
    MediaType{"xls", "application/vnd.ms-excel"},
    MediaType{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    MediaType{"xml", "application/xml"},
    MediaType{"xsl", "application/xml"},
    MediaType{"yaml", "application/yaml"},
    MediaType{"yml", "application/yaml"},
    MediaType{"zip", "application/zip"},
};

// Nothing for a name without an extension.
const MediaType* media_type(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return nullptr;
  std::string extension(name.substr(dot + 1));
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const auto found =
      std::lower_bound(kMediaTypes.begin(), kMediaTypes.end(), extension,
                       [](const MediaType& type, const auto& wanted) { return type.extension < wanted; });
  return found != kMediaTypes.end() && found->extension == extension ? &*found : nullptr;
}

Error unreadable(const fs::path& path) {
  return Error(ErrorCode::kIo, path.string() + " cannot be read");
}

Status read_files(const fs::path& folder, HostedDirectory& out) {
  std::error_code error;
  out.has_files_folder = fs::is_directory(folder, error);
  if (!out.has_files_folder) return {};
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    if (it->is_symlink(gone) || !it->is_regular_file(gone)) continue;
    if (out.files.size() == kMaxHostedFiles) {
      return Error(ErrorCode::kInvalidArgument,
                   "hosting/files has more than " + std::to_string(kMaxHostedFiles) + " files");
    }
    const std::string path = "/" + it->path().lexically_relative(folder).generic_string();
    out.files[path].file = it->path().string();
  }
  if (error) return unreadable(folder);
  return {};
}

Status read_metadata(const fs::path& path, HostedDirectory& out) {
  std::error_code error;
  if (!fs::exists(path, error)) return {};
  RESTITCH_TRY(const std::string text, read_text(path));
  const auto list = parse_plain_json(text);
  if (!list) return Error(ErrorCode::kInvalidArgument, path.string() + " is not valid JSON");
  for (const bson::Value& value : elements_of(*list)) {
    const Members entry(value);
    const auto file = out.files.find(asset_path(entry.text("path")));
    if (file == out.files.end()) {
      out.absent_files.push_back(entry.text("path"));
    } else {
      file->second.attributes = hosted_attributes(entry["attrs"]);
    }
  }
  return {};
}

// In order, without the Content-Type that the path implies.
void reduce(std::string_view path, HostedAttributes& attributes) {
  std::erase_if(attributes, [path](const HostedAttribute& one) {
    return one.name == "Content-Type" && is_implied_media_type(path, one.value);
  });
  std::sort(attributes.begin(), attributes.end());
}

}  // namespace

std::string_view implied_media_type(std::string_view path) {
  const MediaType* found = media_type(path);
  return found == nullptr ? std::string_view() : found->type;
}

bool is_implied_media_type(std::string_view path, std::string_view type) {
  const MediaType* found = media_type(path);
  return found != nullptr && !type.empty() && (type == found->type || type == found->former);
}

HostedAttributes hosted_attributes(bson::ValueView list) {
  HostedAttributes attributes;
  for (const bson::Value& value : elements_of(list)) {
    const Members entry(value);
    const auto name = entry["name"].as_string();
    const auto text = entry["value"].as_string();
    if (name && text) attributes.push_back({std::string(*name), std::string(*text)});
  }
  return attributes;
}

bson::Value to_value(const HostedAttributes& attributes) {
  bson::Builder out;
  out.open_array("");
  for (const HostedAttribute& attribute : attributes) {
    out.push_object().append("name", attribute.name).append("value", attribute.value).close();
  }
  out.close();
  return bson::Value(std::move(out).finish()[""]);
}

bool are_same_attributes(std::string_view path, HostedAttributes left, HostedAttributes right) {
  reduce(path, left);
  reduce(path, right);
  return left == right;
}

std::string asset_path(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '/' && out.ends_with('/')) continue;
    if (out.empty() && c != '/') out.push_back('/');
    out.push_back(c);
  }
  return out;
}

Result<HostedDirectory> read_hosted_directory(const std::string& root) {
  const fs::path folder = fs::path(root) / "hosting";
  HostedDirectory directory;
  RESTITCH_CHECK(read_files(folder / "files", directory));
  RESTITCH_CHECK(read_metadata(folder / "metadata.json", directory));
  return directory;
}

void check_hosted_files(const std::string& root, Findings& findings) {
  const auto directory = read_hosted_directory(root);
  if (!directory) {
    return findings.warning("hosting", "", "InvalidParameter", directory.error().message());
  }
  for (const std::string& path : directory->absent_files) {
    findings.warning("hosting/metadata.json", "", "InvalidParameter",
                     "'" + path + "' does not appear in hosting/files");
  }
  for (const auto& [path, file] : directory->files) {
    std::error_code gone;
    const auto size = fs::file_size(file.file, gone);
    if (gone || size <= kMaxHostedFileBytes) continue;
    findings.warning("hosting/files" + path, "", "InvalidParameter",
                     "is larger than 25 MB and will not be served");
  }
}

Result<std::string> read_hosted_file(const std::string& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  if (error) return unreadable(file);
  if (size > kMaxHostedFileBytes) {
    return Error(ErrorCode::kInvalidArgument, file + " is larger than 25 MB");
  }
  std::ifstream in(file, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) return unreadable(file);
  return content;
}

}  // namespace restitch::app
