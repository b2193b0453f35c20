#include "server/check_command.h"

#include <filesystem>
#include <fstream>
#include <iostream>

#include "app/config.h"
#include "app/loader.h"
#include "base/log.h"
#include "deployment/deployer.h"
#include "deployment/type_declarations.h"
#include "runtime/io_threads.h"
#include "runtime/run_and_wait.h"
#include "server/worker_location.h"

namespace restitch::server {

namespace {

// Writes the declarations of the app and those of the worker beside it; false after telling why not.
bool write_types(const CheckOptions& options, const std::string& worker_script) {
  namespace fs = std::filesystem;
  app::Findings ignored;
  const auto root = app::find_app_root(options.directory);
  const auto config = root ? app::load_directory(*root, ignored) : Result<app::Config>(root.error());
  std::ifstream base(fs::path(worker_script).parent_path() / "types/context.d.ts");
  std::ofstream file(options.types_file);
  if (config && base) file << deployment::type_declarations(*config) << "\n" << base.rdbuf();
  file.close();
  if (config && base && file) return true;
  std::cerr << "cannot write " << options.types_file << "\n";
  return false;
}

}  // namespace

int run_check(const CheckOptions& options) {
  log::set_level_of_all(log::Severity::kError);
  const auto worker_script = find_worker_script(options.worker_script);
  if (!worker_script) {
    std::cerr << worker_script.error().message() << "\n";
    return 2;
  }
  functions::FunctionService::Options functions;
  functions.worker_script = *worker_script;
  functions.node_binary = options.node;

  runtime::IoThreads threads(1);
  threads.start();
  app::Findings findings;
  const Status checked = runtime::run_and_wait(
      threads.context(0), deployment::check_directory(options.directory, functions, findings));
  threads.stop();
  std::size_t errors = 0;
  for (const app::Finding& finding : findings.list()) {
    const bool is_error = finding.severity == app::FindingSeverity::kError;
    errors += is_error ? 1 : 0;
    std::cout << (is_error ? "error: " : "warning: ") << app::to_line(finding) << "\n";
  }
  if (!checked && errors == 0) {
    std::cout << "error: " << checked.error().message() << "\n";
    return 1;
  }
  if (!options.types_file.empty() && !write_types(options, *worker_script)) return 2;
  std::cout << errors << " errors, " << findings.list().size() - errors << " warnings\n";
  return errors == 0 ? 0 : 1;
}

}  // namespace restitch::server
