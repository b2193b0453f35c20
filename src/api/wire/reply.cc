#include "api/wire/reply.h"

#include <cstring>

#include "datasource/embedded/internal_command.h"

namespace restitch::api::wire {

namespace {

using bson::Document;
using bson::Timestamp;
using bson::View;

constexpr int kNoSuchKey = 4;
constexpr int kTypeMismatch = 14;
constexpr int kFailsRateLimiter = 205;
constexpr std::uint32_t kMaxAheadSeconds = 365U * 24 * 3600;

// What a failure that is no answer of MongoDB's own is called on the wire.
int number_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kSourceUnavailable:
      return 6;  // HostUnreachable
    case ErrorCode::kInvalidArgument:
      return 22;  // InvalidBSON
    case ErrorCode::kDeadlineExceeded:
      return 50;  // MaxTimeMSExpired
    case ErrorCode::kClosing:
      return 91;  // ShutdownInProgress
    case ErrorCode::kTooManyRequests:
      return 365;  // TemporarilyUnavailable
    default:
      return 1;  // InternalError
  }
}

bool is_in_mongo_numbers(const Error& error) {
  return error.mongo_code() != 0 || error.code() == ErrorCode::kWriteConflict ||
         error.code() == ErrorCode::kDuplicateKey;
}

// The closing members of every reply with zero times, and where the times stand in its bytes.
struct Tail {
  std::string bytes;
  std::size_t cluster_time_at = 0;
  std::size_t operation_time_at = 0;
};

Tail make_tail() {
  bson::Builder builder;
  builder.open_object("$clusterTime").append("clusterTime", Timestamp());
  builder.open_object("signature").append_binary("hash", 0, std::string(20, '\0'));
  builder.append("keyId", std::int64_t{0});
  builder.close().close();
  builder.append("operationTime", Timestamp());
  const Document document = std::move(builder).finish();
  const char* start = document.bytes().data() + 4;
  Tail tail;
  tail.bytes = document.bytes().substr(4);
  tail.cluster_time_at = static_cast<std::size_t>(
      document.view().find_path("$clusterTime.clusterTime").raw().data() - start);
  tail.operation_time_at = static_cast<std::size_t>(document["operationTime"].raw().data() - start);
  return tail;
}

void put_timestamp(char* at, Timestamp time) {
  const std::uint64_t bits = (std::uint64_t{time.seconds} << 32U) | time.increment;
  std::memcpy(at, &bits, sizeof bits);
}

}  // namespace

LabelContext label_context(View command) {
  LabelContext labels;
  const bool has_number = !command["txnNumber"].is_missing();
  labels.in_transaction = has_number && !command["autocommit"].is_missing();
  labels.is_retryable_write = has_number && !labels.in_transaction;
  const std::string_view name = command.empty() ? std::string_view() : command.begin()->name;
  labels.is_end_of_transaction = name == "commitTransaction" || name == "abortTransaction";
  return labels;
}

Document error_reply(const Error& error, const LabelContext& labels) {
  if (is_in_mongo_numbers(error)) return datasource::embedded::error_reply(error, {}, labels);
  const Error numbered(error.code(), number_of(error.code()), error.message());
  LabelContext present = labels;
  if (error.code() == ErrorCode::kClosing) present.is_shutting_down = true;
  return datasource::embedded::error_reply(numbered, {}, present);
}

Document with_times(Document reply, Timestamp cluster_time, Timestamp operation_time) {
  static const Tail kTail = make_tail();
  std::string bytes = std::move(reply).into_bytes();
  bytes.pop_back();
  const std::size_t start = bytes.size();
  bytes.append(kTail.bytes);
  put_timestamp(bytes.data() + start + kTail.cluster_time_at, cluster_time);
  put_timestamp(bytes.data() + start + kTail.operation_time_at, operation_time);
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data(), &size, sizeof size);
  return Document::from_bytes(std::move(bytes));
}

Result<Timestamp> gossiped_time(View command, std::uint32_t wall_seconds) {
  const bson::ValueView value = command["$clusterTime"];
  if (value.is_missing()) return Timestamp();
  const auto gossip = value.as_object();
  if (!gossip) return mongo_error(kTypeMismatch, "$clusterTime must be an object");
  const bson::ValueView time = (*gossip)["clusterTime"];
  if (time.is_missing()) {
    return mongo_error(kNoSuchKey, "Missing expected field \"clusterTime\"");
  }
  if (time.type() != bson::Type::kTimestamp) {
    return mongo_error(kTypeMismatch, "$clusterTime.clusterTime must be a timestamp");
  }
  const Timestamp seen = time.get_timestamp();
  if (seen.seconds > wall_seconds && seen.seconds - wall_seconds > kMaxAheadSeconds) {
    return mongo_error(kFailsRateLimiter,
                       "New cluster time is too far from this node's wall clock time");
  }
  return seen;
}

}  // namespace restitch::api::wire
