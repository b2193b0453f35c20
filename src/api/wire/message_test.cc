#include "api/wire/message.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>

#include "api/wire/crc32c.h"
#include "bson/extended_json.h"

namespace restitch::api::wire {
namespace {

constexpr std::uint32_t kChecksumPresent = 1;
constexpr std::uint32_t kMoreToCome = 2;
constexpr std::uint32_t kExhaustAllowed = 1U << 16U;

std::string number(std::uint32_t value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return bytes;
}

std::string document(std::string_view json) {
  const auto parsed = bson::parse_json_document(json);
  EXPECT_TRUE(parsed);
  return std::string(parsed->bytes());
}

std::string body(std::string_view json) { return std::string(1, '\0') + document(json); }

std::string sequence(std::string_view identifier, std::initializer_list<std::string_view> jsons) {
  std::string content = std::string(identifier) + '\0';
  for (const std::string_view json : jsons) content += document(json);
  return '\1' + number(static_cast<std::uint32_t>(content.size() + 4)) + content;
}

std::string message(OpCode op, const std::string& rest) {
  return number(static_cast<std::uint32_t>(kHeaderBytes + rest.size())) + number(7) + number(0) +
         number(static_cast<std::uint32_t>(op)) + rest;
}

std::string op_msg(const std::string& sections, std::uint32_t flags = 0) {
  return message(OpCode::kMessage, number(flags) + sections);
}

std::string op_query(std::string_view ns, std::int32_t limit, std::string_view json) {
  return message(OpCode::kQuery, number(0) + std::string(ns) + '\0' + number(0) +
                                     number(static_cast<std::uint32_t>(limit)) + document(json));
}

ParsedMessage parse(const std::string& bytes) {
  const auto header = parse_header(std::string_view(bytes).substr(0, kHeaderBytes));
  EXPECT_TRUE(header);
  EXPECT_EQ(header->length, bytes.size());
  return parse_message(*header, bytes);
}

int code_of(const ParsedMessage& parsed) {
  return parsed.command ? 0 : parsed.command.error().mongo_code();
}

std::string text_of(const ParsedMessage& parsed) {
  return parsed.command ? bson::to_json(parsed.command->document, bson::JsonMode::kRelaxed) : "";
}

TEST(WireMessage, a_body_is_the_command) {
  const auto parsed = parse(op_msg(body(R"({"ping": 1, "$db": "admin"})")));
  ASSERT_EQ(code_of(parsed), 0);
  EXPECT_EQ(parsed.command->database, "admin");
  EXPECT_EQ(parsed.command->document.bytes(), document(R"({"ping": 1, "$db": "admin"})"));
  EXPECT_TRUE(parsed.form.is_wanted);
  EXPECT_FALSE(parsed.form.allows_exhaust);
  EXPECT_FALSE(parsed.form.is_query);
}

TEST(WireMessage, sequences_become_arrays_behind_the_body_wherever_they_stand) {
  const std::string wanted =
      document(R"({"insert": "c", "$db": "d", "documents": [{"a": 1}, {"a": 2}], "other": []})");
  const std::string documents = sequence("documents", {R"({"a": 1})", R"({"a": 2})"});
  const std::string other = sequence("other", {});
  const std::string command = body(R"({"insert": "c", "$db": "d"})");
  for (const auto& sections :
       {documents + other + command, command + documents + other, documents + command + other}) {
    const auto parsed = parse(op_msg(sections));
    ASSERT_EQ(code_of(parsed), 0);
    EXPECT_EQ(parsed.command->document.bytes(), wanted);
  }
}

TEST(WireMessage, faults_of_sections_have_their_codes) {
  const std::string ping = body(R"({"ping": 1, "$db": "d"})");
  EXPECT_EQ(code_of(parse(op_msg(ping + ping))), 40430);
  EXPECT_EQ(code_of(parse(op_msg(""))), 40587);
  EXPECT_EQ(code_of(parse(op_msg(sequence("a", {})))), 40587);
  EXPECT_EQ(code_of(parse(op_msg(ping + sequence("a", {}) + sequence("a", {})))), 40431);
  EXPECT_EQ(code_of(parse(op_msg(ping + sequence("ping", {})))), 40433);
  EXPECT_EQ(code_of(parse(op_msg(ping + "\2"))), 40432);
  EXPECT_EQ(code_of(parse(op_msg(body(R"({"ping": 1})")))), 40571);
  EXPECT_EQ(code_of(parse(op_msg(body(R"({"ping": 1, "$db": 5})")))), 14);
}

TEST(WireMessage, only_faults_that_are_beyond_an_answer_are_fatal) {
  const std::string ping = body(R"({"ping": 1, "$db": "d"})");
  EXPECT_FALSE(parse(op_msg(ping + ping)).is_fatal);
  const auto many = parse(op_msg(ping + sequence("a", {}) + sequence("b", {}) + sequence("c", {})));
  EXPECT_EQ(code_of(many), 233);
  EXPECT_TRUE(many.is_fatal);
  const auto flagged = parse(op_msg(ping, 1U << 2U));
  EXPECT_EQ(code_of(flagged), 223);
  EXPECT_TRUE(flagged.is_fatal);
}

TEST(WireMessage, flags_say_how_to_answer) {
  const std::string ping = body(R"({"ping": 1, "$db": "d"})");
  EXPECT_FALSE(parse(op_msg(ping, kMoreToCome)).form.is_wanted);
  EXPECT_TRUE(parse(op_msg(ping, kExhaustAllowed)).form.allows_exhaust);
  EXPECT_EQ(code_of(parse(op_msg(ping, 1U << 31U))), 0);
  EXPECT_FALSE(parse(op_msg("\5", kMoreToCome)).form.is_wanted);
}

TEST(WireMessage, checksums_are_verified) {
  std::string bytes = op_msg(body(R"({"ping": 1, "$db": "d"})"), kChecksumPresent);
  const std::string length = number(static_cast<std::uint32_t>(bytes.size() + 4));
  bytes.replace(0, 4, length);
  const std::string good = bytes + number(crc32c(bytes));
  EXPECT_EQ(code_of(parse(good)), 0);
  const auto bad = parse(bytes + number(crc32c(bytes) ^ 1U));
  EXPECT_EQ(code_of(bad), 288);
  EXPECT_TRUE(bad.is_fatal);
  EXPECT_EQ(code_of(parse(op_msg("", kChecksumPresent))), 288);
}

TEST(WireMessage, the_checksum_is_that_of_castagnoli) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST(WireMessage, lengths_inside_a_message_are_not_believed) {
  const std::string ping = body(R"({"ping": 1, "$db": "d"})");
  for (const std::uint32_t length : {0U, 4U, 5U, 1000U, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU}) {
    std::string broken = ping;
    broken.replace(1, 4, number(length));
    EXPECT_EQ(code_of(parse(op_msg(broken))), 22) << length;
    std::string broken_sequence = sequence("documents", {R"({"a": 1})"});
    broken_sequence.replace(1, 4, number(length));
    EXPECT_EQ(code_of(parse(op_msg(ping + broken_sequence))), 22) << length;
  }
  const std::string whole = op_msg(ping);
  for (std::size_t size = kHeaderBytes; size < whole.size(); ++size) {
    std::string cut = whole.substr(0, size);
    cut.replace(0, 4, number(static_cast<std::uint32_t>(size)));
    EXPECT_NE(code_of(parse(cut)), 0) << size;
  }
}

TEST(WireMessage, bad_documents_are_refused) {
  std::string broken = body(R"({"ping": "text", "$db": "d"})");
  broken[broken.find("text")] = '\xFF';
  EXPECT_EQ(code_of(parse(op_msg(broken))), 22);
  std::string documents = sequence("documents", {R"({"a": "text"})"});
  documents[documents.find("text") + 4] = 'x';
  EXPECT_EQ(code_of(parse(op_msg(body(R"({"insert": "c", "$db": "d"})") + documents))), 22);
  EXPECT_EQ(code_of(parse(op_msg(body(R"({"a": 1, "$db": "d"})") + sequence("\xFF", {})))), 22);
}

TEST(WireMessage, a_sequence_holds_no_more_documents_than_a_batch) {
  std::string content("documents", 10);
  for (std::size_t i = 0; i < kMaxSequenceDocuments + 1; ++i) content.append("\5\0\0\0\0", 5);
  const std::string section =
      '\1' + number(static_cast<std::uint32_t>(content.size() + 4)) + content;
  EXPECT_EQ(code_of(parse(op_msg(body(R"({"insert": "c", "$db": "d"})") + section))), 16);
}

TEST(WireMessage, headers_that_end_a_connection) {
  const auto header = [](std::uint32_t length, std::uint32_t op) {
    return parse_header(number(length) + number(1) + number(0) + number(op));
  };
  EXPECT_TRUE(header(16, 2013));
  EXPECT_TRUE(header(48000000, 2004));
  EXPECT_FALSE(header(15, 2013));
  EXPECT_FALSE(header(0, 2013));
  EXPECT_FALSE(header(48000001, 2013));
  EXPECT_FALSE(header(0x80000010U, 2013));
  for (const std::uint32_t op : {0U, 1U, 2001U, 2002U, 2005U, 2006U, 2007U, 2010U, 2011U}) {
    EXPECT_FALSE(header(100, op)) << op;
  }
}

// The message as OP_COMPRESSED; `size` and `op` as told to the receiver.
std::string compressed(Compressor compressor, const std::string& plain,
                       std::optional<std::uint32_t> size = std::nullopt,
                       OpCode op = OpCode::kMessage) {
  const std::string inner = plain.substr(kHeaderBytes);
  return message(OpCode::kCompressed,
                 number(static_cast<std::uint32_t>(op)) +
                     number(size.value_or(static_cast<std::uint32_t>(inner.size()))) +
                     static_cast<char>(compressor) + compress(compressor, inner));
}

Result<std::string> opened(const std::string& bytes, std::size_t max_bytes = kMaxMessageBytes) {
  const auto header = parse_header(std::string_view(bytes).substr(0, kHeaderBytes));
  EXPECT_TRUE(header);
  RESTITCH_TRY(const CompressedMessage inside, parse_compressed(*header, bytes, max_bytes));
  return decompressed(inside);
}

constexpr Compressor kAllCompressors[] = {Compressor::kNone, Compressor::kSnappy, Compressor::kZlib,
                                          Compressor::kZstd};

TEST(WireMessage, compressed_messages_are_the_messages_inside) {
  const std::string plain =
      op_msg(body(R"({"ping": 1, "$db": "d", "x": "aaaaaaaaaaaaaaaaaaaaa"})"));
  for (const Compressor compressor : kAllCompressors) {
    const auto whole = opened(compressed(compressor, plain));
    ASSERT_TRUE(whole) << static_cast<int>(compressor);
    EXPECT_EQ(*whole, plain);
  }
}

TEST(WireMessage, damaged_compressed_messages_are_errors) {
  const std::string plain =
      op_msg(body(R"({"ping": 1, "$db": "d", "x": "aaaaaaaaaaaaaaaaaaaaa"})"));
  const auto size = static_cast<std::uint32_t>(plain.size() - kHeaderBytes);
  for (const Compressor compressor : kAllCompressors) {
    for (const std::uint32_t told : {size - 1, size + 1, 0U, 0x80000000U, 48000000U - 15U}) {
      EXPECT_FALSE(opened(compressed(compressor, plain, told))) << told;
    }
    EXPECT_FALSE(opened(compressed(compressor, plain, size, OpCode::kCompressed)));
    EXPECT_FALSE(opened(compressed(compressor, plain, size, OpCode::kReply)));
    EXPECT_FALSE(opened(compressed(compressor, plain), 32));
    const std::string whole = compressed(compressor, plain);
    for (std::size_t length = kHeaderBytes; length < whole.size(); ++length) {
      EXPECT_FALSE(opened(whole.substr(0, length))) << length;
    }
  }
  EXPECT_FALSE(opened(message(OpCode::kCompressed, number(2013) + number(4) + "\4abcd")));
}

TEST(WireMessage, compressed_replies_can_be_opened) {
  const auto parsed = bson::parse_json_document(R"({"ok": 1.0, "text": "aaaaaaaaaaaaaaaaaaaaaa"})");
  ASSERT_TRUE(parsed);
  const ReplyHeader header{5, 9, true};
  for (const Compressor compressor : kAllCompressors) {
    const std::string reply = compressed_reply(compressor, {}, header, *parsed);
    const auto whole = opened(reply);
    ASSERT_TRUE(whole);
    EXPECT_EQ(reply.substr(4, 8), number(5) + number(9));
    EXPECT_EQ(whole->substr(kHeaderBytes),
              reply_head({}, header, parsed->bytes().size()).substr(kHeaderBytes) +
                  std::string(parsed->bytes()));
  }
}

TEST(WireMessage, a_query_may_only_say_hello) {
  const auto parsed = parse(op_query("admin.$cmd", -1, R"({"isMaster": 1, "helloOk": true})"));
  ASSERT_EQ(code_of(parsed), 0);
  EXPECT_TRUE(parsed.form.is_query);
  EXPECT_EQ(parsed.command->database, "admin");
  EXPECT_EQ(text_of(parsed), R"({"isMaster":1,"helloOk":true})");
  const auto wrapped = parse(op_query("admin.$cmd", 1, R"({"$query": {"hello": 1}})"));
  EXPECT_EQ(text_of(wrapped), R"({"hello":1})");
  EXPECT_EQ(code_of(parse(op_query("admin.$cmd", -1, R"({"find": "c"})"))), 352);
  EXPECT_EQ(code_of(parse(op_query("admin.$cmd", 2, R"({"isMaster": 1})"))), 16979);
  EXPECT_EQ(code_of(parse(op_query("admin.c", -1, R"({"isMaster": 1})"))), 5739101);
  EXPECT_EQ(code_of(parse(op_query(".$cmd", -1, R"({"isMaster": 1})"))), 5739101);
  EXPECT_EQ(code_of(parse(op_query("a.$cmd", -1, R"({"isMaster": 1, "$db": "a"})"))), 40621);
  EXPECT_EQ(code_of(parse(op_query("a.$cmd", -1, "{}"))), 2);
}

TEST(WireMessage, replies_have_the_form_that_was_asked_in) {
  const ReplyHeader header{5, 7, true};
  const std::string message_head = reply_head({}, header, 30);
  EXPECT_EQ(message_head, number(16 + 5 + 30) + number(5) + number(7) + number(2013) + number(2) +
                              std::string(1, '\0'));
  ReplyForm query;
  query.is_query = true;
  EXPECT_EQ(reply_head(query, header, 30), number(16 + 20 + 30) + number(5) + number(7) +
                                               number(1) + number(8) + number(0) + number(0) +
                                               number(0) + number(1));
}

}  // namespace
}  // namespace restitch::api::wire
