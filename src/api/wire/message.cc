#include "api/wire/message.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "api/wire/byte_reader.h"
#include "api/wire/crc32c.h"
#include "base/encoding.h"
#include "bson/validate.h"

namespace restitch::api::wire {

namespace {

using bson::View;

constexpr std::uint32_t kChecksumPresent = 1U << 0U;
constexpr std::uint32_t kMoreToCome = 1U << 1U;
constexpr std::uint32_t kExhaustAllowed = 1U << 16U;
constexpr std::uint32_t kRequiredBits = 0xFFFFU;  // those that must be known to be served
constexpr std::size_t kMaxSequences = 2;

constexpr int kBadValue = 2;
constexpr int kTypeMismatch = 14;
constexpr int kInvalidLength = 16;
constexpr int kInvalidBson = 22;
constexpr int kIllegalFlag = 223;
constexpr int kTooManySequences = 233;
constexpr int kChecksumMismatch = 288;
constexpr int kUnsupportedQuery = 352;

constexpr std::uint32_t kAwaitCapable = 8;  // the flag that every OP_REPLY carries

bool is_fatal(const Error& error) {
  return error.mongo_code() == kIllegalFlag || error.mongo_code() == kTooManySequences ||
         error.mongo_code() == kChecksumMismatch;
}

Error malformed(std::string_view what) {
  return mongo_error(kInvalidBson, "malformed message: " + std::string(what));
}

View view_of(std::string_view bytes) {
  return View(reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

struct Sequence {
  std::string_view identifier;
  std::string_view documents;  // each has been validated
};

struct Sections {
  std::string_view body;
  std::vector<Sequence> sequences;
};

Status check_sequence(const Sequence& sequence) {
  bson::ValidateOptions options;
  options.max_size = kMaxMessageBytes;  // an oversized document is the command's error
  std::size_t count = 0;
  ByteReader reader(sequence.documents);
  while (!reader.is_empty()) {
    const auto document = reader.take_sized();
    if (!document) return malformed("a document runs over the end of its sequence");
    RESTITCH_CHECK(bson::validate(*document, options));
    ++count;
  }
  if (count > kMaxSequenceDocuments) {
    return mongo_error(kInvalidLength, "Write batch sizes must be between 1 and 100000. Got " +
                                           std::to_string(count) + " operations.");
  }
  return {};
}

Result<Sequence> read_sequence(ByteReader& reader) {
  const auto bytes = reader.take_sized();
  if (!bytes) return malformed("a document sequence runs over the end of the message");
  ByteReader content(bytes->substr(sizeof(std::int32_t)));
  const auto identifier = content.text_to_nul();
  if (!identifier) return malformed("the identifier of a document sequence has no end");
  if (!is_valid_utf8(*identifier)) {
    return malformed("the identifier of a document sequence is not UTF-8");
  }
  const Sequence sequence{*identifier, content.rest()};
  RESTITCH_CHECK(check_sequence(sequence));
  return sequence;
}

Status add_sequence(Sections& sections, const Sequence& sequence) {
  for (const Sequence& earlier : sections.sequences) {
    if (earlier.identifier != sequence.identifier) continue;
    return mongo_error(40431, "Duplicate document sequence: " + std::string(sequence.identifier));
  }
  if (sections.sequences.size() == kMaxSequences) {
    return mongo_error(kTooManySequences, "Too many document sequences in one message");
  }
  sections.sequences.push_back(sequence);
  return {};
}

Result<Sections> read_sections(std::string_view bytes) {
  constexpr std::uint8_t kBody = 0;
  constexpr std::uint8_t kDocumentSequence = 1;
  Sections sections;
  ByteReader reader(bytes);
  while (!reader.is_empty()) {
    const std::uint8_t kind = *reader.u8();
    if (kind == kBody) {
      if (!sections.body.empty()) return mongo_error(40430, "Multiple body sections in message");
      const auto body = reader.take_sized();
      if (!body) return malformed("the body runs over the end of the message");
      RESTITCH_CHECK(bson::validate(*body));
      sections.body = *body;
    } else if (kind == kDocumentSequence) {
      RESTITCH_TRY(const Sequence sequence, read_sequence(reader));
      RESTITCH_CHECK(add_sequence(sections, sequence));
    } else {
      return mongo_error(40432, "Unknown section kind " + std::to_string(kind));
    }
  }
  if (sections.body.empty()) return mongo_error(40587, "OP_MSG messages must have a body");
  return sections;
}

// The command as if everything had been in the body.
Result<bson::Document> merged(const Sections& sections) {
  const View body = view_of(sections.body);
  if (sections.sequences.empty()) return bson::Document(body);
  bson::Builder builder;
  builder.append_all(body);
  for (const Sequence& sequence : sections.sequences) {
    if (body.contains(sequence.identifier)) {
      return mongo_error(40433, "Duplicate field between body and document sequence " +
                                    std::string(sequence.identifier));
    }
    builder.open_array(sequence.identifier);
    ByteReader reader(sequence.documents);
    while (const auto document = reader.take_sized()) builder.push(view_of(*document));
    builder.close();
  }
  return std::move(builder).finish();
}

Result<std::string_view> without_checksum(std::string_view bytes) {
  constexpr std::size_t kChecksumBytes = 4;
  if (bytes.size() < kHeaderBytes + sizeof(std::uint32_t) + kChecksumBytes) {
    return mongo_error(kChecksumMismatch, "the message is too short for its checksum");
  }
  const std::string_view covered = bytes.substr(0, bytes.size() - kChecksumBytes);
  ByteReader tail(bytes.substr(covered.size()));
  if (*tail.u32() != crc32c(covered)) {
    return mongo_error(kChecksumMismatch, "OP_MSG checksum does not match contents");
  }
  return covered;
}

Result<Command> parse_op_msg(std::string_view bytes, ReplyForm& form) {
  ByteReader reader(bytes.substr(kHeaderBytes));
  const auto flags = reader.u32();
  if (!flags) return malformed("too short for its flags");
  if ((*flags & kRequiredBits & ~(kChecksumPresent | kMoreToCome)) != 0) {
    return mongo_error(kIllegalFlag, "Message contains illegal flags value");
  }
  form.is_wanted = (*flags & kMoreToCome) == 0;
  form.allows_exhaust = (*flags & kExhaustAllowed) != 0;
  if ((*flags & kChecksumPresent) != 0) {
    RESTITCH_TRY(bytes, without_checksum(bytes));
  }
  RESTITCH_TRY(const Sections sections,
               read_sections(bytes.substr(kHeaderBytes + sizeof(std::uint32_t))));
  const bson::ValueView database = view_of(sections.body)["$db"];
  if (database.is_missing()) return mongo_error(40571, "OP_MSG requests require a $db argument");
  if (!database.as_string()) {
    return mongo_error(kTypeMismatch,
                       "$db must be a string, not " + std::string(bson::alias_of(database.type())));
  }
  Command command;
  command.database = std::string(database.get_string());
  RESTITCH_TRY(command.document, merged(sections));
  return command;
}

// "db.$cmd" to "db".
Result<std::string_view> database_of_query(std::string_view ns) {
  constexpr std::string_view kSuffix = ".$cmd";
  if (ns.size() <= kSuffix.size() || !ns.ends_with(kSuffix) || !is_valid_utf8(ns)) {
    return mongo_error(5739101, "OP_QUERY is served for commands only: <database>.$cmd");
  }
  return ns.substr(0, ns.size() - kSuffix.size());
}

// The command itself, which may be wrapped as {$query: {…}, $readPreference: {…}}.
View unwrapped(View query) {
  for (const char* name : {"$query", "query"}) {
    if (query.empty() || query.begin()->name != name) continue;
    if (const auto inner = query.begin()->value.as_object()) return *inner;
  }
  return query;
}

Result<Command> parse_op_query(std::string_view bytes) {
  ByteReader reader(bytes.substr(kHeaderBytes));
  const auto flags = reader.u32();
  const auto ns = reader.text_to_nul();
  const auto skip = reader.i32();
  const auto limit = reader.i32();
  const auto query = reader.take_sized();
  if (!flags || !ns || !skip || !limit || !query) return malformed("OP_QUERY is cut short");
  RESTITCH_CHECK(bson::validate(*query));
  if (!reader.is_empty()) RESTITCH_CHECK(bson::validate(reader.rest()));  // a projection
  RESTITCH_TRY(const std::string_view database, database_of_query(*ns));
  if (*limit != 1 && *limit != -1) {
    return mongo_error(16979, "Bad numberToReturn (" + std::to_string(*limit) + ") for " +
                                  std::string(*ns) + " - can only be 1 or -1");
  }
  const View command = unwrapped(view_of(*query));
  const std::string name(command.empty() ? std::string_view() : command.begin()->name);
  if (name.empty()) return mongo_error(kBadValue, "the command is empty");
  if (!is_hello(name)) {
    return mongo_error(kUnsupportedQuery, "Unsupported OP_QUERY command: " + name +
                                              ". The client driver may require an upgrade.");
  }
  if (command.contains("$db")) {
    return mongo_error(40621, "$db is not allowed in OP_QUERY requests");
  }
  return Command{std::string(database), bson::Document(command)};
}

void append_number(std::string& out, std::uint32_t value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

}  // namespace

bool is_hello(std::string_view name) {
  return name == "hello" || name == "isMaster" || name == "ismaster";
}

Result<Header> parse_header(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto length = reader.i32();
  const auto request_id = reader.u32();
  const auto response_to = reader.u32();
  const auto op_code = reader.i32();
  if (!length || !request_id || !response_to || !op_code) {
    return Error(ErrorCode::kInvalidArgument, "the message header is cut short");
  }
  if (*length < static_cast<std::int32_t>(kHeaderBytes) ||
      *length > static_cast<std::int32_t>(kMaxMessageBytes)) {
    return Error(ErrorCode::kInvalidArgument,
                 "impossible message length " + std::to_string(*length));
  }
  const auto op = static_cast<OpCode>(*op_code);
  if (op != OpCode::kMessage && op != OpCode::kQuery && op != OpCode::kCompressed) {
    return Error(ErrorCode::kUnsupported,
                 "operation " + std::to_string(*op_code) + " of the wire protocol is not served");
  }
  return Header{static_cast<std::size_t>(*length), *request_id, op};
}

Result<CompressedMessage> parse_compressed(const Header& header, std::string_view bytes,
                                           std::size_t max_bytes) {
  ByteReader reader(bytes.substr(kHeaderBytes));
  const auto op_code = reader.i32();
  const auto size = reader.i32();
  const auto number = reader.u8();
  if (!op_code || !size || !number) {
    return Error(ErrorCode::kInvalidArgument, "the compressed message is cut short");
  }
  const auto op = static_cast<OpCode>(*op_code);
  if (op != OpCode::kMessage && op != OpCode::kQuery) {
    return Error(ErrorCode::kUnsupported,
                 "operation " + std::to_string(*op_code) + " inside a compressed message");
  }
  if (*size < 0 || static_cast<std::size_t>(*size) > max_bytes - kHeaderBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 "impossible size of a compressed message: " + std::to_string(*size));
  }
  const auto compressor = compressor_of(*number);
  if (!compressor) {
    return Error(ErrorCode::kUnsupported, "unknown compressor " + std::to_string(*number));
  }
  CompressedMessage message;
  message.header = {static_cast<std::size_t>(*size) + kHeaderBytes, header.request_id, op};
  message.compressor = *compressor;
  message.bytes = reader.rest();
  return message;
}

Result<std::string> decompressed(const CompressedMessage& message) {
  RESTITCH_TRY(const std::string body,
               decompress(message.compressor, message.bytes, message.header.length - kHeaderBytes));
  std::string whole;
  whole.reserve(message.header.length);
  append_number(whole, static_cast<std::uint32_t>(message.header.length));
  append_number(whole, message.header.request_id);
  append_number(whole, 0);
  append_number(whole, static_cast<std::uint32_t>(message.header.op_code));
  whole.append(body);
  return whole;
}

std::string compressed_reply(Compressor compressor, const ReplyForm& form,
                             const ReplyHeader& header, View document) {
  std::string plain = reply_head(form, header, document.size());
  plain.erase(0, kHeaderBytes);
  plain.append(document.bytes());
  const std::string bytes = compress(compressor, plain);
  std::string out;
  out.reserve(kCompressedHeaderBytes + bytes.size());
  append_number(out, static_cast<std::uint32_t>(kCompressedHeaderBytes + bytes.size()));
  append_number(out, header.request_id);
  append_number(out, header.response_to);
  append_number(out, static_cast<std::uint32_t>(OpCode::kCompressed));
  append_number(out, static_cast<std::uint32_t>(form.is_query ? OpCode::kReply : OpCode::kMessage));
  append_number(out, static_cast<std::uint32_t>(plain.size()));
  out.push_back(static_cast<char>(compressor));
  out.append(bytes);
  return out;
}

bool is_never_compressed(std::string_view name) {
  constexpr std::string_view kNames[] = {"saslStart",  "saslContinue", "getnonce", "authenticate",
                                         "createUser", "updateUser",   "logout"};
  return is_hello(name) || name.starts_with("copydb") ||
         std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

ParsedMessage parse_message(const Header& header, std::string_view bytes) {
  ParsedMessage parsed;
  parsed.form.is_query = header.op_code == OpCode::kQuery;
  parsed.command = parsed.form.is_query ? parse_op_query(bytes) : parse_op_msg(bytes, parsed.form);
  parsed.is_fatal = !parsed.command && is_fatal(parsed.command.error());
  return parsed;
}

std::string reply_head(const ReplyForm& form, const ReplyHeader& header,
                       std::size_t document_bytes) {
  // OP_REPLY: flags, cursor, starting from, number returned. OP_MSG: flags, kind of the section.
  const std::size_t fixed = form.is_query ? 20 : 5;
  std::string head;
  head.reserve(kHeaderBytes + fixed);
  append_number(head, static_cast<std::uint32_t>(kHeaderBytes + fixed + document_bytes));
  append_number(head, header.request_id);
  append_number(head, header.response_to);
  append_number(head,
                static_cast<std::uint32_t>(form.is_query ? OpCode::kReply : OpCode::kMessage));
  if (form.is_query) {
    append_number(head, kAwaitCapable);
    head.append(12, '\0');
    append_number(head, 1);
  } else {
    append_number(head, header.has_more_to_come ? kMoreToCome : 0);
    head.push_back('\0');
  }
  return head;
}

}  // namespace restitch::api::wire
