#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace restitch::cli {

struct HttpPart {  // of a multipart body
  std::string name, file_name, content_type, content;
};

struct HttpCall {
  std::string method = "GET";
  std::string url;
  std::string body;
  std::vector<HttpPart> parts;  // instead of a body
  std::string multipart_type = "form-data";
  std::vector<std::string> headers;  // "Name: value"
  std::int64_t time_limit_seconds = 300;
  // Called with what was sent and received so far while a call runs; may be empty.
  std::function<void(std::uint64_t sent, std::uint64_t to_send)> progress;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::string content_type;
  std::string file_name;  // of Content-Disposition
};

// One HTTP exchange. Any status is an answer; kSourceUnavailable when there is none, kClosing when
// the user interrupted it.
Result<HttpAnswer> exchange(const HttpCall& call);

// Once the user has asked to stop (Ctrl-C), every exchange that runs ends and new ones do not
// start. `allow_calls` lets the clean-up through.
void end_calls_on_interrupt();
bool was_interrupted();
void allow_calls();

}  // namespace restitch::cli
