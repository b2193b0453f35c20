#include "bench/macro/wire_message.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace restitch::bench {
namespace {

constexpr std::uint32_t kKeyPrefix = 0x42454e43;

void append_number(std::string& out, std::int32_t number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void find_stamps(std::string_view bytes, std::string_view place, Stamp::Kind kind,
                 std::vector<Stamp>& stamps) {
  for (std::size_t at = bytes.find(place); at != std::string_view::npos;
       at = bytes.find(place, at + place.size())) {
    stamps.push_back({at, kind});
  }
}

}  // namespace

bson::ObjectId fresh_id() {
  bson::ObjectId id;
  std::memcpy(id.bytes.data(), &kKeyPrefix, sizeof kKeyPrefix);
  std::memcpy(id.bytes.data() + sizeof kKeyPrefix, kKeyPlace.data(), kKeyPlace.size());
  return id;
}

std::int64_t fresh_number() {
  std::int64_t number = 0;
  std::memcpy(&number, kNumberPlace.data(), kNumberPlace.size());
  return number;
}

PreparedRequest op_msg(const bson::Document& body, std::string expect, std::string_view sequence,
                       const std::vector<bson::Document>& documents) {
  PreparedRequest request;
  std::string& out = request.bytes;
  append_number(out, 0);  // the length, below
  append_number(out, 1);
  append_number(out, 0);
  append_number(out, kOpMsg);
  append_number(out, 0);
  out.push_back('\0');
  out.append(body.bytes());
  if (!sequence.empty()) {
    out.push_back('\1');
    std::string section(sequence);
    section.push_back('\0');
    for (const bson::Document& document : documents) section.append(document.bytes());
    append_number(out, static_cast<std::int32_t>(section.size() + 4));
    out.append(section);
  }
  const auto size = static_cast<std::int32_t>(out.size());
  std::memcpy(out.data(), &size, sizeof size);
  find_stamps(out, kKeyPlace, Stamp::Kind::kKey, request.stamps);
  find_stamps(out, kNumberPlace, Stamp::Kind::kNumber, request.stamps);
  find_stamps(out, kTextPlace, Stamp::Kind::kText, request.stamps);
  find_stamps(out, kConnectionPlace, Stamp::Kind::kConnection, request.stamps);
  request.expect = std::move(expect);
  return request;
}

}  // namespace restitch::bench
