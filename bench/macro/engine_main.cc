// The embedded cluster and RocksDB alone under the same load, in this process. Prints one line of
// JSON. Exit status: 0, 2 when the run could not be carried out.

#include <rocksdb/db.h>
#include <rocksdb/file_system.h>
#include <rocksdb/version.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "bench/macro/engine_store.h"
#include "storage/database.h"

namespace restitch::bench {

std::int32_t amount_of(std::size_t number, std::size_t documents) {
  constexpr std::size_t kFactor = 7919;  // no divisor of a power of ten
  return static_cast<std::int32_t>(number * kFactor % documents);
}

namespace {

struct Options {
  std::string system;
  std::string directory;
  std::size_t documents = 0;
  double seconds = 1;
  double warm_up_seconds = 0;
  Workload workload;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::int64_t resident_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

std::unique_ptr<EngineStore> open_store(const Options& options) {
  return options.system == "restitch" ? open_cluster(options.directory)
                                      : open_raw(options.directory);
}

// Writes what was loaded into tables and waits until what there is to compact is compacted: both
// would run beside the measurement.
void settle(const std::string& directory) {
  storage::EngineOptions options;
  options.directory = directory;
  auto opened = storage::Database::open(
      options, rocksdb::NewCompositeEnv(rocksdb::FileSystem::Default()));
  if (!opened) throw std::runtime_error(opened.error().message());
  if (!(*opened)->flush_all().ok()) throw std::runtime_error("cannot flush what was loaded");
  rocksdb::DB& db = *(*opened)->db();
  for (std::uint64_t pending = 1, running = 1; pending + running > 0;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    db.GetAggregatedIntProperty(rocksdb::DB::Properties::kCompactionPending, &pending);
    db.GetIntProperty(rocksdb::DB::Properties::kNumRunningCompactions, &running);
  }
}

Outcome run_for(const Options& options, EngineStore* store, double seconds) {
  Workload workload = options.workload;
  workload.duration = std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
  return store != nullptr ? store->run(workload, options.documents) : run_query(workload);
}

boost::json::object measure(const Options& options) {
  const bool is_query = options.workload.name == "match" || options.workload.name == "group";
  const auto store = is_query ? nullptr : open_store(options);
  if (store) store->prepare(options.workload, options.documents);
  if (options.warm_up_seconds > 0) run_for(options, store.get(), options.warm_up_seconds);
  const double before = cpu_seconds();
  const Outcome outcome = run_for(options, store.get(), options.seconds);
  return {
      {"requests", outcome.documents},
      {"failures", 0},
      {"seconds", outcome.seconds},
      {"per_second", static_cast<double>(outcome.documents) / outcome.seconds},
      {"latency_us", outcome.latencies.to_json()},
      {"cpu_seconds", cpu_seconds() - before},
      {"resident_bytes", resident_bytes()},
      {"version", rocksdb::GetRocksVersionAsString()},
  };
}

}  // namespace
}  // namespace restitch::bench

int main(int argc, char** argv) {
  using namespace restitch::bench;
  CLI::App cli{"The embedded cluster beside RocksDB alone"};
  cli.require_subcommand(1);
  Options options;
  CLI::App* load = cli.add_subcommand("load", "Fill an empty directory");
  CLI::App* run = cli.add_subcommand("run", "Measure one workload");
  for (CLI::App* command : {load, run}) {
    command->add_option("--system", options.system, "restitch or raw")
        ->required()
        ->check(CLI::IsMember({"restitch", "raw"}));
    command->add_option("--dir", options.directory, "Directory of the data")->required();
    command->add_option("--documents", options.documents, "Documents there; a power of ten")
        ->required();
  }
  run->add_option("--case", options.workload.name, "See engine_store.h; match, group")->required();
  run->add_option("--threads", options.workload.threads, "Concurrent operations")
      ->check(CLI::Range(1, 1024));
  run->add_option("--seconds", options.seconds, "How long to measure")
      ->check(CLI::Range(0.01, 600.0));
  run->add_option("--warm-up", options.warm_up_seconds, "Seconds before that")
      ->check(CLI::Range(0.0, 600.0));
  CLI11_PARSE(cli, argc, argv);

  try {
    if (load->parsed()) {
      open_store(options)->load(options.documents);
      settle(options.directory);
    } else {
      std::cout << boost::json::serialize(measure(options)) << std::endl;
    }
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << std::endl;
    return 2;
  }
}
