#include "bench/macro/workload.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fstream>
#include <stdexcept>

namespace restitch::bench {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& line, const json::object& common, std::string_view key) {
  for (const json::object* source : {&line, &common}) {
    if (const json::value* found = source->if_contains(key)) {
      return std::string(std::string_view(found->as_string()));
    }
  }
  return {};
}

void append_headers(std::string& out, const json::object& from) {
  const json::value* headers = from.if_contains("headers");
  if (headers == nullptr) return;
  for (const auto& header : headers->as_object()) {
    out.append(std::string_view(header.key())).append(": ");
    out.append(std::string_view(header.value().as_string())).append("\r\n");
  }
}

PreparedRequest prepare(const json::object& line, const json::object& common,
                        const std::string& authority) {
  const std::string body = text_of(line, common, "body");
  PreparedRequest request;
  request.expect = text_of(line, common, "expect");
  std::string& out = request.bytes;
  out = text_of(line, common, "method") + " " + text_of(line, common, "path") + " HTTP/1.1\r\n";
  out += "Host: " + authority + "\r\n";
  append_headers(out, common);
  append_headers(out, line);
  if (!body.empty()) out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  out += "\r\n" + body;
  out.shrink_to_fit();
  return request;
}

}  // namespace

std::vector<PreparedRequest> read_workload(const std::string& file, const std::string& authority) {
  std::ifstream input(file);
  if (!input) throw std::runtime_error("cannot read " + file);

  std::vector<PreparedRequest> requests;
  json::object common;
  std::string text;
  for (std::size_t number = 1; std::getline(input, text); ++number) {
    try {
      const json::value line = json::parse(text);
      const json::object& object = line.as_object();
      if (const json::value* shared = object.if_contains("common");
          shared != nullptr && number == 1) {
        common = shared->as_object();
      } else {
        requests.push_back(prepare(object, common, authority));
      }
    } catch (const std::exception& failure) {
      throw std::runtime_error(file + ":" + std::to_string(number) + ": " + failure.what());
    }
  }
  if (requests.empty()) throw std::runtime_error(file + " holds no request");
  return requests;
}

}  // namespace restitch::bench
