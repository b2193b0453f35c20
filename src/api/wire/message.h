#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/wire/compression.h"
#include "base/result.h"
#include "bson/document.h"

// The messages of the MongoDB wire protocol (spec: mongodb-engine §1): requests from untrusted
// bytes, replies to bytes.
namespace restitch::api::wire {

inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::size_t kCompressedHeaderBytes =
    kHeaderBytes + 9;  // and operation, size, compressor
inline constexpr std::size_t kMaxMessageBytes = 48'000'000;
inline constexpr std::size_t kMaxSequenceDocuments = 100'000;

enum class OpCode : std::int32_t { kReply = 1, kQuery = 2004, kCompressed = 2012, kMessage = 2013 };

struct Header {
  std::size_t length = 0;  // of the whole message; kHeaderBytes to kMaxMessageBytes
  std::uint32_t request_id = 0;
  OpCode op_code = OpCode::kMessage;  // kQuery, kCompressed or kMessage
};

// From exactly kHeaderBytes. An error (impossible length, operation that is not served) leaves no
// way to go on with the connection.
Result<Header> parse_header(std::string_view bytes);

// How the sender wants its answer; known even when the rest of a message is refused.
struct ReplyForm {
  bool is_query = false;  // OP_REPLY answers OP_QUERY, OP_MSG answers OP_MSG
  bool is_wanted = true;  // false: moreToCome
  bool allows_exhaust = false;
};

struct Command {
  std::string database;
  bson::Document document;  // document sequences are array fields behind those of the body
};

struct ParsedMessage {
  ReplyForm form;
  Result<Command> command = Command();  // an error carries its MongoDB code
  bool is_fatal = false;                // the connection ends without an answer
};

// What an OP_COMPRESSED message holds. The views point into the message.
struct CompressedMessage {
  Header header;  // of the message inside: kQuery or kMessage
  Compressor compressor = Compressor::kNone;
  std::string_view bytes;  // to be decompressed to header.length - kHeaderBytes bytes
};

// From a whole message, header included. Checks the size that is told before anything is
// allocated: a message of more than `max_bytes` inside is an error. An error ends the connection.
Result<CompressedMessage> parse_compressed(const Header& header, std::string_view bytes,
                                           std::size_t max_bytes = kMaxMessageBytes);
// The message inside, whole. It may take milliseconds.
Result<std::string> decompressed(const CompressedMessage& message);

// From a whole message, header included; kQuery or kMessage. OP_QUERY yields only hello and its
// old names.
ParsedMessage parse_message(const Header& header, std::string_view bytes);

struct ReplyHeader {
  std::uint32_t request_id = 0;
  std::uint32_t response_to = 0;
  bool has_more_to_come = false;
};

// Everything of a reply that precedes its document of `document_bytes`.
std::string reply_head(const ReplyForm& form, const ReplyHeader& header,
                       std::size_t document_bytes);
// A whole OP_COMPRESSED message of a reply. It may take milliseconds.
std::string compressed_reply(Compressor compressor, const ReplyForm& form,
                             const ReplyHeader& header, bson::View document);
// Commands that are answered without compression: they carry secrets or come before its
// negotiation.
bool is_never_compressed(std::string_view command_name);

// hello or one of its old names.
bool is_hello(std::string_view command_name);

}  // namespace restitch::api::wire
