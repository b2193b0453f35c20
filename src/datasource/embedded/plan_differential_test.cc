// Random documents, indexes and queries: a collection with indexes must answer as one without.

#include <algorithm>
#include <random>

#include "bson/compare.h"
#include "datasource/embedded/test_cluster.h"
#include "query/sort.h"

namespace restitch::datasource::embedded {
namespace {

using bson::Builder;
using bson::Document;
using bson::View;

// Random texts of Extended JSON.
class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  bool one_in(unsigned times) { return below(times) == 0; }
  std::string pick(std::initializer_list<const char*> texts) {
    return *(texts.begin() + below(static_cast<unsigned>(texts.size())));
  }

  std::string path() {
    return pick({"a", "a", "a", "b", "b", "c", "o.x", "o.x", "o.y", "a.c", "a.0", "o.0.x", "o"});
  }

  std::string scalar() {
    switch (below(12)) {
      case 0:
        return pick({"null", "true", "false", R"({"$undefined": true})"});
      case 1:
        return pick({R"({"$numberDouble": "2.5"})", R"({"$numberDouble": "-0.0"})",
                     R"({"$numberDouble": "NaN"})", R"({"$numberDouble": "Infinity"})",
                     R"({"$numberDouble": "-Infinity"})", R"({"$numberDecimal": "2.50"})",
                     R"({"$numberLong": "3"})", R"({"$numberDouble": "3.0"})",
                     R"({"$numberDecimal": "NaN"})", R"({"$numberLong": "9223372036854775807"})"});
      case 2:
        return pick({R"({"$date": {"$numberLong": "0"}})", R"({"$date": {"$numberLong": "9"}})",
                     R"({"$oid": "00112233445566778899aabb"})",
                     R"({"$timestamp": {"t": 1, "i": 2}})",
                     R"({"$binary": {"base64": "AAE=", "subType": "00"}})",
                     R"({"$regularExpression": {"pattern": "^a", "options": ""}})"});
      case 3:
        return pick({R"({"$minKey": 1})", R"({"$maxKey": 1})", "{}", R"({"c": 1})",
                     R"({"x": 2, "y": 1})", R"({"c": "A"})"});
      case 4:
      case 5:
      case 6:
        return pick({R"("")", R"("a")", R"("A")", R"("ab")", R"("aB")", R"("b")", R"("\u0000")",
                     R"("ba")"});
      default:
        return std::to_string(below(6));
    }
  }

  std::string value() {
    if (!one_in(4)) return scalar();
    switch (below(7)) {
      case 0:
        return "[]";
      case 1:
        return "[" + scalar() + "]";
      case 2:
        return "[[" + scalar() + "]]";
      case 3:
        return R"([{"c": )" + scalar() + R"(}, {"c": )" + scalar() + R"(, "d": 1}])";
      case 4:
        return "[" + scalar() + ", [" + scalar() + ", " + scalar() + "]]";
      default:
        return "[" + scalar() + ", " + scalar() + "]";
    }
  }

  std::string members() {
    std::string text;
    if (!one_in(5)) text += R"("x": )" + (one_in(5) ? value() : scalar());
    if (!one_in(4)) text += (text.empty() ? "" : ", ") + std::string(R"("y": )") + scalar();
    return "{" + text + "}";
  }

  // `flat`: no arrays anywhere, as in collections that covered plans serve.
  std::string document(int id, bool flat) {
    std::string text = R"({"_id": )" + std::to_string(id);
    for (const char* name : {"a", "b", "c"}) {
      if (one_in(6)) continue;
      const bool is_scalar = flat || (*name == 'c') || !one_in(2);
      text += ", \"" + std::string(name) + "\": " + (is_scalar ? scalar() : value());
    }
    if (!one_in(4)) {
      std::string sub = flat ? "{\"x\": " + scalar() + ", \"y\": " + scalar() + "}" : members();
      if (!flat && one_in(3)) sub = "[" + sub + ", " + members() + "]";
      if (!flat && one_in(8)) sub = value();
      text += ", \"o\": " + sub;
    }
    if (!one_in(3)) text += ", \"u\": " + std::to_string(id / 2 * 2 + (id % 2 == 0 ? 0 : 1000));
    return text + "}";
  }

