#include "rules/data_access.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "bson/extended_json.h"
#include "rules/testing/case_reader.h"
#include "rules/testing/memory_source.h"
#include "rules/testing/wait_for.h"

namespace restitch::rules {
namespace {

bson::Document json(const char* text) { return bson::parse_json_document(text).value(); }

constexpr const char* kNamespace = "shop.items";

class DataAccessTest : public ::testing::Test {
 protected:
  void deploy(const char* roles, bool has_transactions = true) {
    source_ = std::make_shared<testing::MemorySource>(has_transactions);
    app::Findings findings;
    auto rules = RuleSet::compile(testing::read_config(json(roles)), findings);
    ASSERT_NE(rules, nullptr);
    access_ = DataAccess::create(std::move(rules), {{"mongodb-atlas", source_}}, {});
    source_->put(kNamespace, json(R"({"_id":1,"owner":"u1","n":1})"));
    source_->put(kNamespace, json(R"({"_id":2,"owner":"u1","n":2})"));
  }

  static Operation operation(Action action, const char* argument) {
    std::string title;
    bson::Builder builder;
    builder.append("database", "shop").append("collection", "items").append_all(json(argument));
    const bson::Document whole = std::move(builder).finish();
    return parse_client_operation(action, "mongodb-atlas", whole, &title).value();
  }

  Result<bson::Value> run(Operation what, TransactionHandle transaction = nullptr) {
    const EvaluationContext context = request_.context();
    return testing::wait_for(access_->run_as_user(std::move(what), context, datasource::kNoDeadline,
                                                  std::move(transaction)));
  }

  std::string stored(std::size_t index) {
    return bson::to_json(source_->documents(kNamespace).at(index), bson::JsonMode::kRelaxed);
  }

  // Replaces the first document once, just before the rules write.
  void interfere(const char* document) {
    source_->before_command = [this, document](const std::string& name) {
      if (name == "update" && !std::exchange(has_interfered_, true)) replace_first(document);
    };
  }

  void replace_first(const char* document) {
    bson::Builder command;
    command.append("update", "items").open_array("updates").push_object();
    command.append("q", json(R"({"_id":1})")).append("u", json(document)).close().close();
    auto reply = testing::wait_for(
        source_->run("shop", std::move(command).finish(), datasource::kNoDeadline));
    ASSERT_TRUE(reply);
  }

