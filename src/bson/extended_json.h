#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::bson {

enum class JsonMode {
  kCanonical,  // every number, date and so on in its type wrapper
  kRelaxed,    // plain numbers and ISO dates where that loses nothing
};

// Extended JSON v2 without any white space. Binary always prints
// {"$binary":{"base64":…,"subType":…}}, and undefined prints {"$undefined":true}. Doubles print the
// shortest text that reads back ("1.0" for whole ones).
std::string to_json(ValueView value, JsonMode mode = JsonMode::kCanonical);
std::string to_json(View document, JsonMode mode = JsonMode::kCanonical);
void append_json(std::string& out, ValueView value, JsonMode mode = JsonMode::kCanonical);

// MongoDB shell-like text for error messages: { a: 1.0, b: "x", c: ObjectId('…'), d: [ 1, 2 ] }.
std::string to_shell(ValueView value);
std::string to_shell(View document);

// Reads JSON text (RFC 8259) in which Extended JSON v2 wrappers, canonical or relaxed, become BSON
// values. Plain integers become int32 when they fit, else int64, else double; a fraction or
// exponent gives a double. Also understood: the legacy v1 forms of $oid, $date (number or ISO
// text), $binary with $type, $regex/$options, $uuid. An object that starts with an unknown `$` key
// stays an object ({"$gt":1} is a query). A known wrapper of a wrong shape is an error. Duplicate
// names keep the last value. Errors are kInvalidArgument, the message names line and column. Depth
// is limited to kMaxDepth.
Result<Value> parse_json(std::string_view text);
// The same, and the top level must be an object.
Result<Document> parse_json_document(std::string_view text);

struct JsonOptions {
  bool extended = true;               // false: no wrapper is interpreted
  bool allow_trailing_comma = false;  // configuration files: accepted with `had_leniencies` set
  bool allow_byte_order_mark = false;
};
struct LenientJson {
  Value value;
  bool had_trailing_comma = false;
  bool had_byte_order_mark = false;
};
Result<LenientJson> parse_json_with(std::string_view text, JsonOptions options);

}  // namespace restitch::bson
