#include "server/console_output.h"

#include <cstdio>

namespace restitch::server {

void print_console_line(const std::string& app, const std::string& function, std::string_view line,
                        bool is_error) {
  std::string text = "[" + app + "/" + (function.empty() ? "source" : function) + "] ";
  if (is_error) text += "error: ";
  for (const char c : line) {
    if (c == '\n') {
      text += "\n  ";
    } else {
      text += (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F ? '?' : c;
    }
  }
  text += '\n';
  std::fwrite(text.data(), 1, text.size(),
              stderr);  // one call: lines of several threads do not mix
}

}  // namespace restitch::server
