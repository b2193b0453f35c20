#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/admin_api.h"

namespace restitch::cli {

// Which entries of a list that the server answers in pages, by time.
struct TimePagesQuery {
  std::string path;    // below the API's root
  std::string member;  // of the answer, that holds the entries
  std::vector<std::pair<std::string, std::string>> parameters;  // but for times and skip
  std::string start, end;  // as query_time() writes them; "" = none
};

// The newest `at_most` entries, newest first.
Result<std::vector<Members>> read_time_pages(AdminApi& api, const TimePagesQuery& query,
                                             std::size_t at_most);

// What the option of that name says, as query_time() writes it; "" when it was not given.
Result<std::string> date_option(const std::string& text, const char* option);

}  // namespace restitch::cli
