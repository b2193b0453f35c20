#include "datasource/embedded/change_stream/resume_token.h"

#include <cctype>

#include "base/encoding.h"
#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

namespace {

constexpr char kVersion = 1;
constexpr unsigned char kEventKind = 128;
constexpr std::size_t kUuidBytes = 16;
constexpr std::size_t kBytes = 8 + 1 + 1 + 4 + 1 + (1 + kUuidBytes) + 8 + 4;

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> static_cast<unsigned>(shift)));
  }
}

std::uint64_t take(std::string_view& in, std::size_t bytes) {
  std::uint64_t value = 0;
  for (const char byte : in.substr(0, bytes))
    value = value << 8U | static_cast<unsigned char>(byte);
  in.remove_prefix(bytes);
  return value;
}

// FNV-1a. Kept in clients' hands: it must not change.
std::uint64_t hash(std::string_view bytes, std::uint64_t seed = 0xCBF29CE484222325U) {
  for (const char byte : bytes) {
    seed = (seed ^ static_cast<unsigned char>(byte)) * 0x100000001B3U;
  }
  return seed;
}

std::uint64_t identity_of(const LogEntry& entry) {
  const std::uint64_t seed = hash(entry.body["op"].raw());
  const bson::ValueView key = entry.body["k"];
  return hash(key.is_missing() ? entry.ns : key.raw(), seed);
}

std::string uuid_of(const LogEntry& entry) {
  const bson::ValueView uuid = entry.body["ui"];
  return uuid.type() == bson::Type::kBinary ? std::string(uuid.get_binary().bytes) : std::string();
}

}  // namespace

ResumeToken ResumeToken::high_water_mark(bson::Timestamp time) {
  ResumeToken token;
  token.time = time;
  return token;
}

ResumeToken ResumeToken::of(const LogEntry& entry, bool is_invalidate) {
  ResumeToken token;
  token.time = entry.position.time;
  token.is_event = true;
  token.index = entry.position.index;
  token.is_invalidate = is_invalidate;
  token.uuid = uuid_of(entry);
  token.identity = identity_of(entry);
  return token;
}

bool ResumeToken::names(const LogEntry& entry) const {
  return entry.position == position() && uuid == uuid_of(entry) && identity == identity_of(entry);
}

bson::Document ResumeToken::document() const {
  std::string bytes;
  bytes.reserve(kBytes);
  put(bytes, time.seconds, 4);
  put(bytes, time.increment, 4);
  bytes.push_back(kVersion);
  put(bytes, is_event ? kEventKind : 0, 1);
  put(bytes, index, 4);
  put(bytes, is_invalidate ? 1 : 0, 1);
  put(bytes, uuid.empty() ? 0 : 1, 1);
  bytes += uuid;
  bytes.resize(bytes.size() + kUuidBytes - uuid.size(), '\0');
  put(bytes, identity, 8);
  put(bytes, fragment ? std::uint64_t{*fragment} + 1 : 0, 4);
  std::string text = to_hex(bytes);
  for (char& digit : text) {
    digit = static_cast<char>(std::toupper(static_cast<unsigned char>(digit)));
  }
  return bson::make_document("_data", text);
}

Result<ResumeToken> ResumeToken::parse(bson::View token) {
  const bson::ValueView data = token["_data"];
  const auto text = data.as_string();
  if (!text) {
    return mongo_error(
        40647, "Bad resume token: _data of missing or of wrong type. Expected string, got " +
                   std::string(data.is_missing() ? "missing" : bson::alias_of(data.type())));
  }
  const auto bytes = from_hex(*text);
  if (!bytes) {
    return mongo_error(code::kFailedToParse, "resume token string was not a valid hex string");
  }
  const Error foreign =
      mongo_error(code::kInvalidResumeToken, "the resume token was not made by this server");
  if (bytes->size() != kBytes) return foreign;
  std::string_view in = *bytes;
  ResumeToken parsed;
  parsed.time.seconds = static_cast<std::uint32_t>(take(in, 4));
  parsed.time.increment = static_cast<std::uint32_t>(take(in, 4));
  if (take(in, 1) != static_cast<std::uint64_t>(kVersion)) return foreign;
  const std::uint64_t kind = take(in, 1);
  if (kind != 0 && kind != kEventKind) return foreign;
  parsed.is_event = kind == kEventKind;
  parsed.index = static_cast<std::uint32_t>(take(in, 4));
  parsed.is_invalidate = take(in, 1) != 0;
  if (take(in, 1) != 0) parsed.uuid = std::string(in.substr(0, kUuidBytes));
  in.remove_prefix(kUuidBytes);
  parsed.identity = take(in, 8);
  if (const std::uint64_t fragment = take(in, 4); fragment > 0) {
    parsed.fragment = static_cast<std::uint32_t>(fragment - 1);
  }
  return parsed;
}

}  // namespace restitch::datasource::embedded
