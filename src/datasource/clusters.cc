#include "datasource/clusters.h"

#include <chrono>
#include <future>
#include <optional>
#include <utility>

namespace restitch::datasource {
namespace {

using mongodb::MongoSource;
using mongodb::MongoSourceOptions;

constexpr std::chrono::seconds kPatienceAtStart{5};

}  // namespace

Status Clusters::bind(const std::vector<ClusterBinding>& bindings) {
  std::vector<std::future<Result<std::shared_ptr<MongoSource>>>> opening;
  for (const ClusterBinding& binding : bindings) {
    opening.push_back(std::async(std::launch::async, [&binding] {
      return MongoSource::open(MongoSourceOptions{binding.name, binding.uri, binding.kind},
                               kPatienceAtStart);
    }));
  }
  std::optional<Error> failure;
  for (std::size_t i = 0; i < bindings.size(); ++i) {
    auto opened = opening[i].get();
    if (opened) {
      bound_[bindings[i].name] = std::move(*opened);
    } else if (!failure) {
      failure = std::move(opened).error();
    }
  }
  if (failure) return std::move(*failure);
  return {};
}

Result<std::shared_ptr<DataSource>> Clusters::find(
    std::string_view name, const mongodb::ReadPreference& preference) const {
  const auto found = bound_.find(name);
  if (found == bound_.end()) return own_;
  return found->second->with_read_preference(preference);
}

Result<std::shared_ptr<DataSource>> Clusters::connect(const std::string& name,
                                                      const std::string& uri,
                                                      const mongodb::ReadPreference& preference) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<MongoSource>& known = by_uri_[uri];
  std::shared_ptr<MongoSource> source = known.lock();
  if (!source) {
    RESTITCH_TRY(source, MongoSource::open(MongoSourceOptions{name, uri, Kind::kCluster}, {}));
    known = source;
  }
  return source->with_read_preference(preference);
}

void Clusters::close() {
  for (const auto& [name, source] : bound_) source->close();
  const std::lock_guard lock(mutex_);
  for (const auto& [uri, known] : by_uri_) {
    if (const auto source = known.lock()) source->close();
  }
}

}  // namespace restitch::datasource
