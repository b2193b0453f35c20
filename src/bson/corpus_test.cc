#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/encoding.h"
#include "bson/extended_json.h"
#include "bson/validate.h"

// The public BSON corpus: bytes and Extended JSON that must mean the same, and input that must be
// refused.
namespace restitch::bson {
namespace {

Document load_corpus() {
  std::ifstream file(RESTITCH_SOURCE_DIR "/tests/data/bson/corpus.json");
  std::stringstream text;
  text << file.rdbuf();
  auto parsed = parse_json_with(text.str(), {.extended = false});
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  return parsed ? Document(parsed->value.view().get_document()) : Document();
}

const Document& corpus() {
  static const Document document = load_corpus();
  return document;
}

std::vector<std::string> areas() {
  std::vector<std::string> names;
  for (const Element& area : corpus()["areas"].get_document()) {
    names.emplace_back(area.value.get_document()["area"].get_string());
  }
  return names;
}

View entries(const std::string& area, std::string_view list) {
  for (const Element& entry : corpus()["areas"].get_document()) {
    const View view = entry.value.get_document();
    if (view["area"].get_string() == area) return view[list].as_array().value_or(View());
  }
  return {};
}

std::string bytes_of(ValueView hex) { return from_hex(hex.get_string()).value_or(""); }

void expect_reads_as(ValueView text, const std::string& bytes) {
  if (text.is_missing()) return;
  auto parsed = parse_json_document(text.get_string());
  ASSERT_TRUE(parsed) << text.get_string() << ": " << parsed.error().message();
  EXPECT_EQ(to_hex(parsed->bytes()), to_hex(bytes)) << text.get_string();
}

class Corpus : public testing::TestWithParam<std::string> {};

TEST_P(Corpus, valid_bytes_and_texts_convert_into_each_other) {
  for (const Element& entry : entries(GetParam(), "valid")) {
    const View vector = entry.value.get_document();
    const std::string bytes = bytes_of(vector["bson"]);
    const auto document = checked_document(bytes);
    ASSERT_TRUE(document) << to_hex(bytes) << document.error().message();
    EXPECT_EQ(to_json(document->view()), vector["canonical"].get_string());
    if (const auto relaxed = vector["relaxed"].as_string()) {
      EXPECT_EQ(to_json(document->view(), JsonMode::kRelaxed), *relaxed);
    }
    if (!vector["degenerate_bson"].is_missing()) {
      EXPECT_TRUE(checked_document(bytes_of(vector["degenerate_bson"])));
    }
    if (vector.contains("lossy")) continue;
    expect_reads_as(vector["canonical"], bytes);
    expect_reads_as(vector["degenerate"], bytes);
  }
}

TEST_P(Corpus, broken_bytes_are_refused) {
  for (const Element& hex : entries(GetParam(), "bson_errors")) {
    EXPECT_FALSE(checked_document(bytes_of(hex.value))) << hex.value.get_string();
  }
}

TEST_P(Corpus, broken_texts_are_refused) {
  for (const Element& text : entries(GetParam(), "json_errors")) {
    EXPECT_FALSE(parse_json_document(text.value.get_string())) << text.value.get_string();
  }
}

std::string case_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Corpus, testing::ValuesIn(areas()), case_name);

}  // namespace
}  // namespace restitch::bson
