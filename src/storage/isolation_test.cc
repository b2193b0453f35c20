#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "bson/extended_json.h"
#include "storage/test_support.h"

// Runs the histories of tests/data/storage: steps of interleaved transactions with what each must
// give.
//   {"name", "records": [[id, value]…], "steps": [{"t": transaction, <action>…, "error": code}…]}
// Actions: begin: "snapshot"|"latest", read|lock: id + gives (null: absent), put: id + value,
// delete: id, enter|leave: unique key + record, scan: [[id, value]…] (without "t": of the committed
// state), commit, drop.
namespace restitch::storage::test {
namespace {

Rows rows_in(bson::View list) {
  Rows rows;
  for (const auto& pair : list) {
    const bson::View values = *pair.value.as_array();
    rows.emplace_back(*values["0"].as_integer(),
                      static_cast<std::int32_t>(*values["1"].as_integer()));
  }
  return rows;
}

std::optional<std::int32_t> value_in(bson::ValueView value) {
  if (value.is_nullish()) return std::nullopt;
  return static_cast<std::int32_t>(*value.as_integer());
}

class History {
 public:
  explicit History(EngineImpl& engine)
      : engine_(engine),
        collection_(engine.allocate_ident()),
        unique_{engine.allocate_ident(), true} {}

  void run(bson::View history) {
    const Rows records = rows_in(*history["records"].as_array());
    for (const auto& [id, value] : records) put(engine_, collection_, id, value);
    const bson::View steps = *history["steps"].as_array();
    for (const auto& element : steps) {
      const bson::View step = *element.value.as_object();
      SCOPED_TRACE(bson::to_json(step));
      if (step.contains("t")) {
        of_transaction(step, transactions_[std::string(*step["t"].as_string())]);
      } else {
        EXPECT_EQ(scan(*engine_.snapshot(), collection_), rows_in(*step["scan"].as_array()));
      }
    }
  }

 private:
  void of_transaction(bson::View step, std::unique_ptr<Transaction>& transaction) {
    if (step.contains("begin")) {
      const bool is_snapshot = step["begin"].get_string() == "snapshot";
      transaction =
          engine_.begin(is_snapshot ? Transaction::Mode::kSnapshot : Transaction::Mode::kLatest);
    } else if (step.contains("commit")) {
      committed(engine_, std::move(transaction));
    } else if (step.contains("drop")) {
      transaction.reset();
    } else if (step.contains("read")) {
      EXPECT_EQ(read(*transaction, collection_, *step["read"].as_integer()),
                value_in(step["gives"]));
    } else if (step.contains("scan")) {
      EXPECT_EQ(scan(*transaction, collection_), rows_in(*step["scan"].as_array()));
    } else {
      const Status done = write(step, *transaction);
      Status copy = done;
      EXPECT_EQ(copy ? "" : name_of(copy.error().code()), step["error"].as_string().value_or(""));
    }
  }

  Status write(bson::View step, Transaction& transaction) {
    if (step.contains("put")) {
      return transaction.put_record(collection_, *step["put"].as_integer(),
                                    doc(*value_in(step["value"])));
    }
    if (step.contains("delete"))
      return transaction.delete_record(collection_, *step["delete"].as_integer());
    if (step.contains("enter")) {
      return transaction.put_entry(unique_, step["enter"].get_string(), "",
                                   *step["record"].as_integer());
    }
    if (step.contains("leave")) {
      return transaction.delete_entry(unique_, step["leave"].get_string(),
                                      *step["record"].as_integer());
    }
    std::string bytes;
    RESTITCH_TRY(const bool found,
                 transaction.lock_record(collection_, *step["lock"].as_integer(), bytes));
    const auto value = found ? std::optional(value_of(
                                   bson::View(reinterpret_cast<const std::uint8_t*>(bytes.data()))))
                             : std::nullopt;
    EXPECT_EQ(value, value_in(step["gives"]));
    return {};
  }

  EngineImpl& engine_;
  CollectionId collection_;
  IndexRef unique_;
  std::map<std::string, std::unique_ptr<Transaction>> transactions_;
};

TEST(StorageIsolation, every_history_gives_what_it_states) {
  TempDirectory directory;
  auto engine = open_engine(options_for(directory.path()));
  int histories = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(RESTITCH_SOURCE_DIR "/tests/data/storage")) {
    std::stringstream text;
    text << std::ifstream(file.path()).rdbuf();
    Result<bson::Value> parsed = bson::parse_json(text.str());
    ASSERT_TRUE(parsed.has_value()) << file.path() << ": " << parsed.error().message();
    const bson::View histories_in_file = *parsed->view().as_array();
    for (const auto& element : histories_in_file) {
      const bson::View history = *element.value.as_object();
      SCOPED_TRACE(history["name"].get_string());
      History(*engine).run(history);
      ++histories;
    }
  }
  EXPECT_GT(histories, 0);
}

}  // namespace
}  // namespace restitch::storage::test
