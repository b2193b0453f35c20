#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::bson {

// Order-preserving encoding of BSON values (spec: mongodb-engine §10.3): memcmp order of the bytes
// is the canonical order of the values; equal values (1, 1.0, NumberLong(1)) give equal bytes; no
// encoding is a prefix of another. Missing encodes like null. `descending` inverts every byte.
void append_key(std::string& out, ValueView value, bool descending = false);

// Discriminators that sort below and above every encoded value, for exclusive and open bounds.
inline constexpr char kBelowAllValues = '\x01';
inline constexpr char kAboveAllValues = '\xFE';

// Type bits: what the order loses (numeric type, -0.0, decimal exponent, symbol, missing and so
// on), so that a value can be rebuilt from key and bits, for covered plans and consistency checks.
// The bits of the fields of a compound key stand behind each other; zero bytes at the very end may
// be dropped.
void append_type_bits(std::string& out, ValueView value);

// Reads one value back from the front of `key` and `type_bits`, consuming both. kCorrupt on
// malformed bytes.
Result<Value> decode_key(std::string_view& key, std::string_view& type_bits,
                         bool descending = false);

// Length of the first encoded value in `key`; kCorrupt if the bytes end before it does.
Result<std::size_t> encoded_length(std::string_view key, bool descending = false);

}  // namespace restitch::bson
