#pragma once

#include <string>
#include <vector>

namespace restitch::bench {

// One HTTP request as it goes over the wire, and a text that a right answer contains (empty: not
// checked).
struct PreparedRequest {
  std::string bytes;
  std::string expect;
};

// Reads a workload file: one JSON object per line,
//   {"method": "POST", "path": "/x", "headers": {"name": "value"}, "body": "…", "expect": "…"}
// A first line {"common": {…}} gives members that the later lines leave out; its headers are added
// to theirs. Content-Length and Host are added here. Throws std::runtime_error that names the line
// when the file does not have this form or holds no request.
std::vector<PreparedRequest> read_workload(const std::string& file, const std::string& authority);

}  // namespace restitch::bench
