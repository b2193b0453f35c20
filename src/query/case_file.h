#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"
#include "bson/extended_json.h"
#include "query/context.h"

namespace restitch::query {

// One behaviour case of tests/data/query (format: its README.md).
struct QueryCase {
  std::string name;  // fit for GoogleTest
  bson::Document body;

  bson::ValueView operator[](std::string_view member) const { return body[member]; }
  bson::View object(std::string_view member) const {
    return body[member].as_object().value_or(bson::View());
  }
  bson::View array(std::string_view member) const {
    return body[member].as_array().value_or(bson::View());
  }
};

inline void PrintTo(const QueryCase& query_case, std::ostream* out) {
  *out << bson::to_json(query_case.body.view(), bson::JsonMode::kRelaxed);
}

// The cases of all files whose name starts with `prefix`. A file that cannot be read becomes a case
// that fails.
inline std::vector<QueryCase> load_query_cases(const std::string& prefix) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(RESTITCH_SOURCE_DIR "/tests/data/query")) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(prefix, 0) == 0 && entry.path().extension() == ".json") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<QueryCase> cases;
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(stream)), {});
    auto parsed = bson::parse_json(text);
    if (!parsed || !parsed->view().as_array()) {
      cases.push_back(
          {file.stem().string() + "_is_readable",
           bson::make_document("unreadable", parsed ? "not an array" : parsed.error().message())});
      continue;
    }
    for (const bson::Element& element : parsed->view().get_document()) {
      bson::Document body(element.value.get_document());
      std::string name =
          file.stem().string() + "_" + std::string(body["name"].as_string().value_or("unnamed"));
      std::replace_if(
          name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
      cases.push_back({name + "_" + std::string(element.name), std::move(body)});
    }
  }
  return cases;
}

inline std::string query_case_name(const testing::TestParamInfo<QueryCase>& info) {
  return info.param.name;
}

// The context in which cases run: a fixed clock, and the case's `collation` and `let`.
inline void prepare_context(const QueryCase& query_case, CommandContext& context) {
  ASSERT_TRUE(query_case["unreadable"].is_missing()) << bson::to_json(query_case["unreadable"]);
  context.now = bson::Date{1704164645000};
  context.cluster_time = bson::Timestamp{1704164645, 7};
  context.let = bson::Document(query_case.object("let"));
  auto collation = Collation::parse(query_case.object("collation"));
  ASSERT_TRUE(collation) << collation.error().message();
  context.comparator = Comparator(*collation);
}

// Whether `error` is what the case asks for in `error`.
inline void expect_error(const QueryCase& query_case, const Error& error) {
  const bson::View expected = query_case.object("error");
  ASSERT_FALSE(expected.empty()) << "unexpected error " << error.mongo_code() << ": "
                                 << error.message();
  EXPECT_EQ(error.mongo_code(), expected["code"].as_integer()) << error.message();
  if (const auto message = expected["message"].as_string()) {
    EXPECT_NE(error.message().find(*message), std::string::npos) << error.message();
  }
}

inline void expect_same(bson::ValueView actual, bson::ValueView expected, std::string_view what) {
  EXPECT_TRUE(actual.type() == expected.type() && actual.raw() == expected.raw())
      << what << "\n  actual   " << bson::to_json(actual) << "\n  expected "
      << bson::to_json(expected);
}

inline bson::ValueView as_value(bson::View document) {
  return {bson::Type::kObject, document.data(), document.size()};
}

}  // namespace restitch::query
