#pragma once

#include <memory>

#include "base/result.h"
#include "server/options.h"

namespace restitch::server {

// Puts all parts together, in the order in which they depend on each other, and takes them down in reverse.
class Server {
 public:
  // Opens the data, deploys the apps and listens. An app that is refused stops the start, with its findings logged.
  static Result<std::unique_ptr<Server>> start(ServeOptions options);
  virtual ~Server() = default;

  // Looks for changed app directories and deploys them again. Called about once a second when --watch is on.
  virtual void redeploy_changed_apps() = 0;
  // Whether the storage will write again only in a new process. Asked about once a second; reads go on meanwhile.
  virtual bool needs_restart() const = 0;
  // Answers what is in flight, ends workers, makes everything durable.
  virtual Status stop() = 0;
};

}  // namespace restitch::server
