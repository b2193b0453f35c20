#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "storage/test_support.h"

// Kills a process of concurrent writers at a random moment. What it acknowledged (lines on a pipe,
// outside the database) must be there afterwards, and each transaction must be there as a whole or
// not at all.
namespace restitch::storage::test {
namespace {

constexpr CollectionId kOrders = 21;
constexpr IndexRef kById{22, true};
constexpr IndexRef kByValue{23, false};
constexpr int kWriters = 4;
constexpr const char* kDirectoryVariable = "RESTITCH_STORAGE_CRASH_DIRECTORY";
constexpr const char* kPipeVariable = "RESTITCH_STORAGE_CRASH_PIPE";

std::string key_of(RecordId id) {
  char key[24];
  std::snprintf(key, sizeof(key), "%012lld", static_cast<long long>(id));
  return key;
}

// One transaction: a record with its two index entries, its change and its session row, and an
// older one deleted.
void write_one(Engine& engine, int pipe, int writer, std::optional<RecordId>& victim,
               Durability durability) {
  auto transaction =
      engine.begin(writer % 2 == 0 ? Transaction::Mode::kLatest : Transaction::Mode::kSnapshot);
  const RecordId id = engine.allocate_record_id(kOrders);
  ok(transaction->put_record(kOrders, id, doc(writer)));
  ok(transaction->put_entry(kById, key_of(id), "", id));
  ok(transaction->put_entry(kByValue, std::to_string(writer), "", id));
  std::string line = "+" + std::to_string(id);
  if (victim) {
    ok(transaction->delete_record(kOrders, *victim));
    ok(transaction->delete_entry(kById, key_of(*victim), *victim));
    ok(transaction->delete_entry(kByValue, std::to_string(writer), *victim));
    line += " -" + std::to_string(*victim);
  }
  bson::Builder change;
  change.append("v", static_cast<std::int32_t>(id))
      .append("deleted", static_cast<std::int64_t>(victim.value_or(0)));
  transaction->add_change({std::move(change).finish(), std::nullopt});
  transaction->put_session_row("writer" + std::to_string(writer),
                               doc(static_cast<std::int32_t>(id)));
  line += "\n";
  if (!commit(engine, std::move(transaction), durability)) std::abort();
  if (::write(pipe, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
  victim = id % 3 == 0 ? std::optional(id) : std::nullopt;
}

// Runs in the process that is killed; it is started by the test below.
TEST(StorageCrash, DISABLED_writer_process) {
  const char* directory = std::getenv(kDirectoryVariable);
  const char* pipe_text = std::getenv(kPipeVariable);
  ASSERT_NE(directory, nullptr);
  ASSERT_NE(pipe_text, nullptr);
  const int pipe = std::atoi(pipe_text);
  EngineOptions options = options_for(directory);
  options.write_buffer_bytes = 1U << 20U;
  auto engine = std::move(*Engine::open(options));
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      std::optional<RecordId> victim;
      for (int i = 0;; ++i) {
        write_one(*engine, pipe, writer, victim,
                  i % 4 == 3 ? Durability::kBuffered : Durability::kJournaled);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

std::string run_until_killed(const std::string& directory, std::chrono::milliseconds life) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  ::fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  std::vector<std::string> environment{std::string(kDirectoryVariable) + "=" + directory,
                                       std::string(kPipeVariable) + "=" + std::to_string(ends[1])};
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  std::vector<char*> environment_pointers;
  for (auto& entry : environment) environment_pointers.push_back(entry.data());
  environment_pointers.push_back(nullptr);
  std::string program = "/proc/self/exe";
  std::string filter = "--gtest_filter=StorageCrash.DISABLED_writer_process";
  std::string disabled = "--gtest_also_run_disabled_tests";
  char* arguments[] = {program.data(), filter.data(), disabled.data(), nullptr};
  pid_t child = 0;
  EXPECT_EQ(::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments,
                          environment_pointers.data()),
            0);
  ::close(ends[1]);

  // The life begins with the first acknowledgement.
  std::string acknowledged;
  char buffer[65536];
  const auto drain = [&] {
    const ssize_t count = ::read(ends[0], buffer, sizeof(buffer));
    if (count > 0) acknowledged.append(buffer, static_cast<std::size_t>(count));
    return count > 0;
  };
  EXPECT_TRUE(drain());
  const auto end = std::chrono::steady_clock::now() + life;
  while (std::chrono::steady_clock::now() < end && drain()) {
  }
  ::kill(child, SIGKILL);
  while (drain()) {
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  return acknowledged;
}

// What must hold of records acknowledged so far: true = present, false = deleted.
void note(std::map<RecordId, bool>& expected, const std::string& acknowledged) {
  std::size_t at = 0;
  for (std::size_t end; (end = acknowledged.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = acknowledged.substr(at, end - at);
    expected[std::atoll(line.c_str() + 1)] = true;
    const std::size_t deleted = line.find('-');
    if (deleted != std::string::npos) expected[std::atoll(line.c_str() + deleted + 1)] = false;
  }
}

void verify(Engine& engine, const std::map<RecordId, bool>& expected) {
  const SnapshotPtr snapshot = engine.snapshot();
  std::map<RecordId, bool> inserted;  // by the change log: and still there
  keys::Ticks last = 0;
  const std::vector<ChangeLogEntry> changes = *engine.changes_after({}, 0, 10'000'000);
  for (const auto& change : changes) {
    EXPECT_GT(keys::ticks_of(change.cluster_time), last);
    last = keys::ticks_of(change.cluster_time);
    inserted[value_of(change.entry)] = true;
    const std::int64_t deleted = change.entry["deleted"].get_int64();
    if (deleted != 0) inserted[deleted] = false;
  }
  std::vector<RecordId> logged;
  for (const auto& [id, is_there] : inserted) {
    if (is_there) logged.push_back(id);
  }
  std::vector<RecordId> records, by_id, by_value;
  for (const auto& [id, value] : scan(*snapshot, kOrders)) records.push_back(id);
  for (const auto& entry : entries(*snapshot, kById)) by_id.push_back(entry.record);
  for (const auto& entry : entries(*snapshot, kByValue)) by_value.push_back(entry.record);
  std::sort(by_value.begin(), by_value.end());
  EXPECT_EQ(records, logged);
  EXPECT_EQ(by_id, logged);
  EXPECT_EQ(by_value, logged);
  int lost = 0, risen = 0;
  for (const auto& [id, is_there] : expected) {
    const auto found = inserted.find(id);
    lost += found == inserted.end() ? 1 : 0;
    risen += found != inserted.end() && found->second && !is_there ? 1 : 0;
  }
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(risen, 0);
}

TEST(StorageCrash, every_acknowledged_write_survives_sigkill_and_transactions_are_whole) {
  TempDirectory directory;
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  std::map<RecordId, bool> expected;
  for (int round = 0; round < 6; ++round) {
    const auto life = std::chrono::milliseconds(20 + random() % 400);
    note(expected, run_until_killed(directory.path("db"), life));
    auto engine = open_engine(options_for(directory.path("db")));
    ASSERT_NE(engine, nullptr);
    verify(*engine, expected);
    ok(engine->close());
  }
  EXPECT_GT(expected.size(), 20U);
}

}  // namespace
}  // namespace restitch::storage::test
