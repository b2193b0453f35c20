#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "bson/document.h"
#include "bson/key_reader.h"

namespace restitch::bson {

// The part of the key encoding that deals with numbers. See key_format.h for the layout.
void append_number_key(std::string& out, ValueView value);
void append_number_type_bits(std::string& out, ValueView value);

// `class_byte` has been taken from `key`, which stands behind it.
Result<Value> decode_number_key(std::uint8_t class_byte, KeyReader& key, KeyReader& type_bits);
Status skip_number_key(std::uint8_t class_byte, KeyReader& key);
bool is_number_class(std::uint8_t class_byte);

}  // namespace restitch::bson
