#include "api/wire/message.h"
#include "bson/validate.h"
#include "fuzz.h"

// Whatever arrives, parsing ends in a valid command or in an error with a MongoDB code, and a
// command that was understood is understood alike when it is sent again as one body.
namespace {

using namespace restitch;
using namespace restitch::api::wire;

std::string as_body(const Command& command) {
  const ReplyHeader header;
  return reply_head({}, header, command.document.bytes().size()) +
         std::string(command.document.bytes());
}

void use(const ParsedMessage& parsed) {
  if (!parsed.command) {
    RESTITCH_ASSERT(parsed.command.error().mongo_code() != 0);
    return;
  }
  RESTITCH_ASSERT(!parsed.is_fatal);
  bson::ValidateOptions options;
  options.max_size = 2 * kMaxMessageBytes;
  options.max_depth = 202;  // a document of a sequence is two levels deeper in the command
  RESTITCH_ASSERT(bson::validate(parsed.command->document.bytes(), options));
  if (parsed.form.is_query) return;
  const std::string again = as_body(*parsed.command);
  const auto header = parse_header(std::string_view(again).substr(0, kHeaderBytes));
  RESTITCH_ASSERT(header);
  const ParsedMessage repeated = parse_message(*header, again);
  if (!repeated.command) {  // only what sequences may do and a body may not
    RESTITCH_ASSERT(repeated.command.error().mongo_code() == 15 ||
                    repeated.command.error().mongo_code() == 22);
    return;
  }
  RESTITCH_ASSERT(repeated.command->document == parsed.command->document);
  RESTITCH_ASSERT(repeated.command->database == parsed.command->database);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  if (size < kHeaderBytes) return 0;
  auto header = parse_header(bytes.substr(0, kHeaderBytes));
  if (!header || header->op_code == OpCode::kCompressed) return 0;
  header->length = size;  // as if the length had been right: the connection reads that many bytes
  use(parse_message(*header, bytes));
  return 0;
}
