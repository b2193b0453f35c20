#include "server/rules_test_command.h"

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

#include "base/log.h"
#include "bson/extended_json.h"
#include "datasource/embedded/cluster.h"
#include "deployment/rule_tests/rule_tests.h"
#include "runtime/blocking_pool.h"
#include "runtime/io_threads.h"
#include "runtime/run_and_wait.h"
#include "server/worker_location.h"

namespace restitch::server {
namespace {

using deployment::RuleTestProblem;
using deployment::RuleTestReport;
using deployment::RuleTestResult;
using Item = rules::RuleCoverage::Item;

constexpr std::size_t kCacheBytes = 8U << 20U;

// A directory that is removed with everything in it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "restitch-rules-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Result<RuleTestReport> run_tests(const RulesTestOptions& options, app::Findings& findings) {
  deployment::RuleTestOptions test_options;
  test_options.directory = options.directory;
  test_options.only = options.only;
  RESTITCH_TRY(test_options.functions.worker_script, find_worker_script(options.worker_script));
  test_options.functions.node_binary = options.node;
  const ScratchDirectory scratch;
  if (scratch.path().empty()) return Error(ErrorCode::kIo, "cannot make a temporary directory");
  runtime::BlockingPool pool(1, 64);
  datasource::embedded::ClusterOptions cluster_options;
  cluster_options.directory = scratch.path();
  cluster_options.block_cache_bytes = kCacheBytes;
  RESTITCH_TRY(std::shared_ptr<datasource::embedded::Cluster> cluster,
               datasource::embedded::Cluster::open(cluster_options, pool));
  runtime::IoThreads threads(1);
  threads.start();
  auto report = runtime::run_and_wait(
      threads.context(0), deployment::run_rule_tests(cluster, std::move(test_options), findings));
  threads.stop();
  const Status closed = cluster->close();
  if (report && !closed) return closed.error();
  return report;
}

// Everything on one line, for lists of failures.
std::string failure_line(const RuleTestResult& result) {
  std::string line = result.file + ": " + result.name + ": ";
  bool is_first = true;
  for (const RuleTestProblem& problem : result.problems) {
    if (!is_first) line += "; ";
    is_first = false;
    line += problem.what + ": ";
    line += problem.expected.empty() ? problem.actual
                                     : "expected " + problem.expected + ", got " + problem.actual;
  }
  if (!result.why.empty()) line += " (" + result.why + ")";
  return line;
}

std::string item_name(const Item& item) {
  const bool is_filter = item.kind == rules::NamedPermission::Kind::kFilter;
  std::string name = std::string(is_filter ? "filter" : "role") + " \"" + item.owner + "\" " + item.name;
  if (!item.part.empty()) name += " part " + item.part;
  return name;
}

// What is left to bring about; "" when nothing is.
std::string gap_of(const Item& item) {
  if (item.reached() == item.goals()) return {};
  if (item.reached() == 0) return "never asked";
  return item.count.is_true == 0 ? "never true" : "never false";
}

int percent(const RuleTestReport& report) {
  return report.goals() == 0 ? 100 : report.reached() * 100 / report.goals();
}

void print_coverage(const RuleTestReport& report) {
  std::string file;
  for (const Item& item : report.coverage) {
    const std::string gap = gap_of(item);
    if (gap.empty()) continue;
    if (file != item.file) std::cout << item.file << "\n";
    file = item.file;
    std::cout << "  " << item_name(item) << ": " << gap << "\n";
  }
}

void print_text(const RulesTestOptions& options, const RuleTestReport& report) {
  for (const RuleTestResult& result : report.results) {
    if (result.problems.empty()) continue;
    std::cout << "FAILED " << failure_line(result) << "\n";
    if (!options.shows_why) continue;
    for (const std::string& line : result.explanation) std::cout << "    " << line << "\n";
  }
  if (options.shows_coverage) print_coverage(report);
  const std::size_t failures = report.failures();
  std::cout << report.results.size() - failures << " passed, " << failures << " failed; coverage of the rules "
            << percent(report) << " % (" << report.reached() << " of " << report.goals() << ")\n";
}

void append_items(bson::Builder& out, const RuleTestReport& report) {
  out.open_array("items");
  for (const Item& item : report.coverage) {
    out.push_object().append("file", item.file).append("pointer", item.pointer);
    out.append("owner", item.owner).append("name", item.name);
    if (!item.part.empty()) out.append("part", item.part);
    out.append("true", static_cast<std::int64_t>(item.count.is_true));
    out.append("false", static_cast<std::int64_t>(item.count.is_false));
    out.append("failed", static_cast<std::int64_t>(item.count.failed));
    out.append("covered", item.reached() == item.goals()).close();
  }
  out.close();
}

void append_case(bson::Builder& out, const RuleTestResult& result) {
  out.push_object().append("file", result.file).append("name", result.name);
  out.append("passed", result.problems.empty());
  if (!result.problems.empty()) {
    out.open_array("problems");
    for (const RuleTestProblem& problem : result.problems) {
      out.push_object().append("what", problem.what).append("expected", problem.expected);
      out.append("actual", problem.actual).close();
    }
    out.close().append("why", result.why).open_array("explanation");
    for (const std::string& line : result.explanation) out.push(line);
    out.close();
  }
  out.close();
}

void print_json(const RuleTestReport& report) {
  bson::Builder out;
  const auto failures = static_cast<std::int64_t>(report.failures());
  out.append("passed", static_cast<std::int64_t>(report.results.size()) - failures);
  out.append("failed", failures).open_array("cases");
  for (const RuleTestResult& result : report.results) append_case(out, result);
  out.close().open_object("coverage");
  out.append("percent", std::int32_t{percent(report)});
  out.append("reached", std::int32_t{report.reached()}).append("goals", std::int32_t{report.goals()});
  append_items(out, report);
  out.close();
  const bson::Document document = std::move(out).finish();
  std::cout << bson::to_json(document.view(), bson::JsonMode::kRelaxed) << "\n";
}

}  // namespace

int run_rules_test(const RulesTestOptions& options) {
  log::set_level_of_all(log::Severity::kError);
  app::Findings findings;
  const auto report = run_tests(options, findings);
  if (findings.has_errors()) {
    for (const app::Finding& finding : findings.list()) {
      if (finding.severity == app::FindingSeverity::kError) {
        std::cerr << "error: " << app::to_line(finding) << "\n";
      }
    }
    return 2;
  }
  if (!report) {
    std::cerr << "error: " << report.error().message() << "\n";
    return 2;
  }
  if (options.json) {
    print_json(*report);
  } else {
    print_text(options, *report);
  }
  return report->failures() == 0 && !report->results.empty() ? 0 : 1;
}

}  // namespace restitch::server
