// The embedded cluster under the shapes of engine_store.h.

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <random>
#include <stdexcept>
#include <vector>

#include "bench/macro/documents.h"
#include "bench/macro/engine_store.h"
#include "datasource/embedded/cluster.h"

namespace restitch::bench {
namespace {

using bson::Builder;
using bson::Document;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPoolThreads = 4;
constexpr std::size_t kPoolQueue = 10'000;
constexpr std::size_t kPreparedCommands = 20'000;
// More than a run repeats seldom; making more takes memory and time that a server would not take.
constexpr std::size_t kPreparedGets = 1'000'000;

struct Prepared {
  std::vector<Document> commands;
  std::size_t documents_each = 1;
};

Document get_command(std::size_t number) {
  Builder builder;
  builder.append("find", "items");
  builder.open_object("filter").append("_id", item_id(number)).close();
  builder.append("limit", std::int32_t{1}).append("singleBatch", true);
  return std::move(builder).finish();
}

Document range_command(std::int32_t first) {
  Builder builder;
  builder.append("find", "items").open_object("filter").open_object("amount");
  builder.append("$gte", first).append("$lt", first + kRangeDocuments).close().close();
  builder.append("batchSize", kRangeDocuments + 1).append("singleBatch", true);
  return std::move(builder).finish();
}

Document scan_command() {
  Builder builder;
  builder.append("count", "items");
  builder.open_object("query").append("body", "no such text").close();
  return std::move(builder).finish();
}

// Without an _id: the cluster gives one.
Document bare_item(std::size_t number) {
  Builder builder;
  const Document whole = item(item_id(number), number, static_cast<std::int32_t>(number));
  for (const bson::Element& element : whole.view()) {
    if (element.name != "_id") builder.append(element.name, element.value);
  }
  return std::move(builder).finish();
}

Document insert_command(std::size_t first, std::size_t count, bool is_journaled) {
  Builder builder;
  builder.append("insert", "writes").open_array("documents");
  for (std::size_t number = first; number < first + count; ++number) {
    builder.push(bare_item(number));
  }
  builder.close();
  builder.open_object("writeConcern").append("w", std::int32_t{1}).append("j", is_journaled);
  builder.close();
  return std::move(builder).finish();
}

Prepared prepared_commands(const std::string& name, std::size_t documents) {
  Prepared prepared;
  std::mt19937_64 random(documents);
  const auto add = [&](const std::function<Document()>& make, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) prepared.commands.push_back(make());
  };
  if (name == "get") {
    add([&] { return get_command(random() % documents); },
        std::clamp(documents, kPreparedCommands, kPreparedGets));
  } else if (name == "range") {
    prepared.documents_each = static_cast<std::size_t>(kRangeDocuments);
    const auto last = documents - static_cast<std::size_t>(kRangeDocuments);
    add([&] { return range_command(static_cast<std::int32_t>(random() % last)); },
        kPreparedCommands);
  } else if (name == "scan") {
    prepared.documents_each = documents;
    add(scan_command, 1);
  } else if (name == "insert many") {
    prepared.documents_each = kEngineBatch;
    add([] { return insert_command(0, kEngineBatch, true); }, 1);
  } else if (name == "insert" || name == "insert buffered") {
    const bool is_journaled = name == "insert";
    add([&] { return insert_command(random() % 1'000'000, 1, is_journaled); }, kPreparedCommands);
  } else {
    throw std::runtime_error("no workload " + name);
  }
  return prepared;
}

void check(const Result<Document>& reply) {
  if (!reply) throw std::runtime_error(reply.error().message());
  if (const auto error = datasource::error_of_reply(*reply)) {
    throw std::runtime_error(error->message());
  }
}

class ClusterStore final : public EngineStore {
 public:
  explicit ClusterStore(const std::string& directory) {
    datasource::embedded::ClusterOptions options;
    options.directory = directory;
    options.slow_millis = -1;  // the standard output is the result's
    auto opened = datasource::embedded::Cluster::open(options, pool_);
    if (!opened) throw std::runtime_error(opened.error().message());
    cluster_ = std::move(*opened);
  }

  ~ClusterStore() override { (void)cluster_->close(); }

  void load(std::size_t documents) override {
    std::vector<Document> commands;
    for (const char* collection : {"items", "writes"}) {
      Builder builder;
      builder.append("createIndexes", collection).open_array("indexes").push_object();
      builder.open_object("key").append("amount", std::int32_t{1}).close();
      builder.append("name", "amount_1").close().close();
      run_one(std::move(builder).finish());
    }
    for (std::size_t first = 0; first < documents; first += kEngineBatch) {
      Builder builder;
      builder.append("insert", "items").open_array("documents");
      for (std::size_t number = first; number < std::min(first + kEngineBatch, documents);
           ++number) {
        builder.push(item(item_id(number), number, amount_of(number, documents)));
      }
      builder.close();
      run_one(std::move(builder).finish());
    }
  }

  void prepare(const Workload& workload, std::size_t documents) override {
    prepared_ = prepared_commands(workload.name, documents);
  }

  Outcome run(const Workload& workload, std::size_t) override {
    Outcome outcome;
    Progress progress{prepared_, Clock::now() + workload.duration, next_, outcome, nullptr};
    const Clock::time_point start = Clock::now();
    boost::asio::io_context context(1);
    for (std::size_t i = 0; i < workload.threads; ++i) {
      asio::co_spawn(context, repeat(*cluster_, progress), asio::detached);
    }
    context.run();
    if (progress.failure) std::rethrow_exception(progress.failure);
    next_ = progress.next;
    outcome.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return outcome;
  }

 private:
  struct Progress {
    const Prepared& prepared;
    Clock::time_point deadline;
    std::size_t next;
    Outcome& outcome;
    std::exception_ptr failure;
  };

  static asio::awaitable<void> repeat(datasource::embedded::Cluster& cluster, Progress& progress) {
    try {
      const std::vector<Document>& commands = progress.prepared.commands;
      for (Clock::time_point start = Clock::now(); start < progress.deadline;
           start = Clock::now()) {
        Document command = commands[progress.next++ % commands.size()];
        const auto reply = co_await cluster.run("bench", std::move(command));
        progress.outcome.latencies.record(Clock::now() - start);
        progress.outcome.documents += progress.prepared.documents_each;
        check(reply);
      }
    } catch (...) {
      progress.failure = std::current_exception();
    }
  }

  static asio::awaitable<void> answer(datasource::embedded::Cluster& cluster, Document command,
                                      Result<Document>& reply) {
    reply = co_await cluster.run("bench", std::move(command));
  }

  void run_one(Document command) {
    boost::asio::io_context context(1);
    Result<Document> reply = Document();
    asio::co_spawn(context, answer(*cluster_, std::move(command), reply), asio::detached);
    context.run();
    check(reply);
  }

  runtime::BlockingPool pool_{kPoolThreads, kPoolQueue};
  std::unique_ptr<datasource::embedded::Cluster> cluster_;
  Prepared prepared_;
  std::size_t next_ = 0;  // command
};

}  // namespace

std::unique_ptr<EngineStore> open_cluster(const std::string& directory) {
  return std::make_unique<ClusterStore>(directory);
}

}  // namespace restitch::bench
