#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

// The messages of the MongoDB wire protocol (spec: mongodb-engine §1): requests from untrusted
// bytes, replies to bytes.
namespace restitch::api::wire {

inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::size_t kMaxMessageBytes = 48'000'000;
inline constexpr std::size_t kMaxSequenceDocuments = 100'000;

enum class OpCode : std::int32_t { kReply = 1, kQuery = 2004, kMessage = 2013 };

struct Header {
  std::size_t length = 0;  // of the whole message; kHeaderBytes to kMaxMessageBytes
  std::uint32_t request_id = 0;
  OpCode op_code = OpCode::kMessage;  // kQuery or kMessage
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

// From a whole message, header included. OP_QUERY yields only hello and its old names.
ParsedMessage parse_message(const Header& header, std::string_view bytes);

struct ReplyHeader {
  std::uint32_t request_id = 0;
  std::uint32_t response_to = 0;
  bool has_more_to_come = false;
};

// Everything of a reply that precedes its document of `document_bytes`.
std::string reply_head(const ReplyForm& form, const ReplyHeader& header,
                       std::size_t document_bytes);

// hello or one of its old names.
bool is_hello(std::string_view command_name);

}  // namespace restitch::api::wire
