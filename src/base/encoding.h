#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace restitch {

// Lower-case hex, two digits a byte.
std::string to_hex(std::string_view bytes);
// Nothing if the length is odd or a character is no hex digit (either case).
std::optional<std::string> from_hex(std::string_view text);

// Standard alphabet with padding.
std::string to_base64(std::string_view bytes);
// URL alphabet without padding (as in JWT).
std::string to_base64url(std::string_view bytes);
// Accepts both alphabets, padded or not; nothing on any other character or an impossible length.
std::optional<std::string> from_base64(std::string_view text);

// Percent-decoding of a URL component. `plus_is_space` for query strings. Nothing on a broken escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);
// Escapes everything but unreserved characters (RFC 3986).
std::string percent_encode(std::string_view text);

// True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
bool is_valid_utf8(std::string_view bytes);

}  // namespace restitch
