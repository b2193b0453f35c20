#pragma once

#include <string>
#include <string_view>

namespace restitch::api {

// Names of headers and hosts for comparison: ASCII letters only, whatever the locale.
inline std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace restitch::api
