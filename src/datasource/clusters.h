#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "datasource/data_source.h"
#include "datasource/mongodb/mongo_source.h"

namespace restitch::datasource {

// What the operator says a cluster name stands for.
struct ClusterBinding {
  std::string name;
  std::string uri;
  Kind kind = Kind::kCluster;
};

// The deployments that data sources of apps may stand on: the server's own (the embedded cluster,
// or where its state is), those bound to names by the operator, and those that an app names by
// their URI. Thread-safe.
class Clusters {
 public:
  explicit Clusters(std::shared_ptr<DataSource> own) : own_(std::move(own)) {}

  // Connects the bindings, at the same time, and waits a few seconds for those that do not answer;
  // they are looked for further in the background. kInvalidArgument names the binding that is
  // wrong.
  Status bind(const std::vector<ClusterBinding>& bindings);

  // Whether the operator has bound the name.
  bool is_bound(std::string_view name) const { return bound_.contains(name); }
  // The deployment that the operator has bound to `name`, reading as preferred; the server's own
  // when the name is not bound.
  Result<std::shared_ptr<DataSource>> find(std::string_view name,
                                           const mongodb::ReadPreference& preference) const;
  // The deployment behind a URI; `name` is for the log. Deployments are shared while somebody uses
  // them. Does not wait: whether the deployment has transactions is known after the first command.
  Result<std::shared_ptr<DataSource>> connect(const std::string& name, const std::string& uri,
                                              const mongodb::ReadPreference& preference);

  // Ends the connections. No command may begin any more.
  void close();

 private:
  std::shared_ptr<DataSource> own_;
  std::map<std::string, std::shared_ptr<mongodb::MongoSource>, std::less<>> bound_;
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<mongodb::MongoSource>> by_uri_;
};

}  // namespace restitch::datasource
