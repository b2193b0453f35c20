#pragma once

#include <string>
#include <vector>

#include "bench/macro/request.h"

namespace restitch::bench {

// Reads a workload file of HTTP requests: one JSON object per line,
//   {"method": "POST", "path": "/x", "headers": {"name": "value"}, "body": "…", "expect": "…"}
// A first line {"common": {…}} gives members that the later lines leave out; its headers are added
// to theirs. Content-Length and Host are added here. Throws std::runtime_error that names the line
// when the file does not have this form or holds no request.
std::vector<PreparedRequest> read_workload(const std::string& file, const std::string& authority);

}  // namespace restitch::bench