  bool has_interfered_ = false;
  std::shared_ptr<testing::MemorySource> source_;
  std::shared_ptr<DataAccess> access_;
  testing::CaseRequest request_{json(R"({"user":{"id":"u1"}})")};
};

constexpr const char* kGuarded =
    R"({"roles":[{"name":"r","apply_when":{},"read":true,"write":{"%%prevRoot.owner":"%%user.id"}}]})";

TEST_F(DataAccessTest, lost_race_is_decided_again_in_a_transaction) {
  deploy(kGuarded);
  interfere(R"({"owner":"u1","n":10})");
  const auto result =
      run(operation(Action::kUpdateOne, R"({"query":{"_id":1},"update":{"$inc":{"n":1}}})"));
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(stored(0), R"({"_id":1,"owner":"u1","n":11})");
}

TEST_F(DataAccessTest, permission_lost_in_a_race_is_refused) {
  deploy(kGuarded);
  interfere(R"({"owner":"u2","n":10})");
  const auto result =
      run(operation(Action::kUpdateOne, R"({"query":{"_id":1},"update":{"$inc":{"n":1}}})"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kPermissionDenied);
  EXPECT_EQ(stored(0), R"({"_id":1,"owner":"u2","n":10})");
}

TEST_F(DataAccessTest, lost_race_is_decided_again_without_transactions) {
  deploy(kGuarded, false);
  interfere(R"({"owner":"u1","n":10})");
  const auto result =
      run(operation(Action::kUpdateOne, R"({"query":{"_id":1},"update":{"$inc":{"n":1}}})"));
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(stored(0), R"({"_id":1,"owner":"u1","n":11})");
}

TEST_F(DataAccessTest, permission_lost_in_a_race_is_refused_without_transactions) {
  deploy(kGuarded, false);
  interfere(R"({"owner":"u2","n":10})");
  const auto result =
      run(operation(Action::kUpdateOne, R"({"query":{"_id":1},"update":{"$inc":{"n":1}}})"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kPermissionDenied);
  EXPECT_EQ(stored(0), R"({"_id":1,"owner":"u2","n":10})");
}

TEST_F(DataAccessTest, statements_of_a_transaction_are_checked_and_stay_inside) {
  deploy(kGuarded);
  auto transaction = access_->begin_transaction("mongodb-atlas").value();
  ASSERT_TRUE(run(operation(Action::kUpdateMany, R"({"update":{"$inc":{"n":5}}})"), transaction));
  const auto inside = run(operation(Action::kCount, R"({"query":{"n":{"$gt":5}}})"), transaction);
  ASSERT_TRUE(inside) << inside.error().message();
  EXPECT_EQ(inside->view().get_int64(), 2);
  EXPECT_EQ(stored(0), R"({"_id":1,"owner":"u1","n":1})");
  const auto denied =
      run(operation(Action::kInsertOne, R"({"document":{"_id":3,"owner":"u1"}})"), transaction);
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().message(), "insert not permitted");
  ASSERT_TRUE(testing::wait_for(transaction->commit()));
  EXPECT_EQ(stored(0), R"({"_id":1,"owner":"u1","n":6})");
  EXPECT_EQ(stored(1), R"({"_id":2,"owner":"u1","n":7})");
}

TEST_F(DataAccessTest, aborted_transaction_leaves_nothing) {
  deploy(kGuarded);
  auto transaction = access_->begin_transaction("mongodb-atlas").value();
  ASSERT_TRUE(run(operation(Action::kDeleteMany, "{}"), transaction));
  ASSERT_TRUE(testing::wait_for(transaction->abort()));
  EXPECT_EQ(source_->documents(kNamespace).size(), 2U);
}

TEST_F(DataAccessTest, transactions_need_a_source_that_has_them) {
  deploy(kGuarded, false);
  EXPECT_FALSE(access_->begin_transaction("mongodb-atlas"));
}

TEST_F(DataAccessTest, unknown_source_is_an_unknown_service) {
  deploy(kGuarded);
  Operation what = operation(Action::kFind, "{}");
  what.source = "other";
  const auto result = run(std::move(what));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kServiceNotFound);
  EXPECT_EQ(result.error().message(), "service not found: 'other'");
  EXPECT_FALSE(access_->has_source("other"));
}

class DownSource : public testing::MemorySource {
 public:
  Task<bson::Document> run(std::string_view, bson::Document, datasource::Deadline) override {
    co_return Error(ErrorCode::kSourceUnavailable, "connection to 10.0.0.1 refused");
  }
};

TEST_F(DataAccessTest, unreachable_source_is_named_and_nothing_else) {
  deploy(kGuarded);
  app::Findings findings;
  auto rules = RuleSet::compile(testing::read_config(json(kGuarded)), findings);
  access_ =
      DataAccess::create(std::move(rules), {{"mongodb-atlas", std::make_shared<DownSource>()}}, {});
  const auto result = run(operation(Action::kFind, "{}"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kSourceUnavailable);
  EXPECT_EQ(result.error().message(), "data source 'mongodb-atlas' is not available");
}

// Answers a pipeline that starts with $search by every document, and refuses to run more of it.
class SearchSource : public testing::MemorySource {
 public:
  Task<bson::Document> run(std::string_view database, bson::Document command,
                           datasource::Deadline deadline) override {
    const auto pipeline = command["pipeline"].as_array();
    if (pipeline) {
      stages = pipeline->count();
      bson::Builder find;
      find.append("find", command.view().begin()->value);
      command = std::move(find).finish();
    }
    return MemorySource::run(database, std::move(command), deadline);
  }

  std::size_t stages = 0;
};

TEST_F(DataAccessTest, searched_documents_are_decided_on_before_the_rest_of_the_pipeline) {
  const auto source = std::make_shared<SearchSource>();
  app::Findings findings;
  auto rules = RuleSet::compile(testing::read_config(json(R"({"roles":[
      {"name":"a","apply_when":{"owner":"u1"},"search":{"n":{"%lt":9}},
       "fields":{"secret":{"read":false}},"additional_fields":{"read":true}},
      {"name":"b","apply_when":{"owner":"u2"},"read":true,"search":false}]})")),
                                findings);
  ASSERT_NE(rules, nullptr);
  access_ = DataAccess::create(std::move(rules), {{"mongodb-atlas", source}}, {});
  source->put(kNamespace, json(R"({"_id":1,"owner":"u1","n":1,"secret":"s"})"));
  source->put(kNamespace, json(R"({"_id":2,"owner":"u1","n":9,"secret":"s"})"));
  source->put(kNamespace, json(R"({"_id":3,"owner":"u2","n":1,"secret":"s"})"));
  source->put(kNamespace, json(R"({"_id":4,"owner":"u3","n":1,"secret":"s"})"));
  const auto result =
      run(operation(Action::kAggregate,
                    R"({"pipeline":[{"$search":{"text":"s"}},{"$project":{"n":1,"secret":1}}]})"));
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(bson::to_json(result->view(), bson::JsonMode::kRelaxed), R"([{"_id":1,"n":1}])");
  EXPECT_EQ(source->stages, 1U);
}

TEST_F(DataAccessTest, search_under_a_role_that_reads_everything_goes_unchanged) {
  const auto source = std::make_shared<SearchSource>();
  app::Findings findings;
  auto rules = RuleSet::compile(
      testing::read_config(json(R"({"roles":[{"name":"a","apply_when":{},"read":true}]})")),
      findings);
  access_ = DataAccess::create(std::move(rules), {{"mongodb-atlas", source}}, {});
  const auto result =
      run(operation(Action::kAggregate,
                    R"({"pipeline":[{"$searchMeta":{}},{"$project":{"x":"$$SEARCH_META"}}]})"));
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(source->stages, 2U);
}

// Keeps the `u` of the last update.
class UpdateSource : public testing::MemorySource {
 public:
  Task<bson::Document> run(std::string_view database, bson::Document command,
                           datasource::Deadline deadline) override {
    if (const auto updates = command["updates"].as_array()) {
      update = bson::Value(updates->begin()->value.get_document()["u"]);
    }
    return MemorySource::run(database, std::move(command), deadline);
  }

