#include "cli/time_pages.h"

#include "cli/dates.h"
#include "cli/session.h"

namespace restitch::cli {

Result<std::vector<Members>> read_time_pages(AdminApi& api, const TimePagesQuery& query,
                                             std::size_t at_most) {
  std::vector<Members> entries;
  std::string before = query.end;
  std::string skip;
  while (true) {
    auto parameters = query.parameters;
    parameters.emplace_back("start_date", query.start);
    parameters.emplace_back("end_date", before);
    parameters.emplace_back("skip", skip);
    RESTITCH_TRY(const bson::Value answer, api.get(query.path + cli::query(parameters)));
    const Members page(answer);
    for (const bson::Value& entry : app::elements_of(page[query.member])) {
      entries.emplace_back(entry);
    }
    const std::string next = page.text("nextEndDate");
    if (next.empty() || entries.size() >= at_most) break;
    const std::string next_skip = page["nextSkip"].is_number()
                                      ? std::to_string(page["nextSkip"].as_integer().value_or(0))
                                      : "";
    if (next == before && next_skip == skip) break;
    before = next;
    skip = next_skip;
  }
  if (entries.size() > at_most) entries.resize(at_most);
  return entries;
}

Result<std::string> date_option(const std::string& text, const char* option) {
  if (text.empty()) return text;
  const auto time = parse_date(text);
  if (time) return query_time(*time);
  return setup_error(std::string(option) + ": '" + text +
                     "' is no date; use e.g. 2022-05-31 or 2022-05-31T18:00:00.000+0200");
}

}  // namespace restitch::cli
