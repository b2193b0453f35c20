#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"

namespace restitch::cli {

struct TerminalOptions {
  bool json = false;        // one JSON object a line
  bool yes = false;         // questions are answered with yes
  bool plain = false;       // no colours, no progress
  std::string output_file;  // appended to instead of standard output
};

// Everything that a command says and asks. Errors go to standard error, all else to standard
// output, progress to standard error and only to a terminal.
class Terminal {
 public:
  explicit Terminal(const TerminalOptions& options);

  bool is_json() const { return options_.json; }
  bool says_yes() const { return options_.yes; }

  void say(std::string_view message);
  void warn(std::string_view message);
  void error(std::string_view message);
  // A message with lines that belong to it.
  void list(std::string_view message, const std::vector<std::string>& lines);
  void table(std::string_view message, const std::vector<std::string>& headers,
             const std::vector<std::vector<std::string>>& rows);
  // A message with a JSON value.
  void document(std::string_view message, bson::ValueView value);
  // Text as it is, e.g. a script; nothing is added in either format.
  void raw(std::string_view text);

  // Whether somebody can be asked.
  bool can_ask() const;
  // With --yes, true at once; where nobody can be asked, nothing.
  std::optional<bool> confirm(const std::string& question);
  std::optional<std::string> ask(const std::string& question);
  // Not shown while it is typed.
  std::optional<std::string> ask_secret(const std::string& question);

  // One line that is written over; "" ends it.
  void progress(const std::string& text);
  void progress(const std::string& text, std::uint64_t done, std::uint64_t of);

 private:
  std::ostream& out();
  void write(std::ostream& to, std::string_view level, std::string_view message,
             bson::Document further = {});
  void clear_progress();

  TerminalOptions options_;
  std::ofstream file_;
  bool shows_progress_ = false;
  bool has_progress_ = false;
};

}  // namespace restitch::cli
