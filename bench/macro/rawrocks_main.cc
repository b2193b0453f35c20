// What the storage below a durable write can do. `put`: threads that each write one small value per
// batch, synced, through RocksDB's own group commit. `fsync`: one thread that appends and syncs a
// file, the least that any durable write costs. Both print one line of JSON.

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/version.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "bench/macro/latency_histogram.h"

namespace restitch::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string directory;
  std::size_t threads = 1;
  std::size_t value_bytes = 240;
  double seconds = 1;
};

struct Outcome {
  LatencyHistogram latencies;
  double seconds = 0;
};

void check(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

std::unique_ptr<rocksdb::DB> open_database(const std::string& directory) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* database = nullptr;
  check(rocksdb::DB::Open(options, directory, &database));
  return std::unique_ptr<rocksdb::DB>(database);
}

// An increasing 64-bit number in big-endian order: what record-id storage writes.
std::string encode_key(std::uint64_t number) {
  std::string key(sizeof number, '\0');
  for (std::size_t i = key.size(); i-- > 0; number >>= 8) key[i] = static_cast<char>(number & 0xff);
  return key;
}

LatencyHistogram put_until(rocksdb::DB& database, std::atomic<std::uint64_t>& next_key,
                           const std::string& value, Clock::time_point deadline) {
  rocksdb::WriteOptions durable;
  durable.sync = true;
  LatencyHistogram latencies;
  for (Clock::time_point start = Clock::now(); start < deadline; start = Clock::now()) {
    rocksdb::WriteBatch batch;
    check(batch.Put(encode_key(next_key.fetch_add(1, std::memory_order_relaxed)), value));
    check(database.Write(durable, &batch));
    latencies.record(Clock::now() - start);
  }
  return latencies;
}

Outcome measure_puts(const Options& options) {
  const auto database = open_database(options.directory);
  const std::string value(options.value_bytes, 'v');
  std::atomic<std::uint64_t> next_key{database->GetLatestSequenceNumber() + 1};
  std::vector<LatencyHistogram> histograms(options.threads);
  std::vector<std::exception_ptr> failures(options.threads);

  const Clock::time_point start = Clock::now();
  const auto deadline = start + std::chrono::duration_cast<Clock::duration>(
                                    std::chrono::duration<double>(options.seconds));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < options.threads; ++i) {
    threads.emplace_back([&, i] {
      try {
        histograms[i] = put_until(*database, next_key, value, deadline);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  Outcome outcome;
  outcome.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  for (const auto& histogram : histograms) outcome.latencies.merge(histogram);
  return outcome;
}

Outcome measure_fsync(const Options& options) {
  const std::string file = options.directory + "/fsync-probe";
  const int fd = ::open(file.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), file);
  const std::string value(options.value_bytes, 'v');
  Outcome outcome;
  const Clock::time_point begin = Clock::now();
  while (std::chrono::duration<double>(Clock::now() - begin).count() < options.seconds) {
    const Clock::time_point start = Clock::now();
    if (::write(fd, value.data(), value.size()) < 0 || ::fdatasync(fd) != 0) {
      throw std::system_error(errno, std::generic_category(), file);
    }
    outcome.latencies.record(Clock::now() - start);
  }
  outcome.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  ::close(fd);
  ::unlink(file.c_str());
  return outcome;
}

boost::json::object to_json(const Outcome& outcome) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {
      {"requests", outcome.latencies.count()},
      {"failures", 0},
      {"seconds", outcome.seconds},
      {"per_second", static_cast<double>(outcome.latencies.count()) / outcome.seconds},
      {"latency_us", outcome.latencies.to_json()},
      {"cpu_seconds", seconds(usage.ru_utime) + seconds(usage.ru_stime)},
      {"resident_bytes", static_cast<std::int64_t>(usage.ru_maxrss) * 1024},
      {"version", rocksdb::GetRocksVersionAsString()},
  };
}

}  // namespace
}  // namespace restitch::bench

int main(int argc, char** argv) {
  using namespace restitch::bench;
  CLI::App cli{"Durable writes without a server"};
  cli.require_subcommand(1);
  Options options;
  CLI::App* put = cli.add_subcommand("put", "Synced write batches into RocksDB");
  CLI::App* fsync = cli.add_subcommand("fsync", "Append and fdatasync one file");
  for (CLI::App* command : {put, fsync}) {
    command->add_option("--dir", options.directory, "Existing directory to write in")->required();
    command->add_option("--value-bytes", options.value_bytes, "Bytes per write")
        ->check(CLI::Range(1, 1 << 20));
    command->add_option("--seconds", options.seconds, "How long to write")
        ->check(CLI::Range(0.01, 600.0));
  }
  put->add_option("--threads", options.threads, "Concurrent writers")->check(CLI::Range(1, 1024));
  CLI11_PARSE(cli, argc, argv);

  try {
    const Outcome outcome = put->parsed() ? measure_puts(options) : measure_fsync(options);
    std::cout << boost::json::serialize(to_json(outcome)) << std::endl;
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << std::endl;
    return 2;
  }
}
