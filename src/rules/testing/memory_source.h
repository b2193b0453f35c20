#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datasource/data_source.h"
#include "query/context.h"

namespace restitch::rules::testing {

// A data source in memory for tests: the commands that rules send, over the query languages, with
// snapshot transactions in which the first writer wins.
class MemorySource : public datasource::DataSource {
 public:
  explicit MemorySource(bool has_transactions = true) : has_transactions_(has_transactions) {}

  Task<bson::Document> run(std::string_view database, bson::Document command,
                           datasource::Deadline deadline) override;
  datasource::Kind kind() const override { return datasource::Kind::kCluster; }
  bool has_transactions() const override { return has_transactions_; }

  void put(const std::string& ns, bson::View document);
  std::vector<bson::Document> documents(const std::string& ns) const;
  // A unique index on one field.
  void make_unique(const std::string& ns, const std::string& field) { unique_[ns] = field; }

  // Runs before every command, for interference.
  std::function<void(const std::string& name)> before_command;

 private:
  struct Stored {
    bson::Document document;
    std::int64_t version = 0;
  };
  using Collection = std::vector<Stored>;
  using State = std::map<std::string, Collection>;
  struct Transaction {
    State state;
    std::vector<std::pair<std::string, bson::Value>> written;
    std::string ns_of_last;
  };
  struct Cursor {
    std::vector<bson::Document> rest;
    std::string ns;
  };
  struct Call {
    std::string ns;
    bson::View command;
    Transaction* transaction = nullptr;
    query::CommandContext context;
  };
  struct Failure {
    int code;
    std::string text;
    bool is_transient = false;
  };
  template <typename T>
  using Outcome = std::variant<T, Failure>;

  bson::Document dispatch(const std::string& name, Call& call);
  bson::Document find(Call& call);
  bson::Document get_more(Call& call);
  bson::Document count(Call& call);
  bson::Document distinct(Call& call);
  bson::Document aggregate(Call& call);
  bson::Document insert(Call& call);
  bson::Document update(Call& call);
  bson::Document remove(Call& call);
  bson::Document find_and_modify(Call& call);
  bson::Document end_transaction(const std::string& key, bool commits);

  bson::Document cursor_reply(std::vector<bson::Document> documents, const std::string& ns,
                              std::int64_t batch_size);
  std::optional<Failure> matching(Call& call, bson::View filter, bson::View sort,
                                  std::vector<bson::Document>& found);
  std::optional<Failure> write(Call& call, bson::ValueView id,
                               std::optional<bson::Document> document, bool is_new);
  std::optional<Failure> check_unique(const Call& call, bson::View document, bson::ValueView id);
  State& state_of(const Call& call) { return call.transaction ? call.transaction->state : state_; }

  bool has_transactions_;
  State state_;
  std::map<std::string, std::string> unique_;
  std::map<std::string, Transaction> transactions_;
  std::map<std::int64_t, Cursor> cursors_;
  std::int64_t next_cursor_ = 1;
  std::int64_t next_version_ = 1;
};

}  // namespace restitch::rules::testing
