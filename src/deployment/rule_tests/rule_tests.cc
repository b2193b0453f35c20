#include "deployment/rule_tests/rule_tests.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "app/loader.h"
#include "bson/compare.h"
#include "bson/extended_json.h"
#include "datasource/client.h"
#include "deployment/function_info.h"
#include "deployment/rule_tests/expectations.h"
#include "deployment/rule_tests/test_file.h"
#include "deployment/rule_tests/test_functions.h"
#include "deployment/values.h"

namespace restitch::deployment {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostExplained = 1000;
constexpr const char* kFolder = "tests/rules";

Result<std::vector<RuleTestFile>> read_files(const fs::path& root) {
  std::vector<fs::path> paths;
  std::error_code failed;
  for (fs::directory_iterator it(root / kFolder, failed), end; !failed && it != end;
       it.increment(failed)) {
    if (it->path().extension() == ".json") paths.push_back(it->path());
  }
  if (paths.empty()) {
    return Error(ErrorCode::kNotFound,
                 "there are no tests: " + root.string() + "/" + kFolder + "/*.json");
  }
  std::sort(paths.begin(), paths.end());
  std::vector<RuleTestFile> files;
  for (const fs::path& path : paths) {
    std::ifstream input(path, std::ios::binary);
    std::stringstream text;
    text << input.rdbuf();
    const std::string name = std::string(kFolder) + "/" + path.filename().string();
    if (!input) return Error(ErrorCode::kIo, "cannot read " + name);
    RESTITCH_TRY(RuleTestFile file, parse_rule_test_file(name, text.str()));
    files.push_back(std::move(file));
  }
  return files;
}

// The app under test with the data source of the tests under all names that the app has for one.
class Bench {
 public:
  Bench(const app::Config& config, std::shared_ptr<const rules::RuleSet> rules,
        std::shared_ptr<datasource::DataSource> source)
      : config_(config), source_(std::move(source)), coverage_(*rules) {
    rules::SourceMap sources;
    for (const app::DataSourceConfig& one : config.data_sources) sources[one.name] = source_;
    data_ = rules::DataAccess::create(std::move(rules), std::move(sources), {});
  }

  Status start(functions::FunctionService::Options options);
  Task<void> run(const RuleTestFile& file, const std::string& only, RuleTestReport& report);
  asio::awaitable<void> stop() { co_await service_->stop(); }
  const rules::RuleCoverage& coverage() const { return coverage_; }

 private:
  Task<void> load(const RuleTestFile& file);
  Task<RuleTestResult> run_case(const RuleTestFile& file, const RuleTestCase& test);
  Task<rules::User> find_user(std::string id) const;