  std::string index(int number) {
    std::string keys, options = R"("name": "i)" + std::to_string(number) + "\"";
    std::vector<std::string> used;
    const unsigned fields = 1 + below(3);
    bool is_hashed = false;
    for (unsigned at = 0; at < fields; ++at) {
      const std::string name = one_in(8) ? std::string("_id") : path();
      if (std::find(used.begin(), used.end(), name) != used.end()) continue;
      used.push_back(name);
      std::string direction = one_in(3) ? "-1" : "1";
      if (!is_hashed && name == "c" && one_in(3)) {
        direction = "\"hashed\"";
        is_hashed = true;
      }
      keys += (keys.empty() ? "\"" : ", \"") + name + "\": " + direction;
    }
    if (one_in(10)) {
      keys = "\"u\": 1";
      options += R"(, "unique": true, "sparse": true)";
    } else if (one_in(5)) {
      options += R"(, "sparse": true)";
    } else if (one_in(4)) {
      options += R"(, "partialFilterExpression": )" + partial();
    }
    if (one_in(5)) options += R"(, "collation": {"locale": "en", "strength": 2})";
    if (one_in(12)) options += R"(, "hidden": true)";
    return R"({"key": {)" + keys + "}, " + options + "}";
  }

  std::string partial() {
    switch (below(6)) {
      case 0:
        return "{\"" + path() + R"(": {"$exists": true}})";
      case 1:
        return "{\"" + path() + "\": {\"" + pick({"$gt", "$gte", "$lt", "$lte", "$eq"}) +
               "\": " + scalar_without_regex() + "}}";
      case 2:
        return "{\"" + path() + R"(": {"$type": )" + pick({"\"number\"", "\"string\"", "2"}) + "}}";
      case 3:
        return "{\"" + path() + R"(": {"$in": [)" + scalar_without_regex() + ", " +
               scalar_without_regex() + "]}}";
      case 4:
        return R"({"$or": [{"a": )" + scalar_without_regex() + R"(}, {"b": {"$gt": )" +
               scalar_without_regex() + "}}]}";
      default:
        return "{\"" + path() + "\": " + scalar_without_regex() + ", \"b\": {\"$exists\": true}}";
    }
  }

  std::string scalar_without_regex() {
    for (;;) {
      std::string text = scalar();
      if (text.find("$regular") == std::string::npos && text.find("$undef") == std::string::npos) {
        return text;
      }
    }
  }

  std::string operand() {
    for (;;) {
      std::string text = one_in(5) ? value() : scalar();
      if (text.find("$regular") == std::string::npos && text.find("$undef") == std::string::npos) {
        return text;
      }
    }
  }

  std::string operators(int depth = 0) {
    switch (below(depth == 0 ? 14 : 8)) {
      case 0:
        return R"("$gt": )" + operand();
      case 1:
        return R"("$gte": )" + operand() + R"(, "$lt": )" + operand();
      case 2:
        return R"("$in": [)" + operand() + ", " + operand() +
               (one_in(4) ? R"(, {"$regularExpression": {"pattern": "^a", "options": ""}}])" : "]");
      case 3:
        return R"("$ne": )" + operand();
      case 4:
        return R"("$exists": )" + pick({"true", "false"});
      case 5:
        return R"("$lte": )" + operand();
      case 6:
        return R"("$type": )" +
               pick({"\"number\"", "\"string\"", "\"null\"", "\"array\"", "\"int\"", "\"object\"",
                     "[\"bool\", \"date\"]", "\"regex\"", "\"minKey\"", "\"undefined\""});
      case 7:
        return R"("$regex": )" + pick({"\"^a\"", "\"^ab?\"", "\"b\"", "\"^A\", \"$options\": \"i\"",
                                       "\"^(a|b)\"", "\"^a$\"", "\"^a.*\""});
      case 8:
        return R"("$elemMatch": {)" +
               (one_in(2) ? operators(1)
                          : pick({"\"c\"", "\"x\"", "\"d\""}) + ": {" + operators(1) + "}") +
               "}";
      case 9:
        return R"("$nin": [)" + operand() + ", " + operand() + "]";
      case 10:
        return R"("$not": {)" + operators(1) + "}";
      case 11:
        return R"("$all": [)" + operand() + ", " + operand() + "]";
      case 12:
        return pick({R"("$size": 2)", R"("$mod": [2, 1])"});
      default:
        return R"("$eq": )" + operand();
    }
  }

  std::string predicate() {
    std::string name = "\"" + (one_in(10) ? std::string("u") : path()) + "\": ";
    if (one_in(20)) name = "\"_id\": ";
    if (one_in(3)) return name + operand();
    return name + "{" + operators() + "}";
  }

  std::string filter(int depth = 0) {
    if (depth == 0 && one_in(12)) return "{}";
    std::string text = predicate();
    for (unsigned more = below(4) / 2; more > 0; --more) {
      const std::string another = predicate();
      // A name that is there already would hide the former.
      if (text.find(another.substr(0, another.find(':') + 1)) != std::string::npos) continue;
      text += ", " + another;
    }
    if (depth < 2 && one_in(4)) {
      const std::string op = pick({"$or", "$or", "$or", "$and", "$nor"});
      text += ", \"" + op + "\": [" + filter(depth + 1) + ", " + filter(depth + 1) + "]";
      if (one_in(3)) text = text.substr(text.find("\"" + op + "\": ["));
    }
    if (depth == 0 && one_in(10)) {
      text += R"(, "$expr": {")" + pick({"$eq", "$gt", "$gte", "$lt", "$lte"}) + R"(": ["$)" +
              pick({"a", "b", "c", "o.x"}) + R"(", {"$literal": )" + operand() + "}]}";
    }
    return "{" + text + "}";
  }

  std::string sort() {
    std::string text;
    for (unsigned parts = 1 + below(2); parts > 0; --parts) {
      const std::string name = "\"" + path() + "\": ";
      if (text.find(name) != std::string::npos) continue;
      text += (text.empty() ? "" : ", ") + name + pick({"1", "-1"});
    }
    return text;
  }

 private:
  std::mt19937 random_;
};

