#include "bson/extended_json.h"
#include "bson/validate.h"
#include "fuzz.h"

// Any text is refused or becomes valid BSON whose canonical text is a fixed point.
namespace {

using namespace restitch;

void check(const bson::Value& value) {
  bson::Builder builder;
  builder.append("v", value);
  const bson::Document document = std::move(builder).finish();
  RESTITCH_ASSERT(bson::validate(document.bytes()));
  const std::string text = bson::to_json(value);
  const auto again = bson::parse_json(text);
  RESTITCH_ASSERT(again);
  RESTITCH_ASSERT(bson::to_json(*again) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto value = bson::parse_json(text)) check(*value);
  const bson::JsonOptions options{
      .extended = false, .allow_trailing_comma = true, .allow_byte_order_mark = true};
  if (const auto plain = bson::parse_json_with(text, options)) {
    bson::Builder builder;
    builder.append("v", plain->value);
    RESTITCH_ASSERT(bson::validate(std::move(builder).finish().bytes()));
  }
  return 0;
}