  bson::Value update;
};

// The change stream tells the two apart.
TEST_F(DataAccessTest, operators_stay_an_update_and_a_replacement_stays_one) {
  const auto source = std::make_shared<UpdateSource>();
  app::Findings findings;
  auto rules = RuleSet::compile(testing::read_config(json(kGuarded)), findings);
  access_ = DataAccess::create(std::move(rules), {{"mongodb-atlas", source}}, {});
  source->put(kNamespace, json(R"({"_id":1,"owner":"u1","n":1})"));
  ASSERT_TRUE(run(operation(Action::kUpdateOne, R"({"update":{"$inc":{"n":1}}})")));
  EXPECT_EQ(bson::to_json(source->update.view()), R"({"$set":{"n":{"$numberInt":"2"}}})");
  ASSERT_TRUE(run(operation(Action::kUpdateOne, R"({"update":{"owner":"u1"}})")));
  EXPECT_EQ(bson::to_json(source->update.view()), R"({"_id":{"$numberInt":"1"},"owner":"u1"})");
}

// Without transactions, and in its own way with writes that are guarded.
class StubbornSource : public testing::MemorySource {
 public:
  explicit StubbornSource(const char* reply) : MemorySource(false), reply_(json(reply)) {}

  Task<bson::Document> run(std::string_view database, bson::Document command,
                           datasource::Deadline deadline) override {
    if (command.view().begin()->name == "update") {
      ++updates;
      co_return reply_;
    }
    auto reply = co_await MemorySource::run(database, std::move(command), deadline);
    co_return reply;
  }

  int updates = 0;

