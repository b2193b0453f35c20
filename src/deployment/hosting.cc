#include "deployment/hosting.h"

#include <algorithm>
#include <array>

namespace restitch::deployment {
namespace {

using bson::ObjectId;

constexpr std::array<std::string_view, 6> kAttributeNames = {
    "Content-Type",     "Content-Disposition", "Content-Language",
    "Content-Encoding", "Cache-Control",       "Website-Redirect-Location"};
constexpr std::size_t kMaxAttributeBytes = 2048;

Status check_path(std::string_view path) {
  const auto refused = [](const char* reason) {
    return Error(ErrorCode::kInvalidArgument, std::string("invalid asset path: ") + reason);
  };
  if (!path.starts_with('/')) return refused("it must begin with '/'");
  if (path.ends_with('/')) return refused("it must name a file");
  std::string_view rest = path;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view segment = rest.substr(0, rest.find('/'));
    if (segment.empty() || segment == "." || segment == "..") {
      return refused("it has an empty segment, '.' or '..'");
    }
    rest.remove_prefix(segment.size());
  }
  const bool has_control = std::any_of(path.begin(), path.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (has_control) return refused("it has a control character");
  return {};
}

Status check_attributes(const app::HostedAttributes& attributes) {
  for (const app::HostedAttribute& one : attributes) {
    if (std::find(kAttributeNames.begin(), kAttributeNames.end(), one.name) ==
        kAttributeNames.end()) {
      return Error(ErrorCode::kInvalidArgument, "unknown attribute '" + one.name + "'");
    }
    const bool is_printable = std::all_of(one.value.begin(), one.value.end(), [](char c) {
      return (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\t';
    });
    if (!is_printable || one.value.size() > kMaxAttributeBytes) {
      return Error(ErrorCode::kInvalidArgument, "the value of the attribute '" + one.name +
                                                    "' cannot be a header's value");
    }
    const bool is_redirect = one.name == "Website-Redirect-Location";
    if (is_redirect && !one.value.starts_with('/') && !one.value.starts_with("http://") &&
        !one.value.starts_with("https://")) {
      return Error(ErrorCode::kInvalidArgument,
                   "'Website-Redirect-Location' must begin with '/', 'http://' or 'https://'");
    }
  }
  return {};
}

bson::Document stored(const app::HostedAttributes& attributes) {
  return bson::make_document("list", app::to_value(attributes));
}

Error no_asset(const std::string& path) {
  return Error(ErrorCode::kNotFound, "asset not found: '" + path + "'");
}

}  // namespace

app::HostedAttributes attributes_of(const FileInfo& info) {
  return app::hosted_attributes(info.attributes["list"]);
}

Task<std::vector<FileInfo>> HostedFiles::list(ObjectId app, std::string prefix) const {
  co_return co_await files_.list(app, std::string(kKind), std::move(prefix));
}

Task<std::optional<FileInfo>> HostedFiles::find(ObjectId app, std::string path) const {
  co_return co_await files_.find(app, std::string(kKind), std::move(path));
}

Task<std::optional<HostedAsset>> HostedFiles::read(ObjectId app, std::string path) {
  RESTITCH_CO_TRY(auto info, co_await find(app, path));
  if (!info) co_return std::optional<HostedAsset>();
  HostedAsset asset;
  asset.content = cache_.find(info->version);
  if (!asset.content) {
    RESTITCH_CO_TRY(auto file, co_await files_.get(app, std::string(kKind), std::move(path)));
    if (!file) co_return std::optional<HostedAsset>();
    info = std::move(file->info);
    asset.content = std::make_shared<const std::string>(std::move(file->content));
    cache_.put(info->version, asset.content);
  }
  asset.attributes = attributes_of(*info);
  asset.info = std::move(*info);
  co_return std::optional<HostedAsset>(std::move(asset));
}

// Writers at the same time may pass it by as many files as there are of them.
Task<void> HostedFiles::check_count(ObjectId app, std::string path) const {
  RESTITCH_CO_TRY(const auto former, co_await find(app, std::move(path)));
  if (former) co_return Status();
  RESTITCH_CO_TRY(const std::int64_t count, co_await files_.count(app, std::string(kKind)));
  if (count < static_cast<std::int64_t>(app::kMaxHostedFiles)) co_return Status();
  co_return Error(ErrorCode::kRefused, "an app may host at most " +
                                           std::to_string(app::kMaxHostedFiles) + " files");
}

Task<void> HostedFiles::put(ObjectId app, std::string path, std::string content,
                            app::HostedAttributes attributes, std::string expected_md5) const {
  RESTITCH_CO_CHECK(check_path(path));
  RESTITCH_CO_CHECK(check_attributes(attributes));
  if (content.size() > app::kMaxHostedFileBytes) {
    co_return Error(ErrorCode::kRequestTooLarge, "a hosted file may have at most 25 MB");
  }
  RESTITCH_CO_CHECK(co_await check_count(app, path));
  RESTITCH_CO_CHECK(co_await files_.put(app, std::string(kKind), std::move(path),
                                        std::move(content), stored(attributes),
                                        std::move(expected_md5)));
  co_return Status();
}

Task<void> HostedFiles::set_attributes(ObjectId app, std::string path,
                                       app::HostedAttributes attributes) const {
  RESTITCH_CO_CHECK(check_attributes(attributes));
  RESTITCH_CO_TRY(const bool was_there, co_await files_.set_attributes(
                                            app, std::string(kKind), path, stored(attributes)));
  if (!was_there) co_return no_asset(path);
  co_return Status();
}

Task<void> HostedFiles::move(ObjectId app, std::string from, std::string to) const {
  RESTITCH_CO_CHECK(check_path(to));
  RESTITCH_CO_TRY(const bool was_there,
                  co_await files_.move(app, std::string(kKind), from, std::move(to)));
  if (!was_there) co_return no_asset(from);
  co_return Status();
}

Task<void> HostedFiles::copy(ObjectId app, std::string from, std::string to) const {
  RESTITCH_CO_CHECK(check_path(to));
  RESTITCH_CO_CHECK(co_await check_count(app, to));
  RESTITCH_CO_TRY(const bool was_there,
                  co_await files_.copy(app, std::string(kKind), from, std::move(to)));
  if (!was_there) co_return no_asset(from);
  co_return Status();
}

Task<void> HostedFiles::remove(ObjectId app, std::string path) const {
  RESTITCH_CO_TRY(const bool was_there, co_await files_.remove(app, std::string(kKind), path));
  if (!was_there) co_return no_asset(path);
  co_return Status();
}

}  // namespace restitch::deployment
