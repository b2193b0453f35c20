#include "server/validate_command.h"

#include <filesystem>
#include <iostream>
#include <vector>

#include "base/log.h"
#include "bson/extended_json.h"
#include "datasource/embedded/cluster.h"
#include "runtime/blocking_pool.h"
#include "runtime/io_threads.h"
#include "runtime/run_and_wait.h"
#include "server/data_directory.h"

namespace restitch::server {
namespace {

using datasource::embedded::Cluster;

class Validation {
 public:
  Validation(Cluster& cluster, runtime::IoThreads& threads)
      : cluster_(cluster), threads_(threads) {}

  Status run() {
    bson::Builder list;
    list.append("listDatabases", std::int32_t{1}).append("nameOnly", true);
    RESTITCH_TRY(const bson::Document listed, command("admin", std::move(list).finish()));
    const auto databases = listed["databases"].as_array();
    if (!databases) return Error(ErrorCode::kInternal, "no list of databases");
    const bson::View names = *databases;
    for (const bson::Element& database : names) {
      RESTITCH_CHECK(check_database(
          std::string((*database.value.as_object())["name"].as_string().value_or(""))));
    }
    return {};
  }

  std::size_t collections() const { return collections_; }
  std::size_t damaged() const { return damaged_; }

 private:
  Result<bson::Document> command(const std::string& database, bson::Document command) {
    auto reply = runtime::run_and_wait(
        threads_.context(0),
        cluster_.run(database, std::move(command), datasource::Deadline::max()));
    if (reply && (*reply)["ok"].as_double().value_or(0) != 1) {
      return Error(ErrorCode::kMongo,
                   std::string((*reply)["errmsg"].as_string().value_or("unknown error")));
    }
    return reply;
  }

  Status check_database(const std::string& name) {
    bson::Builder list;
    list.append("listCollections", std::int32_t{1});
    list.open_object("cursor").append("batchSize", std::int32_t{1'000'000}).close();
    RESTITCH_TRY(const bson::Document listed, command(name, std::move(list).finish()));
    const bson::ValueView batch = (*listed["cursor"].as_object())["firstBatch"];
    const bson::View collections = batch.get_document();
    for (const bson::Element& entry : collections) {
      const bson::View collection = entry.value.get_document();
      if (collection["type"].as_string() == "view") continue;
      RESTITCH_CHECK(check_collection(name, std::string(*collection["name"].as_string())));
    }
    return {};
  }

  Status check_collection(const std::string& database, const std::string& name) {
    bson::Builder validate;
    validate.append("validate", name).append("full", true);
    RESTITCH_TRY(const bson::Document reply, command(database, std::move(validate).finish()));
    ++collections_;
    if (reply["valid"].truthy()) return {};
    ++damaged_;
    std::cout << "error: " << database << "." << name << ": "
              << bson::to_json(reply.view(), bson::JsonMode::kRelaxed) << "\n";
    return {};
  }

  Cluster& cluster_;
  runtime::IoThreads& threads_;
  std::size_t collections_ = 0, damaged_ = 0;
};

Result<int> validate(const ValidateOptions& options) {
  std::error_code error;
  if (!std::filesystem::is_directory(options.data_directory + "/cluster", error)) {
    return Error(ErrorCode::kInvalidArgument,
                 options.data_directory + " holds no data of a server");
  }
  RESTITCH_TRY(const DataDirectory directory, DataDirectory::open(options.data_directory));
  runtime::BlockingPool pool(4, 1000);
  datasource::embedded::ClusterOptions cluster_options;
  cluster_options.directory = options.data_directory + "/cluster";
  RESTITCH_TRY(const auto cluster, Cluster::open(cluster_options, pool));
  runtime::IoThreads threads(1);
  threads.start();
  Validation validation(*cluster, threads);
  Status ran = validation.run();
  threads.stop();
  pool.stop();
  RESTITCH_CHECK(std::move(ran));
  RESTITCH_CHECK(cluster->close());
  std::cout << validation.collections() << " collections, " << validation.damaged() << " damaged\n";
  return validation.damaged() == 0 ? 0 : 1;
}

}  // namespace

int run_validate(const ValidateOptions& options) {
  log::set_level_of_all(log::Severity::kFatal);
  const auto code = validate(options);
  if (code) return *code;
  std::cerr << "restitch validate: " << code.error().message() << "\n";
  return 2;
}

}  // namespace restitch::server