  const app::Config& config_;
  std::shared_ptr<datasource::DataSource> source_;
  std::shared_ptr<rules::DataAccess> data_;
  std::shared_ptr<functions::FunctionService> service_;
  std::unique_ptr<TestFunctions> functions_;
  rules::RuleCoverage coverage_;
  const std::map<std::string, rules::User>* users_ = nullptr;  // of the current file
  std::set<std::pair<std::string, std::string>> used_;         // namespaces that are not empty
  bool is_fresh_ = false;  // the current file's documents are as they were
};

Status Bench::start(functions::FunctionService::Options options) {
  functions::FunctionAppInfo info = function_info(config_);
  info.client_app_id = config_.client_app_id;
  info.values = resolve_values(config_, config_.secrets);
  info.has_unknown_packages = true;
  const auto users = [this](std::string id) { return find_user(std::move(id)); };
  RESTITCH_TRY(service_, functions::FunctionService::create(std::move(info), data_, users, nullptr,
                                                            std::move(options)));
  functions_ = std::make_unique<TestFunctions>(config_, service_);
  return {};
}

Task<rules::User> Bench::find_user(std::string id) const {
  if (users_ != nullptr) {
    for (const auto& [name, user] : *users_) {
      if (user.id == id) co_return user;
    }
  }
  co_return Error(ErrorCode::kUserNotFound, "user not found");
}

Task<void> Bench::load(const RuleTestFile& file) {
  for (const auto& [database, collection] : used_) {
    const datasource::Collection old(*source_, database, collection);
    RESTITCH_CO_CHECK(co_await old.drop());
  }
  used_.clear();
  for (const RuleTestFile::Stored& stored : file.stored) {
    used_.emplace(stored.database, stored.collection);
    if (stored.documents.empty()) continue;
    const datasource::Collection collection(*source_, stored.database, stored.collection);
    auto inserted = co_await collection.insert_many(stored.documents);
    if (!inserted) {
      co_return std::move(inserted).error().with_context(file.path + ": documents/" +
                                                         stored.database + "." + stored.collection);
    }
  }
  is_fresh_ = true;
  co_return Status();
}

Task<void> Bench::run(const RuleTestFile& file, const std::string& only, RuleTestReport& report) {
  users_ = &file.users;
  is_fresh_ = false;
  for (const RuleTestCase& test : file.cases) {
    if (test.name.find(only) == std::string::npos) continue;
    if (!is_fresh_) {
      RESTITCH_CO_CHECK(co_await load(file));
    }
    RESTITCH_CO_TRY(RuleTestResult result, co_await run_case(file, test));
    report.results.push_back(std::move(result));
  }
  co_return Status();
}

// The app's values with those of the file in their place.
bson::Document values_of(const app::Config& config, bson::View given) {
  const bson::Document own = resolve_values(config, config.secrets);
  bson::Builder values;
  values.append_all(given);
  for (const bson::Element& value : own.view()) {
    if (!given.contains(value.name)) values.append(value.name, value.value);
  }
  return std::move(values).finish();
}

Task<RuleTestResult> Bench::run_case(const RuleTestFile& file, const RuleTestCase& test) {
  const bson::Document request;
  const bson::Document values = values_of(config_, file.values);
  const bson::Document environment = environment_values(config_);
  const rules::EvaluationContext context{
      test.user, request, values, config_.environment, environment, functions_.get(), "rules-test"};
  functions_->begin_case(test.functions, file.functions);
  RuleTestResult result;
  result.file = file.path;
  result.name = test.name;
  if (rules::is_write(test.operation.action)) {
    is_fresh_ = false;
    used_.emplace(test.operation.database, test.operation.collection);
  }
  rules::Operation operation = test.operation;
  if (test.user.type == "system") {
    auto outcome = co_await data_->run_as_system(std::move(operation), datasource::kNoDeadline);
    rules::Explanation explanation = rules::explanation_of(test.operation, test.user);
    explanation.origin = rules::Explanation::Origin::kSystem;
    if (!outcome) explanation.refusal = outcome.error();
    compare(test, outcome, explanation, result);
    co_return result;
  }
  rules::ExplainOptions options;
  options.first = kMostExplained;
  options.secrets = secret_values(config_, values);
  options.coverage = &coverage_;
  auto explained = co_await data_->explain_as_user(operation, context, std::move(options),
                                                   datasource::kNoDeadline);
  auto outcome =
      co_await data_->run_as_user(std::move(operation), context, datasource::kNoDeadline);
  if (!explained) {
    result.problems.push_back({"operation", "", explained.error().message()});
    co_return result;
  }
  compare(test, outcome, *explained, result);
  if (!functions_->problem().empty()) {
    result.problems.push_back({"function", "", functions_->problem()});
  }
  co_return result;
}

}  // namespace

std::size_t RuleTestReport::failures() const {
  return static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(),
                    [](const RuleTestResult& result) { return !result.problems.empty(); }));
}

int RuleTestReport::goals() const {
  int sum = 0;
  for (const auto& item : coverage) sum += item.goals();
  return sum;
}

int RuleTestReport::reached() const {
  int sum = 0;
  for (const auto& item : coverage) sum += item.reached();
  return sum;
}

Task<RuleTestReport> run_rule_tests(std::shared_ptr<datasource::DataSource> source,
                                    RuleTestOptions options, app::Findings& findings) {
  RESTITCH_CO_TRY(const std::string root, app::find_app_root(options.directory));
  RESTITCH_CO_TRY(const app::Config config, app::load_directory(root, findings));
  RuleTestReport report;
  const auto rules = rules::RuleSet::compile(config, findings);
  if (findings.has_errors()) co_return report;
  RESTITCH_CO_TRY(const std::vector<RuleTestFile> files, read_files(root));
  Bench bench(config, rules, std::move(source));
  RESTITCH_CO_CHECK(bench.start(options.functions));
  Status ran;
  for (const RuleTestFile& file : files) {
    ran = co_await bench.run(file, options.only, report);
    if (!ran) break;
  }
  co_await bench.stop();
  if (!ran) co_return std::move(ran).error();
  report.coverage = bench.coverage().items();
  co_return report;
}

}  // namespace restitch::deployment
