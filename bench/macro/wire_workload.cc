#include "bench/macro/wire_workload.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>

#include "bench/macro/documents.h"
#include "bench/macro/wire_message.h"
#include "bson/document.h"

namespace restitch::bench {
namespace {

using bson::Builder;
using bson::Document;
using bson::ObjectId;

constexpr std::size_t kBatch = 1000;
constexpr std::int32_t kScanned = 100;
constexpr std::size_t kMixedRequests = 50'000;
constexpr std::size_t kDistinctWrites = 1000;
constexpr double kZipfConstant = 0.99;  // YCSB's

// n: count, as a reply to a write has it.
std::string affected(std::int32_t count) {
  std::string element("\x10n\0", 3);
  element.append(reinterpret_cast<const char*>(&count), sizeof count);
  return element;
}

// The last of so many documents in a batch.
std::string batch_of(std::size_t count) {
  std::string element("\x03");
  element += std::to_string(count - 1);
  element.push_back('\0');
  return element;
}

std::string bytes_of(const ObjectId& id) {
  return std::string(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

PreparedRequest insertion(std::string_view collection, const std::vector<Document>& documents,
                          bool is_retryable = false) {
  Builder body;
  body.append("insert", collection);
  body.append("ordered", true);
  if (is_retryable) {
    std::string session("restitch");
    session.append(kConnectionPlace);
    body.open_object("lsid").append_binary("id", 4, session).close();
    body.append("txnNumber", fresh_number());
  }
  body.append("$db", "bench");
  return op_msg(std::move(body).finish(), affected(static_cast<std::int32_t>(documents.size())),
                "documents", documents);
}

PreparedRequest update(std::string_view collection, const bson::Value& id, std::string_view field,
                       const bson::Value& value) {
  Builder statement;
  statement.open_object("q").append("_id", id).close();
  statement.open_object("u").open_object("$set").append(field, value).close().close();
  Builder body;
  body.append("update", collection).append("ordered", true).append("$db", "bench");
  return op_msg(std::move(body).finish(), affected(1), "updates", {std::move(statement).finish()});
}

PreparedRequest look_up(std::string_view collection, const bson::Value& id, std::string expect) {
  Builder body;
  body.append("find", collection);
  body.open_object("filter").append("_id", id).close();
  body.append("limit", std::int32_t{1}).append("singleBatch", true).append("$db", "bench");
  return op_msg(std::move(body).finish(), std::move(expect));
}

// Record numbers as YCSB draws them: few of them often, spread over the keys.
class ScrambledZipf {
 public:
  explicit ScrambledZipf(std::size_t count) : order_(shuffled(count)) {
    double sum = 0;
    for (std::size_t rank = 1; rank <= count; ++rank) {
      sum += 1 / std::pow(static_cast<double>(rank), kZipfConstant);
      sums_.push_back(sum);
    }
  }

  std::size_t draw(std::mt19937_64& random) const {
    const double at = std::uniform_real_distribution<double>(0, sums_.back())(random);
    const auto found = std::lower_bound(sums_.begin(), sums_.end(), at);
    const auto rank = static_cast<std::size_t>(found - sums_.begin());
    return order_[std::min(rank, order_.size() - 1)];
  }

 private:
  std::vector<std::size_t> order_;
  std::vector<double> sums_;
};

std::int32_t amount_of(std::size_t number) { return static_cast<std::int32_t>(number * 7 % 10007); }

using Requests = std::vector<PreparedRequest>;

Requests pings(std::size_t) {
  Builder body;
  body.append("ping", std::int32_t{1}).append("$db", "admin");
  return {op_msg(std::move(body).finish())};
}

Requests finds(std::size_t items) {
  Requests requests;
  for (const std::size_t number : shuffled(items)) {
    const ObjectId id = item_id(number);
    requests.push_back(look_up("items", bson::Value::of(id), bytes_of(id)));
  }
  return requests;
}

Requests inserts(bool is_retryable) {
  Requests requests;
  for (std::size_t number = 0; number < kDistinctWrites; ++number) {
    requests.push_back(
        insertion("writes", {item(fresh_id(), number, amount_of(number))}, is_retryable));
  }
  return requests;
}

Requests bulk_inserts(std::size_t) {
  std::vector<Document> documents;
  for (std::size_t number = 0; number < kBatch; ++number) {
    documents.push_back(item(fresh_id(), number, amount_of(number)));
  }
  return {insertion("writes", documents)};
}

Requests updates(std::size_t items) {
  Requests requests;
  for (const std::size_t number : shuffled(items)) {
    requests.push_back(update("items", bson::Value::of(item_id(number)), "amount",
                              bson::Value::of(fresh_number())));
  }
  return requests;
}

Requests scans(std::size_t) {
  Builder body;
  body.append("find", "items").open_object("filter").close();
  body.append("limit", kScanned).append("batchSize", kScanned).append("singleBatch", true);
  body.append("$db", "bench");
  return {op_msg(std::move(body).finish(), batch_of(kScanned))};
}

Requests groups(std::size_t) {
  Builder body;
  body.append("aggregate", "items").open_array("pipeline").push_object().open_object("$group");
  body.append("_id", "$category");
  body.open_object("total").append("$sum", "$amount").close();
  body.open_object("count").append("$sum", std::int32_t{1}).close();
  body.close().close().close();
  body.open_object("cursor").close().append("$db", "bench");
  return {op_msg(std::move(body).finish(), batch_of(kCategories))};
}

Requests whole_scans(std::size_t) {
  Builder body;
  body.append("aggregate", "items").open_array("pipeline").push_object().open_object("$match");
  body.append("body", "no such text").close().close();
  body.push_object().append("$count", "n").close().close();
  body.open_object("cursor").close().append("$db", "bench");
  return {op_msg(std::move(body).finish())};
}

PreparedRequest record_scan(std::size_t from, std::int32_t length) {
  Builder body;
  body.append("find", "usertable").open_object("filter").open_object("_id");
  body.append("$gte", record_key(from)).close().close();
  body.open_object("sort").append("_id", std::int32_t{1}).close();
  body.append("limit", length).append("batchSize", length).append("singleBatch", true);
  body.append("$db", "bench");
  return op_msg(std::move(body).finish(), record_key(from));
}

PreparedRequest new_record() {
  Builder builder;
  builder.append("_id", "user" + std::string(kTextPlace));
  for (std::size_t field = 0; field < kRecordFields; ++field) {
    builder.append(formatted("field%zu", field), letters(kRecordFieldBytes, field));
  }
  return insertion("usertable", {std::move(builder).finish()});
}

// Per hundred requests: reads, updates, scans, inserts.
struct Mix {
  unsigned reads = 0, updates = 0, scans = 0;
};

Requests mixed(std::size_t items, const Mix& mix) {
  const std::size_t records = std::max<std::size_t>(items / kItemsPerRecord, 1);
  const ScrambledZipf zipf(records);
  std::mt19937_64 random(1);
  const std::string text = letters(kRecordFieldBytes - kTextPlace.size(), 1);
  Requests requests;
  while (requests.size() < kMixedRequests) {
    const std::string key = record_key(zipf.draw(random));
    const unsigned kind = static_cast<unsigned>(random() % 100);
    if (kind < mix.reads) {
      requests.push_back(look_up("usertable", bson::Value::of(key), key));
    } else if (kind < mix.reads + mix.updates) {
      const std::string field = formatted("field%zu", random() % kRecordFields);
      requests.push_back(update("usertable", bson::Value::of(key), field,
                                bson::Value::of(text + std::string(kTextPlace))));
    } else if (kind < mix.reads + mix.updates + mix.scans) {
      requests.push_back(record_scan(std::stoul(key.substr(4)),
                                     static_cast<std::int32_t>(random() % kScanned + 1)));
    } else {
      requests.push_back(new_record());
    }
  }
  return requests;
}

void add_loading(Requests& requests, std::string_view collection, std::size_t count,
                 const std::function<Document(std::size_t)>& make) {
  for (std::size_t first = 0; first < count; first += kBatch) {
    std::vector<Document> documents;
    for (std::size_t number = first; number < std::min(first + kBatch, count); ++number) {
      documents.push_back(make(number));
    }
    requests.push_back(insertion(collection, documents));
  }
}

}  // namespace

std::vector<PreparedRequest> loading_requests(std::size_t items, bool with_records) {
  Requests requests;
  add_loading(requests, "items", items,
              [](std::size_t number) { return item(item_id(number), number, amount_of(number)); });
  if (with_records) {
    add_loading(requests, "usertable", std::max<std::size_t>(items / kItemsPerRecord, 1), record);
  }
  add_loading(requests, "writes", 1, [](std::size_t) { return item(fresh_id(), 0, 0); });
  return requests;
}

std::vector<PreparedRequest> index_requests(std::string_view collection, std::string_view field) {
  Builder index;
  index.open_object("key").append(field, std::int32_t{1}).close();
  index.append("name", field);
  Builder body;
  body.append("createIndexes", collection).append("$db", "bench");
  return {op_msg(std::move(body).finish(), {}, "indexes", {std::move(index).finish()})};
}

std::vector<PreparedRequest> reset_requests() {
  Builder drop;
  drop.append("drop", "writes").append("$db", "bench");
  Requests requests{op_msg(std::move(drop).finish())};
  add_loading(requests, "writes", 1, [](std::size_t) { return item(fresh_id(), 0, 0); });
  return requests;
}

std::vector<PreparedRequest> case_requests(std::string_view name, std::size_t items) {
  static const std::map<std::string_view, Requests (*)(std::size_t)> kCases = {
      {"ping", pings},
      {"find", finds},
      {"insert", [](std::size_t) { return inserts(false); }},
      {"insert retryable", [](std::size_t) { return inserts(true); }},
      {"insert many", bulk_inserts},
      {"update", updates},
      {"scan", scans},
      {"group", groups},
      {"scan all", whole_scans},
      {"ycsb a",
       [](std::size_t count) {
         return mixed(count, {50, 50, 0});
       }},
      {"ycsb b",
       [](std::size_t count) {
         return mixed(count, {95, 5, 0});
       }},
      {"ycsb c",
       [](std::size_t count) {
         return mixed(count, {100, 0, 0});
       }},
      {"ycsb e",
       [](std::size_t count) {
         return mixed(count, {0, 0, 95});
       }},
  };
  const auto found = kCases.find(name);
  if (found == kCases.end()) throw std::invalid_argument("no case " + std::string(name));
  return found->second(items);
}

}  // namespace restitch::bench
