#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace restitch::query {

// A compiled PCRE2 pattern with MongoDB's options (i m x s; u is ignored). Immutable, thread-safe;
// matching is bounded by match limits, so a hostile pattern fails instead of running on.
class Regex {
 public:
  // Errors: 51108 (bad option letter), 51091 (bad pattern).
  static Result<Regex> compile(std::string_view pattern, std::string_view options);

  // False also when a match limit is hit.
  bool matches(std::string_view subject) const;

  struct Match {
    std::size_t start = 0;  // byte offsets
    std::size_t end = 0;
    // Captured groups; {npos, npos} where a group took no part.
    std::vector<std::pair<std::size_t, std::size_t>> captures;
  };
  // First match at or behind byte `from`. Error 51156 on a match limit.
  Result<std::optional<Match>> search(std::string_view subject, std::size_t from) const;

  // The literal prefix of a pattern that starts with ^ and needs no option, for index bounds. Empty
  // if none. `exact` becomes true when the pattern is nothing but that prefix.
  static std::string literal_prefix(std::string_view pattern, std::string_view options,
                                    bool* exact);

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

}  // namespace restitch::query