 private:
  bson::Document reply_;
};

class StubbornSourceTest : public DataAccessTest {
 protected:
  void use(const std::shared_ptr<testing::MemorySource>& source, const char* roles = kGuarded) {
    app::Findings findings;
    auto rules = RuleSet::compile(testing::read_config(json(roles)), findings);
    access_ = DataAccess::create(std::move(rules), {{"mongodb-atlas", source}}, {});
    source->put(kNamespace, json(R"({"_id":1,"owner":"u1","n":1})"));
  }
};

constexpr const char* kNotPossible =
    "a write that depends on the stored document is not possible on the data source 'mongodb-atlas'";

TEST_F(StubbornSourceTest, a_source_that_does_not_know_the_guard_takes_no_decided_writes) {
  const auto source = std::make_shared<StubbornSource>(
      R"({"ok":0,"code":238,"errmsg":"The operator $eq is not implemented yet"})");
  use(source);
  const auto result = run(operation(Action::kUpdateOne, R"({"update":{"$inc":{"n":1}}})"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(result.error().message(), kNotPossible);
  EXPECT_EQ(source->updates, 1);
}

TEST_F(StubbornSourceTest, a_source_that_finds_no_document_equal_is_not_asked_for_ever) {
  const auto source = std::make_shared<StubbornSource>(R"({"ok":1,"n":0,"nModified":0})");
  use(source);
  const auto result = run(operation(Action::kUpdateOne, R"({"update":{"$inc":{"n":1}}})"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), kNotPossible);
  EXPECT_LE(source->updates, 10);
}

// Calls itself a source with transactions until one is begun.
class PosingSource : public testing::MemorySource {
 public:
  PosingSource() : MemorySource(false) {}
  bool has_transactions() const override { return poses_; }

  Task<bson::Document> run(std::string_view database, bson::Document command,
                           datasource::Deadline deadline) override {
    if (command.view().contains("startTransaction")) {
      poses_ = false;
      co_return Error(ErrorCode::kUnsupported, "the data source has no transactions");
    }
    const bool aborts = command.view().begin()->name == "abortTransaction";
    EXPECT_TRUE(aborts || !command.view().contains("autocommit"));
    auto reply = co_await MemorySource::run(database, std::move(command), deadline);
    co_return reply;
  }

 private:
  bool poses_ = true;
};

TEST_F(StubbornSourceTest, a_source_that_turns_out_to_have_no_transactions_gets_guarded_writes) {
  const auto source = std::make_shared<PosingSource>();
  use(source);
  const auto result = run(operation(Action::kUpdateOne, R"({"update":{"$inc":{"n":1}}})"));
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(bson::to_json(source->documents(kNamespace).at(0), bson::JsonMode::kRelaxed),
            R"({"_id":1,"owner":"u1","n":2})");
}

// Counts insert commands and the largest of them.
class InsertSource : public testing::MemorySource {
 public:
  Task<bson::Document> run(std::string_view database, bson::Document command,
                           datasource::Deadline deadline) override {
    if (command.view().begin()->name == "insert") {
      ++inserts;
      largest = std::max(largest, command.bytes().size());
    }
    return MemorySource::run(database, std::move(command), deadline);
  }

  int inserts = 0;
  std::size_t largest = 0;
};

Operation large_insert(bool ordered) {
  Operation what;
  what.action = Action::kInsertMany;
  what.source = "mongodb-atlas";
  what.database = "shop";
  what.collection = "items";
  what.ordered = ordered;
  for (int n : {5, 1, 6, 7}) {  // 1 is there already
    bson::Builder document;
    document.append("_id", n).append("text", std::string(9'000'000, 'x'));
    what.documents.push_back(std::move(document).finish());
  }
  return what;
}

TEST_F(StubbornSourceTest, inserts_are_sent_in_commands_that_mongodb_takes) {
  for (const bool as_system : {false, true}) {
    for (const bool ordered : {false, true}) {
      const auto source = std::make_shared<InsertSource>();
      use(source, R"({"roles":[{"name":"r","apply_when":{},"read":true,"write":true}]})");
      const auto result =
          as_system ? testing::wait_for(
                          access_->run_as_system(large_insert(ordered), datasource::kNoDeadline, {}))
                    : run(large_insert(ordered));
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().mongo_code(), 11000) << result.error().message();
      EXPECT_EQ(source->inserts, ordered ? 2 : 4);
      EXPECT_LT(source->largest, 16U << 20U);
    }
  }
}

}  // namespace
}  // namespace restitch::rules
