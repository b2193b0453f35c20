// Fills a server of the MongoDB wire protocol, and drives it with prepared commands. Prints one
// line of JSON. Exit status: 0, 1 when an answer was wrong, 2 when the run could not be carried
// out.

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <exception>
#include <iostream>
#include <string>

#include "bench/macro/load_driver.h"
#include "bench/macro/wire_framing.h"
#include "bench/macro/wire_workload.h"

int main(int argc, char** argv) {
  using namespace restitch::bench;
  CLI::App cli{"Wire protocol driver of the Restitch benchmarks"};
  cli.require_subcommand(1);
  LoadOptions options;
  options.framing = frame_op_msg;
  std::string name;
  std::size_t items = 0;
  bool items_only = false;
  std::string collection;
  std::string field;
  double seconds = 1;
  CLI::App* load = cli.add_subcommand("load", "Create and fill the collections");
  CLI::App* reset = cli.add_subcommand("reset", "Empty the collection that inserts go to");
  CLI::App* index = cli.add_subcommand("index", "Create an index on one field");
  CLI::App* run = cli.add_subcommand("run", "Drive the server with one case");
  for (CLI::App* command : {load, reset, index, run}) {
    command->add_option("--port", options.port, "Port of the server")->required();
  }
  for (CLI::App* command : {load, run}) {
    command->add_option("--documents", items, "Documents of the collection `items`")->required();
  }
  load->add_flag("--items-only", items_only, "Without the records of YCSB");
  index->add_option("--collection", collection, "Collection in `bench`")->required();
  index->add_option("--field", field, "Indexed field")->required();
  run->add_option("--case", name, "See wire_workload.h")->required();
  run->add_option("--connections", options.connections, "Connections")->check(CLI::Range(1, 4096));
  run->add_option("--seconds", seconds, "How long to send")->check(CLI::Range(0.01, 600.0));
  run->add_option("--rate", options.rate, "Requests per second; 0: as fast as answers come")
      ->check(CLI::Range(0.0, 1e6));
  CLI11_PARSE(cli, argc, argv);

  try {
    if (run->parsed()) {
      options.duration = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
      auto requests = case_requests(name, items);
      const LoadResult result = run_load(options, requests);
      std::cout << boost::json::serialize(result.to_json()) << std::endl;
      return result.failures == 0 ? 0 : 1;
    }
    auto requests = load->parsed()    ? loading_requests(items, !items_only)
                    : index->parsed() ? index_requests(collection, field)
                                      : reset_requests();
    run_once(options, requests);
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << std::endl;
    return 2;
  }
}