struct Query {
  std::string filter, sort, rest;
  bool is_total = false;  // the sort ends in _id

  std::string find(const char* collection) const {
    std::string text =
        R"({"find": ")" + std::string(collection) + R"(", "batchSize": 1000, "filter": )" + filter;
    if (!sort.empty()) text += R"(, "sort": {)" + sort + "}";
    return text + rest + "}";
  }
};

class Differential {
 public:
  explicit Differential(unsigned seed) : generate_(seed) {}

  void run_round(int round, int queries) {
    indexed_ = "x" + std::to_string(round);
    plain_ = "p" + std::to_string(round);
    const bool flat = generate_.one_in(3);
    collation_ =
        generate_.one_in(4) ? R"(, "collation": {"locale": "en", "strength": 2})" : std::string();
    for (const std::string& name : {indexed_, plain_}) {
      must(R"({"create": ")" + name + "\"" + collation_ + "}");
    }
    const unsigned indexes = 1 + generate_.below(5);
    const unsigned early = generate_.below(indexes + 1);
    indexes_.clear();
    for (unsigned at = 0; at < early; ++at) add_index(static_cast<int>(at));
    fill(flat);
    for (unsigned at = early; at < indexes; ++at) add_index(static_cast<int>(at));
    for (int at = 0; at < queries; ++at) {
      compare_one();
      if (::testing::Test::HasFailure()) return;
    }
    for (const std::string& name : {indexed_, plain_}) must(R"({"drop": ")" + name + "\"}");
  }

  std::uint64_t index_plans() const { return index_plans_; }

 private:
  Document must(const std::string& command) {
    Document reply = cluster_.run("t", command);
    EXPECT_TRUE(reply["ok"].truthy()) << command << "\n" << shown(reply);
    return reply;
  }

  // Documents that an index cannot hold (parallel arrays, duplicates) are in neither collection.
  void fill(bool flat) {
    const int documents = 20 + static_cast<int>(generate_.below(60));
    for (int id = 0; id < documents; ++id) {
      const std::string text = generate_.document(id, flat);
      const std::string rest = R"(", "writeConcern": {"w": 1}, "documents": [)" + text + "]}";
      const Document reply = cluster_.run("t", R"({"insert": ")" + indexed_ + rest);
      if (reply["n"].as_integer() == 1) must(R"({"insert": ")" + plain_ + rest);
    }
  }

  void add_index(int number) {
    const std::string spec = generate_.index(number);
    const Document reply =
        cluster_.run("t", R"({"createIndexes": ")" + indexed_ + R"(", "indexes": [)" + spec + "]}");
    if (reply["ok"].truthy()) {
      indexes_.push_back(spec);
      return;
    }
    const auto code = reply["code"].as_integer();
    // Parallel arrays, arrays under a hashed field, duplicates, the same index again, options that
    // _id does not take.
    EXPECT_TRUE(code == 171 || code == 16766 || code == 11000 || code == 85 || code == 86 ||
                code == 67 || code == 197)
        << spec << "\n"
        << shown(reply);
  }

  std::vector<Document> batch(const Document& reply) {
    std::vector<Document> documents;
    for (const bson::Element& element :
         reply.view().find_path("cursor.firstBatch").get_document()) {
      documents.emplace_back(element.value.get_document());
    }
    return documents;
  }

  static Document in_order_of_names(View document) {
    std::vector<bson::Element> elements(document.begin(), document.end());
    std::sort(elements.begin(), elements.end(),
              [](const bson::Element& a, const bson::Element& b) { return a.name < b.name; });
    Builder builder;
    for (const bson::Element& element : elements) builder.append(element.name, element.value);
    return std::move(builder).finish();
  }

  static void sort_by_bytes(std::vector<Document>& documents) {
    std::sort(documents.begin(), documents.end(), [](const Document& a, const Document& b) {
      return a.view().bytes() < b.view().bytes();
    });
  }

  Query random_query() {
    Query query;
    query.filter = generate_.filter();
    if (generate_.one_in(2)) {
      query.sort = generate_.sort();
      query.is_total = generate_.one_in(2);
      if (query.is_total) query.sort += R"(, "_id": )" + generate_.pick({"1", "-1"});
    }
    if (generate_.one_in(4)) {
      query.rest += R"(, "collation": {"locale": )" +
                    generate_.pick({"\"en\", \"strength\": 2", "\"simple\""}) + "}";
    }
    if (query.is_total && generate_.one_in(2)) {
      query.rest += R"(, "limit": )" + std::to_string(1 + generate_.below(8));
      if (generate_.one_in(2)) query.rest += R"(, "skip": )" + std::to_string(generate_.below(4));
    }
    return query;
  }

  void compare_one() {
    Query query = random_query();
    switch (generate_.below(8)) {
      case 0:
        return compare_counts(query);
      case 1:
        return compare_distinct(query);
      case 2:
        query.rest += R"(, "projection": )" +
                      generate_.pick({R"({"_id": 0, "a": 1})", R"({"_id": 0, "b": 1, "a": 1})",
                                      R"({"_id": 0, "c": 1})", R"({"a": 1})", R"({"_id": 1})",
                                      R"({"_id": 0, "o.x": 1})", R"({"_id": 0, "u": 1})"});
        break;
      case 3:
        return compare_grouped(query);
      default:
        break;
    }
    const Document with = cluster_.run("t", query.find(indexed_.c_str()));
    const Document without = cluster_.run("t", query.find(plain_.c_str()));
    if (!same_outcome(query, with, without)) return;
    std::vector<Document> left = batch(with), right = batch(without);
    if (query.rest.find("projection") != std::string::npos) {
      // Covered plans give the fields in the order of the index.
      for (Document& document : left) document = in_order_of_names(document);
      for (Document& document : right) document = in_order_of_names(document);
    } else if (!query.sort.empty()) {
      expect_order(query, left);
    }
    if (!query.is_total) {
      sort_by_bytes(left);
      sort_by_bytes(right);
    }
    EXPECT_TRUE(left == right) << report(query) << "\nindexed: " << shown(with)
                               << "\nplain:   " << shown(without);
    // Each eleventh is explained as well.
    if (generate_.one_in(11)) compare_explained(query, left.size());
  }

  void compare_explained(const Query& query, std::size_t returned) {
    const Document plan = cluster_.run("t", R"({"explain": )" + query.find(indexed_.c_str()) + "}");
    EXPECT_EQ(plan.view().find_path("executionStats.nReturned").as_integer(),
              static_cast<std::int64_t>(returned))
        << report(query) << shown(plan);
    if (shown(plan).find("IXSCAN") != std::string::npos) ++index_plans_;
  }

  void compare_counts(const Query& query) {
    const auto command = [&](const std::string& name) {
      return R"({"count": ")" + name + R"(", "query": )" + query.filter + query.rest + "}";
    };
    const Document with = cluster_.run("t", command(indexed_));
    const Document without = cluster_.run("t", command(plain_));
    if (!same_outcome(query, with, without)) return;
    EXPECT_EQ(with["n"].as_integer(), without["n"].as_integer()) << report(query);
  }

  void compare_distinct(Query query) {
    query.rest = query.rest.substr(0, query.rest.find(R"(, "limit")"));
    const std::string key = generate_.path();
    const auto command = [&](const std::string& name) {
      return R"({"distinct": ")" + name + R"(", "key": ")" + key + R"(", "query": )" +
             query.filter + query.rest + "}";
    };
    const Document with = cluster_.run("t", command(indexed_));
    const Document without = cluster_.run("t", command(plain_));
    if (!same_outcome(query, with, without)) return;
    // Which of several equal values is given depends on the order of reading.
    const auto values = [](const Document& reply) {
      std::vector<bson::Value> list;
      for (const bson::Element& element : reply["values"].get_document()) {
        list.emplace_back(element.value);
      }
      std::sort(list.begin(), list.end(),
                [](const bson::Value& a, const bson::Value& b) { return bson::compare(a, b) < 0; });
      return list;
    };
    const auto left = values(with), right = values(without);
    const bool is_collated = !collation_.empty() || query.rest.find("en") != std::string::npos;
    bool same = left.size() == right.size();
    for (std::size_t at = 0; same && !is_collated && at < left.size(); ++at) {
      same = bson::equal(left[at], right[at]);
    }
    EXPECT_TRUE(same) << "distinct " << key << report(query) << "\nindexed: " << shown(with)
                      << "\nplain:   " << shown(without);
  }

  void compare_grouped(const Query& query) {
    const std::string collation = query.rest.substr(0, query.rest.find(R"(, "limit")"));
    const std::string group =
        generate_.pick({R"({"$group": {"_id": "$c", "n": {"$sum": 1}}})",
                        R"({"$group": {"_id": null, "n": {"$sum": 1}, "m": {"$max": "$_id"}}})",
                        R"({"$count": "n"})", R"({"$project": {"b": 1}})",
                        R"({"$project": {"_id": 0, "a": 1, "b": 1}})"});
    const auto command = [&](const std::string& name) {
      std::string text =
          R"({"aggregate": ")" + name + R"(", "pipeline": [{"$match": )" + query.filter + "}, ";
      if (query.is_total) text += R"({"$sort": {)" + query.sort + R"(}}, {"$limit": 5}, )";
      return text + group + R"(], "cursor": {"batchSize": 1000})" + collation + "}";
    };
    const Document with = cluster_.run("t", command(indexed_));
    const Document without = cluster_.run("t", command(plain_));
    if (!same_outcome(query, with, without)) return;
    std::vector<Document> left = batch(with), right = batch(without);
    const auto order = [](const Document& a, const Document& b) {
      return bson::compare(a.view(), b.view()) < 0;
    };
    std::sort(left.begin(), left.end(), order);
    std::sort(right.begin(), right.end(), order);
    bool same = left.size() == right.size();
    const bool is_collated = !collation_.empty() || collation.find("en") != std::string::npos;
    for (std::size_t at = 0; same && !is_collated && at < left.size(); ++at) {
      same = bson::equal(left[at].view(), right[at].view());
    }
    EXPECT_TRUE(same) << command(indexed_) << report(query) << "\nindexed: " << shown(with)
                      << "\nplain:   " << shown(without);
  }

  // Both succeed, or both fail with one code.
  bool same_outcome(const Query& query, const Document& with, const Document& without) {
    const bool both = with["ok"].truthy() && without["ok"].truthy();
    // A failing expression or a sort over parallel arrays fails where it is met: not on documents
    // that an index excludes.
    const bool may_differ = without["code"].as_integer() == 2;
    if (!both && !may_differ) {
      EXPECT_EQ(with["code"].as_integer().value_or(0), without["code"].as_integer().value_or(0))
          << report(query) << "\nindexed: " << shown(with) << "\nplain:   " << shown(without);
    }
    return both;
  }

  void expect_order(const Query& query, const std::vector<Document>& documents) {
    query::CommandContext context;
    const bool is_simple = query.rest.find("simple") != std::string::npos;
    const bool is_collated =
        query.rest.find("\"en\"") != std::string::npos || (!collation_.empty() && !is_simple);
    if (is_collated) {
      auto collation =
          query::Collation::parse(*bson::parse_json_document(R"({"locale": "en", "strength": 2})"));
      context.comparator = query::Comparator(*collation);
    }
    const auto spec = bson::parse_json_document("{" + query.sort + "}");
    const auto pattern = query::SortPattern::compile(*spec, context);
    ASSERT_TRUE(pattern);
    std::string former;
    for (const Document& document : documents) {
      auto key = pattern->key_of(document);
      if (!key) continue;
      EXPECT_LE(former, *key) << report(query) << shown(document);
      former = std::move(*key);
    }
  }

  std::string report(const Query& query) {
    std::string text = "\n" + query.find(indexed_.c_str()) + "\ncollection: " + collation_;
    for (const std::string& index : indexes_) text += "\nindex " + index;
    const Document plan = cluster_.run("t", R"({"explain": )" + query.find(indexed_.c_str()) +
                                                R"(, "verbosity": "queryPlanner"})");
    return text + "\nplan " +
           shown(plan.view().find_path("queryPlanner.winningPlan").as_object().value_or(View()));
  }

  TestCluster cluster_;
  Generator generate_;
  std::string indexed_, plain_, collation_;
  std::vector<std::string> indexes_;
  std::uint64_t index_plans_ = 0;
};

TEST(PlanDifferential, random_queries_give_the_same_answers_with_and_without_indexes) {
  const char* given = std::getenv("RESTITCH_TEST_SEED");
  const auto seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                     : std::random_device{}();
  const char* wanted = std::getenv("RESTITCH_TEST_ROUNDS");
  const int rounds = wanted != nullptr ? std::atoi(wanted) : 40;
  std::cout << "seed " << seed << std::endl;
  Differential test(seed);
  for (int round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
    test.run_round(round, 300);
  }
  EXPECT_TRUE(::testing::Test::HasFailure() || test.index_plans() > 0);
}

}  // namespace
}  // namespace restitch::datasource::embedded
