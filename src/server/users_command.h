#pragma once

#include <string>

namespace restitch::server {

struct ImportUsersOptions {
  std::string file, data_directory, app;  // file "-": standard input
};
struct RotateKeyOptions {
  std::string data_directory, app;
  bool forget_former = false;
};

// `restitch users import` and `restitch signing-key rotate`: ask the server that runs on the data
// directory. Exit codes: 0, or 1 when something was refused or no server answers.
int run_import_users(const ImportUsersOptions& options);
int run_rotate_key(const RotateKeyOptions& options);

}  // namespace restitch::server
