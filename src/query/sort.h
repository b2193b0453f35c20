#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"

namespace restitch::query {

struct SortPart {
  std::string path;
  std::vector<std::string> components;
  bool descending = false;
};

// A sort pattern (spec: mongodb-engine §7.2). `key_of` gives bytes whose memcmp order is the
// pattern's order, so sorting compares no BSON.
class SortPattern {
 public:
  static Result<SortPattern> compile(bson::View spec, const CommandContext& context);

  // Error 2 for keys that run through two different arrays.
  Result<std::string> key_of(bson::View document) const;
  const std::vector<SortPart>& parts() const { return parts_; }
  bool empty() const { return parts_.empty(); }

 private:
  std::vector<SortPart> parts_;
  Comparator comparator_;
};

}  // namespace restitch::query
