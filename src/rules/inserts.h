#pragma once

#include <string>
#include <vector>

#include "bson/document.h"
#include "datasource/client.h"

namespace restitch::rules {

// Documents to store, all with an _id. Kept by the caller until the call ends.
struct Insertion {
  const std::string& database;
  const std::string& collection;
  const std::vector<bson::Document>& documents;
  bool ordered = true;
  bson::View options;  // bypassDocumentValidation, writeConcern
};

// Stores them by as many commands as MongoDB's limit on one asks for. Without `ordered` those
// behind a failure are stored too. The error is the first one.
Task<void> insert_all(datasource::DataSource& source, const Insertion& insertion,
                      datasource::CallOptions call);

}  // namespace restitch::rules
