#pragma once

#include <string>
#include <string_view>

namespace restitch::server {

// Prints a console line of a function on standard error: "[app/function] line". Control characters
// are shown as '?', further lines are indented. Thread-safe.
void print_console_line(const std::string& app, const std::string& function, std::string_view line,
                        bool is_error);

}  // namespace restitch::server
