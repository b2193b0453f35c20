#include "datasource/embedded/change_stream/split_event.h"

#include <algorithm>

namespace restitch::datasource::embedded {

namespace {

constexpr int kObjectTooLarge = 10334;
// `_id` and `splitEvent` of a fragment.
constexpr std::size_t kFrameBytes = 512;

}  // namespace

Error event_too_large(std::size_t bytes) {
  return mongo_error(kObjectTooLarge, "BSONObj size: " + std::to_string(bytes) +
                                          " is invalid. Size must be between 0 and 16793600(16MB)");
}

Result<std::vector<bson::Document>> split_event(bson::Document event, const ResumeToken& token) {
  std::vector<bson::Document> fragments;
  if (event.bytes().size() <= kMaxEventBytes) {
    fragments.push_back(std::move(event));
    return fragments;
  }
  std::vector<std::string_view> fields;
  const bson::View view = event;
  for (auto at = view.begin(); at != view.end(); ++at) {
    if (at->name != "_id") fields.push_back(at.raw());
  }
  std::stable_sort(fields.begin(), fields.end(),
                   [](std::string_view a, std::string_view b) { return a.size() < b.size(); });
  std::vector<std::vector<std::string_view>> groups(1);
  std::size_t bytes = kFrameBytes;
  for (const std::string_view field : fields) {
    if (field.size() + kFrameBytes > kMaxEventBytes) return event_too_large(field.size());
    if (bytes + field.size() > kMaxEventBytes) {
      groups.emplace_back();
      bytes = kFrameBytes;
    }
    groups.back().push_back(field);
    bytes += field.size();
  }
  for (std::size_t number = 0; number < groups.size(); ++number) {
    ResumeToken own = token;
    own.fragment = static_cast<std::uint32_t>(number);
    bson::Builder fragment;
    fragment.append("_id", own.document());
    fragment.open_object("splitEvent")
        .append("fragment", static_cast<std::int32_t>(number + 1))
        .append("of", static_cast<std::int32_t>(groups.size()))
        .close();
    for (const std::string_view field : groups[number]) fragment.append_raw(field);
    fragments.push_back(std::move(fragment).finish());
  }
  return fragments;
}

}  // namespace restitch::datasource::embedded
