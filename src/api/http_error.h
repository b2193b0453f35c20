#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace restitch::api {

// What an ErrorCode is on an HTTP front door (spec: client-api §13).
struct HttpError {
  int status;
  std::string_view error_code;   // "" = the member is left out
};
HttpError http_error_of(ErrorCode code);

// {"error", "error_code", "link"} with exactly the content type that clients compare; `link` may be "".
net::HttpResponse error_response(const Error& error, const std::string& link);
// The same for a failure that only one front door knows.
net::HttpResponse error_response(const HttpError& mapped, std::string_view message,
                                 const std::string& link);

}  // namespace restitch::api
