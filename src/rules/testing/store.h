#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bson/document.h"
#include "datasource/data_source.h"

namespace restitch::rules::testing {

// Passes commands on and remembers their names.
class RecordingSource : public datasource::DataSource {
 public:
  explicit RecordingSource(datasource::DataSource& inner) : inner_(inner) {}

  Task<bson::Document> run(std::string_view database, bson::Document command,
                           datasource::Deadline deadline) override {
    commands.emplace_back(command.view().begin()->name);
    return inner_.run(database, std::move(command), deadline);
  }
  datasource::Kind kind() const override { return inner_.kind(); }
  bool has_transactions() const override { return inner_.has_transactions(); }

  std::vector<std::string> commands;

 private:
  datasource::DataSource& inner_;
};

// A data source under test with direct access to the collection shop.items.
class Store {
 public:
  virtual ~Store() = default;
  virtual datasource::DataSource& source() = 0;
  virtual void put(bson::View document) = 0;
  virtual void make_unique(const std::string& field) = 0;
  virtual std::vector<bson::Document> documents() = 0;
};

std::unique_ptr<Store> memory_store(bool has_transactions);
// Empty at first; one at a time.
std::unique_ptr<Store> embedded_store();

}  // namespace restitch::rules::testing
