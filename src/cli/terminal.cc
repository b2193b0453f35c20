#include "cli/terminal.h"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iostream>

#include "app/names.h"
#include "app/writing/files.h"
#include "app/writing/members.h"
#include "bson/extended_json.h"

namespace restitch::cli {
namespace {

constexpr std::size_t kBarWidth = 24;

std::string now() {
  char text[40];
  const std::time_t time = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  const std::size_t length = app::character_count(text);
  if (length < width) out.append(width - length, ' ');
  return out;
}

std::string joined_cells(const std::vector<std::string>& cells,
                         const std::vector<std::size_t>& widths) {
  std::string line = "  ";
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (i > 0) line.append("  ");
    line.append(padded(i < cells.size() ? cells[i] : "", widths[i]));
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

Terminal::Terminal(const TerminalOptions& options) : options_(options) {
  if (!options_.output_file.empty()) file_.open(options_.output_file, std::ios::app);
  shows_progress_ = !options_.json && !options_.plain && ::isatty(STDERR_FILENO) != 0;
}

std::ostream& Terminal::out() { return file_.is_open() ? file_ : std::cout; }

void Terminal::write(std::ostream& to, std::string_view level, std::string_view message,
                     bson::Document further) {
  clear_progress();
  if (!options_.json) {
    to << message << "\n" << std::flush;
    return;
  }
  bson::Builder line;
  line.append("time", now()).append("level", level).append("message", message);
  line.append_all(further.view());
  to << bson::to_json(std::move(line).finish().view(), bson::JsonMode::kRelaxed) << "\n"
     << std::flush;
}

void Terminal::say(std::string_view message) { write(out(), "info", message); }
void Terminal::warn(std::string_view message) { write(out(), "warn", message); }
void Terminal::error(std::string_view message) { write(std::cerr, "error", message); }

void Terminal::list(std::string_view message, const std::vector<std::string>& lines) {
  if (options_.json) {
    bson::Builder further;
    further.open_array("data");
    for (const std::string& line : lines) further.push(line);
    further.close();
    write(out(), "info", message, std::move(further).finish());
    return;
  }
  write(out(), "info", message);
  for (const std::string& line : lines) out() << "  " << line << "\n";
  out() << std::flush;
}

void Terminal::table(std::string_view message, const std::vector<std::string>& headers,
                     const std::vector<std::vector<std::string>>& rows) {
  if (options_.json) {
    bson::Builder further;
    further.open_array("headers");
    for (const std::string& header : headers) further.push(header);
    further.close().open_array("data");
    for (const auto& row : rows) {
      further.push_object();
      for (std::size_t i = 0; i < headers.size() && i < row.size(); ++i) {
        further.append(headers[i], row[i]);
      }
      further.close();
    }
    further.close();
    write(out(), "info", message, std::move(further).finish());
    return;
  }
  std::vector<std::size_t> widths;
  std::vector<std::string> dashes;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    std::size_t width = app::character_count(headers[i]);
    for (const auto& row : rows) {
      if (i < row.size()) width = std::max(width, app::character_count(row[i]));
    }
    widths.push_back(width);
    dashes.emplace_back(width, '-');
  }
  write(out(), "info", message);
  out() << joined_cells(headers, widths) << joined_cells(dashes, widths);
  for (const auto& row : rows) out() << joined_cells(row, widths);
  out() << std::flush;
}

void Terminal::document(std::string_view message, bson::ValueView value) {
  if (options_.json) {
    write(out(), "info", message, bson::make_document("doc", value));
    return;
  }
  write(out(), "info", message);
  out() << app::json_text(value, 2) << std::flush;
}

void Terminal::raw(std::string_view text) {
  clear_progress();
  out() << text << std::flush;
}

bool Terminal::can_ask() const {
  return !options_.json && ::isatty(STDIN_FILENO) != 0 && ::isatty(STDERR_FILENO) != 0;
}

std::optional<bool> Terminal::confirm(const std::string& question) {
  if (options_.yes) return true;
  const auto answer = ask(question + " (y/N)");
  if (!answer) return std::nullopt;
  return *answer == "y" || *answer == "Y" || *answer == "yes";
}

std::optional<std::string> Terminal::ask(const std::string& question) {
  if (!can_ask()) return std::nullopt;
  clear_progress();
  std::cerr << "? " << question << " " << std::flush;
  std::string answer;
  if (!std::getline(std::cin, answer)) return std::nullopt;
  return answer;
}

std::optional<std::string> Terminal::ask_secret(const std::string& question) {
  if (!can_ask()) return std::nullopt;
  termios shown{};
  ::tcgetattr(STDIN_FILENO, &shown);
  termios hidden = shown;
  hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  auto answer = ask(question);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
  std::cerr << "\n";
  return answer;
}

void Terminal::progress(const std::string& text) {
  if (!shows_progress_) return;
  clear_progress();
  if (text.empty()) return;
  std::cerr << text << "…" << std::flush;
  has_progress_ = true;
}

void Terminal::progress(const std::string& text, std::uint64_t done, std::uint64_t of) {
  if (!shows_progress_ || of == 0) return;
  const std::size_t filled = static_cast<std::size_t>(std::min(done, of) * kBarWidth / of);
  std::string bar(filled, '#');
  bar.append(kBarWidth - filled, '.');
  clear_progress();
  std::cerr << text << " [" << bar << "] " << std::min(done, of) * 100 / of << " %" << std::flush;
  has_progress_ = true;
}

void Terminal::clear_progress() {
  if (!has_progress_) return;
  std::cerr << "\r\033[K" << std::flush;
  has_progress_ = false;
}

}  // namespace restitch::cli
