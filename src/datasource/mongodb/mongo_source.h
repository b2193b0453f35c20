#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "bson/document.h"
#include "datasource/data_source.h"

namespace restitch::datasource::mongodb {

struct MongoSourceOptions {
  std::string name;  // for the log: the cluster's name, never the URI, which may hold a password
  std::string uri;   // as drivers take it
  Kind kind = Kind::kCluster;
};

// How a data source reads (spec: rules §9).
struct ReadPreference {
  std::string mode = "primary";  // as in config.json: primary, primaryPreferred, secondary,
                                 // secondaryPreferred, nearest
  bson::Document tag_sets;       // an array of objects
};

// An external MongoDB deployment, reached through libmongoc: connections are opened, pooled,
// watched and opened again by the library. A deployment that is down answers kSourceUnavailable
// after the time limit of server selection (5 s unless the URI says otherwise) and is found again
// when it returns.
//
// Cursors and transactions keep a connection each until they end or are left alone for 10 minutes
// or 2 minutes; half of the pool (maxPoolSize, 200 unless the URI says otherwise) is for them. One
// more answers kTooManyRequests.
class MongoSource : public DataSource {
 public:
  // Starts to look for the deployment and waits at most `patience` for it: a deployment that is
  // down is no error. kInvalidArgument when the URI is none.
  static Result<std::shared_ptr<MongoSource>> open(const MongoSourceOptions& options,
                                                   std::chrono::milliseconds patience);

  // The same deployment, reading elsewhere. kInvalidArgument for an unknown mode or tags with
  // "primary".
  virtual Result<std::shared_ptr<DataSource>> with_read_preference(
      const ReadPreference& preference) = 0;

  virtual bool is_reachable() const = 0;
  // The database that the URI names; "" = none.
  virtual const std::string& database() const = 0;
  // Waits for the commands under way; later ones answer kClosing.
  virtual void close() = 0;
};

}  // namespace restitch::datasource::mongodb
