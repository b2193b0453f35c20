#include "deployment/log_forwarder.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "datasource/data_source.h"

namespace restitch::deployment {
namespace {

using bson::Document;

// Takes documents, or fails as often as it is told to.
class Sink final : public datasource::DataSource {
 public:
  Task<Document> run(std::string_view /*database*/, Document command,
                     datasource::Deadline /*deadline*/) override {
    ++attempts;
    if (failures > 0) {
      --failures;
      co_return Error(ErrorCode::kSourceUnavailable, "away");
    }
    const auto documents = command["documents"].as_array().value_or(bson::View());
    const auto count = static_cast<std::int32_t>(documents.count());
    sizes.push_back(count);
    bson::Builder reply;
    reply.append("n", count).append("ok", 1.0);
    co_return std::move(reply).finish();
  }
  datasource::Kind kind() const override { return datasource::Kind::kCluster; }
  bool has_transactions() const override { return false; }

  std::int64_t stored() const {
    std::int64_t sum = 0;
    for (const std::int32_t size : sizes) sum += size;
    return sum;
  }

  int attempts = 0, failures = 0;
  std::vector<std::int32_t> sizes;  // of the inserts
};

class LogForwarderTest : public testing::Test {
 protected:
  std::shared_ptr<LogForwarder> make(bool is_batch, const std::string& source = "sink") {
    LogForwarderConfig config;
    config.name = "copies";
    config.types = {"function"};
    config.forwards_errors = config.forwards_successes = true;
    config.is_batch = is_batch;
    config.data_source = source;
    config.database = "operations";
    config.collection = "entries";
    auto app = std::make_shared<DeployedApp>();
    app->sources.emplace("sink", sink_);
    return std::make_shared<LogForwarder>(
        io_.get_executor(), std::move(config), std::move(app),
        [this](const DeployedApp& /*app*/, const Document& fields) { reports_.push_back(fields); });
  }

  static LogEntry entry(std::size_t bytes = 0) {
    bson::Builder out;
    out.append("_id", bson::ObjectId::generate()).append("text", std::string(bytes, 'x'));
    return std::make_shared<const Document>(std::move(out).finish());
  }

  // Until nothing is left to be done.
  void run() {
    io_.restart();
    io_.run();
  }

  boost::asio::io_context io_;
  std::shared_ptr<Sink> sink_ = std::make_shared<Sink>();
  std::vector<Document> reports_;
};

TEST_F(LogForwarderTest, a_delivery_that_fails_is_tried_three_times) {
  const auto forwarder = make(false);
  sink_->failures = 2;
  forwarder->offer("function", false, entry());
  run();
  EXPECT_EQ(sink_->attempts, 3);
  EXPECT_EQ(sink_->stored(), 1);
  EXPECT_TRUE(reports_.empty());
}

TEST_F(LogForwarderTest, what_cannot_succeed_is_not_tried_again_and_suspends_after_five_failures) {
  const auto forwarder = make(false, "no such source");
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(forwarder->is_suspended());
    forwarder->offer("function", true, entry());
    run();
  }
  EXPECT_TRUE(forwarder->is_suspended());
  const std::size_t told = reports_.size();
  EXPECT_GE(told, 5U);
  forwarder->offer("function", true, entry());
  run();
  EXPECT_EQ(reports_.size(), told);
  forwarder->resume();
  forwarder->offer("function", true, entry());
  run();
  EXPECT_GT(reports_.size(), told);
}

TEST_F(LogForwarderTest, at_most_ten_thousand_entries_wait_and_go_out_a_hundred_at_once) {
  const auto forwarder = make(true);
  for (int i = 0; i < 10'050; ++i) forwarder->offer("function", false, entry());
  forwarder->close();
  run();
  EXPECT_EQ(sink_->stored(), 10'000);
  EXPECT_EQ(sink_->sizes, std::vector<std::int32_t>(100, 100));
  EXPECT_TRUE(forwarder->is_over());
}

TEST_F(LogForwarderTest, at_most_sixteen_mebibytes_wait) {
  const auto forwarder = make(true);
  for (int i = 0; i < 20; ++i) forwarder->offer("function", false, entry(1U << 20U));
  forwarder->close();
  run();
  EXPECT_EQ(sink_->stored(), 15);  // an entry is a little larger than its text
}

TEST_F(LogForwarderTest, entries_of_other_types_are_left_alone) {
  const auto forwarder = make(false);
  forwarder->offer("auth", false, entry());
  run();
  EXPECT_EQ(sink_->attempts, 0);
}

TEST_F(LogForwarderTest, when_it_closes_what_fails_is_told_at_once) {
  const auto forwarder = make(true);
  sink_->failures = 100;
  forwarder->offer("function", false, entry());
  forwarder->close();
  run();
  EXPECT_EQ(sink_->attempts, 1);
  EXPECT_EQ(reports_.size(), 1U);
  forwarder->offer("function", false, entry());
  run();
  EXPECT_EQ(sink_->attempts, 1);
}

}  // namespace
}  // namespace restitch::deployment
