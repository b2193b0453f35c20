#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "bson/document.h"
#include "runtime/task.h"

namespace restitch::datasource {

using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline kNoDeadline = Deadline::max();

enum class Kind : std::uint8_t { kCluster, kServerless, kFederated };

// A MongoDB deployment that runs commands: the inner interface of the whole server. Two
// implementations: the embedded cluster and (libmongoc) an external one. Thread-safe.
class DataSource {
 public:
  virtual ~DataSource() = default;

  // Runs one MongoDB command. The first element of `command` is its name; `$db` is not needed. The
  // answer is the command's reply as MongoDB gives it, errors (ok: 0) included, without
  // $clusterTime and operationTime. An Error means that no reply could be had: kSourceUnavailable,
  // kClosing, kDeadlineExceeded. Sessions and transactions are asked for as on the wire: lsid,
  // txnNumber, startTransaction, autocommit.
  virtual Task<bson::Document> run(std::string_view database, bson::Document command,
                                   Deadline deadline = kNoDeadline) = 0;

  virtual Kind kind() const = 0;
  // Whether multi-document transactions are available.
  virtual bool has_transactions() const = 0;
};

// The Error of a reply: its ok:0, or its first write error, or nothing when it succeeded. Codes map
// to kWriteConflict (112), kDuplicateKey (11000) and kMongo (the rest), always with the MongoDB
// code and text.
std::optional<Error> error_of_reply(bson::View reply);

}  // namespace restitch::datasource
