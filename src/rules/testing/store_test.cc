#include "rules/testing/store.h"

#include "datasource/client.h"
#include "datasource/embedded/test_cluster.h"
#include "rules/testing/memory_source.h"
#include "rules/testing/wait_for.h"

namespace restitch::rules::testing {
namespace {

constexpr const char* kNamespace = "shop.items";

class MemoryStore : public Store {
 public:
  explicit MemoryStore(bool has_transactions) : source_(has_transactions) {}

  datasource::DataSource& source() override { return source_; }
  void put(bson::View document) override { source_.put(kNamespace, document); }
  void make_unique(const std::string& field) override { source_.make_unique(kNamespace, field); }
  std::vector<bson::Document> documents() override { return source_.documents(kNamespace); }

 private:
  MemorySource source_;
};

class EmbeddedStore : public Store {
 public:
  EmbeddedStore() : items_(cluster(), "shop", "items") { EXPECT_TRUE(wait_for(items_.drop())); }

  datasource::DataSource& source() override { return cluster(); }
  void put(bson::View document) override { EXPECT_TRUE(wait_for(items_.insert_one(document))); }
  void make_unique(const std::string& field) override {
    datasource::IndexOptions options;
    options.unique = true;
    const bson::Document keys = bson::make_document(field, std::int32_t{1});
    EXPECT_TRUE(wait_for(items_.ensure_index(keys, options)));
  }
  std::vector<bson::Document> documents() override {
    auto found = wait_for(items_.find(bson::View()));
    if (found) return std::move(*found);
    ADD_FAILURE() << found.error().message();
    return {};
  }

 private:
  // Opened once: a fresh cluster for every case would take most of the time.
  static datasource::DataSource& cluster() {
    static datasource::embedded::TestCluster cluster;
    return *cluster;
  }

  datasource::Collection items_;
};

}  // namespace

std::unique_ptr<Store> memory_store(bool has_transactions) {
  return std::make_unique<MemoryStore>(has_transactions);
}

std::unique_ptr<Store> embedded_store() { return std::make_unique<EmbeddedStore>(); }

}  // namespace restitch::rules::testing
