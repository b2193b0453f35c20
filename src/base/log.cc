#include "base/log.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace restitch::log {
namespace {

constexpr std::size_t kComponents = static_cast<std::size_t>(Component::kCount);
constexpr std::string_view kComponentNames[kComponents] = {"SERVER", "NETWORK", "STORAGE", "QUERY", "SOURCE",
                                                           "APP",    "AUTH",    "RULES",   "FUNCTION", "API"};

struct Levels {
  std::array<std::atomic<Severity>, kComponents> table;
  Levels() {
    for (auto& level : table) level.store(Severity::kInfo);
  }
};

std::array<std::atomic<Severity>, kComponents>& levels() {
  static Levels instance;
  return instance.table;
}

thread_local std::string thread_context = "-";  // NOLINT(bugprone-exception-escape)

std::string_view letter_of(Severity severity) {
  switch (severity) {
    case Severity::kFatal: return "F";
    case Severity::kError: return "E";
    case Severity::kWarning: return "W";
    case Severity::kInfo: return "I";
    case Severity::kDebug1: return "D1";
    case Severity::kDebug2: return "D2";
  }
  return "I";
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", byte);
      out.append(escape);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void append_now(std::string& out) {
  const auto now = std::chrono::system_clock::now();
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const std::time_t seconds = millis / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  out.append(text, size);
  std::snprintf(text, sizeof(text), ".%03d+00:00", static_cast<int>(millis % 1000));
  out.append(text);
}

}  // namespace

void Attribute::append_to(std::string& out) const {
  append_quoted(out, name_);
  out.push_back(':');
  if (const auto* flag = std::get_if<bool>(&value_)) {
    out.append(*flag ? "true" : "false");
  } else if (const auto* integer = std::get_if<std::int64_t>(&value_)) {
    out.append(std::to_string(*integer));
  } else if (const auto* number = std::get_if<double>(&value_)) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof(text), *number);
    out.append(text, static_cast<std::size_t>(end.ptr - text));
  } else {
    append_quoted(out, std::get<std::string>(value_));
  }
}

void set_level(Component component, Severity level) {
  levels()[static_cast<std::size_t>(component)].store(level, std::memory_order_relaxed);
}

void set_level_of_all(Severity level) {
  for (auto& entry : levels()) entry.store(level, std::memory_order_relaxed);
}

bool is_enabled(Component component, Severity severity) {
  return severity <= levels()[static_cast<std::size_t>(component)].load(std::memory_order_relaxed);
}

std::string set_thread_context(std::string name) {
  std::swap(thread_context, name);
  return name;
}

void write(Severity severity, Component component, int id, std::string_view message,
           std::initializer_list<Attribute> attributes) {
  std::string line = R"({"t":{"$date":")";
  append_now(line);
  line.append(R"("},"s":")").append(letter_of(severity));
  line.append(R"(","c":")").append(kComponentNames[static_cast<std::size_t>(component)]);
  line.append(R"(","id":)").append(std::to_string(id));
  line.append(R"(,"ctx":)");
  append_quoted(line, thread_context);
  line.append(R"(,"msg":)");
  append_quoted(line, message);
  if (attributes.size() > 0) {
    line.append(R"(,"attr":{)");
    bool first = true;
    for (const Attribute& attribute : attributes) {
      if (!first) line.push_back(',');
      first = false;
      attribute.append_to(line);
    }
    line.push_back('}');
  }
  line.append("}\n");
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, line.data(), line.size());
}

}  // namespace restitch::log
