// Drives one HTTP server with prepared requests and prints the result as one line of JSON.
// Exit status: 0, 1 when an answer was wrong, 2 when the run could not be carried out.

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <exception>
#include <iostream>

#include "bench/macro/http_framing.h"
#include "bench/macro/load_driver.h"
#include "bench/macro/workload.h"

int main(int argc, char** argv) {
  using namespace restitch::bench;
  CLI::App cli{"Load driver of the Restitch benchmarks"};
  LoadOptions options;
  std::string workload;
  double seconds = 1;
  cli.add_option("--host", options.host, "IPv4 address of the server");
  cli.add_option("--port", options.port, "Port of the server")->required();
  cli.add_option("--workload", workload, "File with one prepared request per line")->required();
  cli.add_option("--connections", options.connections, "Keep-alive connections")
      ->check(CLI::Range(1, 4096));
  cli.add_option("--seconds", seconds, "How long to send")->check(CLI::Range(0.01, 600.0));
  cli.add_option("--rate", options.rate, "Requests per second; 0: as fast as answers come")
      ->check(CLI::Range(0.0, 1e6));
  CLI11_PARSE(cli, argc, argv);

  try {
    options.duration = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
    options.framing = frame_http;
    auto requests = read_workload(workload, options.host + ":" + std::to_string(options.port));
    const LoadResult result = run_load(options, requests);
    std::cout << boost::json::serialize(result.to_json()) << std::endl;
    return result.failures == 0 ? 0 : 1;
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << std::endl;
    return 2;
  }
}
