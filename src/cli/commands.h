#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace restitch::cli {

// Adds the commands that talk to a server to `root`. When the arguments name one of them, `chosen`
// becomes what runs it and gives the exit code: 0 for success, 1 for any error, 130 after Ctrl-C.
void add_commands(CLI::App& root, std::function<int()>& chosen);

}  // namespace restitch::cli
