#pragma once

#include <cstdint>
#include <string>

#include "bson/document.h"
#include "datasource/client.h"

namespace restitch::rules {

// The batches of a find or aggregate, looked at where the reply holds them. Not thread-safe.
class Batches {
 public:
  Batches(datasource::DataSource& source, std::string database, std::string collection,
          datasource::CallOptions call)
      : source_(&source),
        database_(std::move(database)),
        collection_(std::move(collection)),
        call_(call) {}

  // Runs the command; the first batch is then current.
  Task<void> open(bson::Builder command);
  // Makes the next batch current; false at the end.
  Task<bool> next();
  // Array of the current batch's documents, valid until next().
  bson::View current() const { return current_; }
  // Frees the cursor at the source. A failure to do so is of no consequence.
  Task<void> close();

 private:
  void look_at_reply(const char* batch);

  datasource::DataSource* source_;
  std::string database_, collection_;
  datasource::CallOptions call_;
  bson::Document reply_;
  bson::View current_;
  std::int64_t cursor_ = 0;
};

}  // namespace restitch::rules
