#include "server/state_database.h"

#include "auth/store.h"

namespace restitch::server {
namespace {

using datasource::DataSource;

class StateDatabase final : public DataSource {
 public:
  StateDatabase(std::shared_ptr<DataSource> deployment, std::string database)
      : deployment_(std::move(deployment)), database_(std::move(database)) {}

  Task<bson::Document> run(std::string_view database, bson::Document command,
                           datasource::Deadline deadline) override {
    const bool is_state = database == auth::kStateDatabase;
    return deployment_->run(is_state ? database_ : database, std::move(command), deadline);
  }
  datasource::Kind kind() const override { return deployment_->kind(); }
  bool has_transactions() const override { return deployment_->has_transactions(); }

 private:
  std::shared_ptr<DataSource> deployment_;
  std::string database_;
};

}  // namespace

std::shared_ptr<DataSource> state_in_database(std::shared_ptr<DataSource> deployment,
                                              std::string database) {
  if (database == auth::kStateDatabase) return deployment;
  return std::make_shared<StateDatabase>(std::move(deployment), std::move(database));
}

}  // namespace restitch::server
