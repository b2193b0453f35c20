#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::deployment {

// Where an app comes from: the member `automatic_deployment` of its deployment settings.
struct RepositoryLink {
  bool is_enabled = false;
  std::string repository;  // URL
  std::string branch;
  std::string directory;           // inside it; "" = its root
  std::int64_t poll_seconds = 60;  // between looks at the branch; 0 = only when it is told to
};

// kInvalidArgument names the member that is wrong. Of repositories on this machine (file://…) only
// when `allows_files`. A link that is not enabled may be incomplete.
Result<RepositoryLink> read_repository_link(bson::View settings, bool allows_files);

}  // namespace restitch::deployment
