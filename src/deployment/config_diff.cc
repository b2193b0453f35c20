#include "deployment/config_diff.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "app/writing/files.h"
#include "app/writing/normal_form.h"

namespace restitch::deployment {
namespace {

constexpr std::size_t kContext = 3;
constexpr std::size_t kMaxTableCells = 4'000'000;  // above, files are told as replaced

enum class Step : std::uint8_t { kKeep, kRemove, kAdd };
struct Line {
  Step step;
  std::string_view text;
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

using Lines = std::vector<std::string_view>;

// The shortest edit by the longest common subsequence of what is between equal ends.
std::vector<Line> edit_between(const Lines& before, const Lines& after) {
  const auto heads = std::mismatch(before.begin(), before.end(), after.begin(), after.end());
  const auto head = static_cast<std::size_t>(heads.first - before.begin());
  std::size_t tail = 0;
  while (tail < before.size() - head && tail < after.size() - head &&
         before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
    ++tail;
  }
  const std::size_t rows = before.size() - head - tail;
  const std::size_t columns = after.size() - head - tail;
  std::vector<Line> edit;
  for (std::size_t i = 0; i < head; ++i) edit.push_back({Step::kKeep, before[i]});
  if (rows * columns > kMaxTableCells) {
    for (std::size_t i = 0; i < rows; ++i) edit.push_back({Step::kRemove, before[head + i]});
    for (std::size_t j = 0; j < columns; ++j) edit.push_back({Step::kAdd, after[head + j]});
  } else {
    const std::size_t width = columns + 1;
    std::vector<std::uint32_t> common((rows + 1) * width, 0);
    for (std::size_t i = rows; i-- > 0;) {
      for (std::size_t j = columns; j-- > 0;) {
        common[i * width + j] =
            before[head + i] == after[head + j]
                ? common[(i + 1) * width + j + 1] + 1
                : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
      }
    }
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < rows || j < columns) {
      if (i < rows && j < columns && before[head + i] == after[head + j]) {
        edit.push_back({Step::kKeep, before[head + i]});
        ++i;
        ++j;
      } else if (j == columns ||
                 (i < rows && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
        edit.push_back({Step::kRemove, before[head + i++]});
      } else {
        edit.push_back({Step::kAdd, after[head + j++]});
      }
    }
  }
  for (std::size_t i = 0; i < tail; ++i) {
    edit.push_back({Step::kKeep, before[before.size() - tail + i]});
  }
  return edit;
}

std::string range(std::size_t start, std::size_t count) {
  // A range without lines names the line before it.
  return std::to_string(count == 0 ? start : start + 1) + "," + std::to_string(count);
}

// The hunk of edit[from, to); `before` and `after` count the lines in front of it.
void append_hunk(std::string& out, const std::vector<Line>& edit, std::size_t from, std::size_t to,
                 std::size_t before, std::size_t after) {
  std::size_t removed = 0;
  std::size_t added = 0;
  for (std::size_t i = from; i < to; ++i) {
    removed += edit[i].step != Step::kAdd ? 1U : 0U;
    added += edit[i].step != Step::kRemove ? 1U : 0U;
  }
  out.append("@@ -" + range(before, removed) + " +" + range(after, added) + " @@\n");
  for (std::size_t i = from; i < to; ++i) {
    out.push_back(edit[i].step == Step::kKeep ? ' ' : edit[i].step == Step::kRemove ? '-' : '+');
    out.append(edit[i].text).push_back('\n');
  }
}

}  // namespace

std::string unified_diff(const std::string& path, const std::string& before,
                         const std::string& after) {
  if (before == after) return {};
  const std::vector<Line> edit = edit_between(lines_of(before), lines_of(after));
  std::string out = "--- " + path + "\n+++ " + path + "\n";
  std::size_t at = 0;
  std::size_t before_line = 0;
  std::size_t after_line = 0;
  const auto advance = [&](std::size_t to) {
    for (; at < to; ++at) {
      before_line += edit[at].step != Step::kAdd ? 1U : 0U;
      after_line += edit[at].step != Step::kRemove ? 1U : 0U;
    }
  };
  while (true) {
    std::size_t change = at;
    while (change < edit.size() && edit[change].step == Step::kKeep) ++change;
    if (change == edit.size()) break;
    const std::size_t from = std::max(at, change - std::min(change, kContext));
    // Changes whose contexts touch share a hunk.
    std::size_t last = change;
    for (std::size_t i = change; i < edit.size() && i <= last + 2 * kContext; ++i) {
      if (edit[i].step != Step::kKeep) last = i;
    }
    const std::size_t to = std::min(edit.size(), last + 1 + kContext);
    advance(from);
    append_hunk(out, edit, from, to, before_line, after_line);
    advance(to);
  }
  return out;
}

std::vector<std::string> diff_of(app::Tree before, app::Tree after) {
  app::NormalForm form;
  form.sort_members = true;
  app::normalise(before, form);
  app::normalise(after, form);
  const app::Files old_files = app::to_files(before);
  const app::Files new_files = app::to_files(after);
  std::set<std::string> paths;
  for (const auto& [path, text] : old_files.contents) paths.insert(path);
  for (const auto& [path, text] : new_files.contents) paths.insert(path);
  const auto text_of = [](const app::Files& files, const std::string& path) {
    const auto found = files.contents.find(path);
    return found == files.contents.end() ? std::string() : found->second;
  };
  std::vector<std::string> diffs;
  for (const std::string& path : paths) {
    std::string diff = unified_diff(path, text_of(old_files, path), text_of(new_files, path));
    if (!diff.empty()) diffs.push_back(std::move(diff));
  }
  return diffs;
}

}  // namespace restitch::deployment
