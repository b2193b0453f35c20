#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "bson/extended_json.h"
#include "query/filter/filter.h"
#include "query/pipeline/memory_environment.h"
#include "query/projection.h"
#include "query/reference_model.h"
#include "query/update/update.h"

// The query languages against plain models of them, on random specifications and documents.
// RESTITCH_TEST_SEED chooses the random numbers, RESTITCH_TEST_ROUNDS how many comparisons are
// made.
namespace restitch::query {
namespace {

using reference::Generator;
using reference::Node;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

class Reference : public testing::Test {
 protected:
  Reference() : trace_(__FILE__, __LINE__, "RESTITCH_TEST_SEED=" + std::to_string(seed_)) {}

  static std::string text_of(const Node& node) { return bson::to_json(reference::to_bson(node)); }
  static std::string text_of(const std::vector<Node>& nodes) {
    std::string out;
    for (const Node& node : nodes) out += text_of(node) + "\n";
    return out;
  }

  std::uint64_t rounds() const { return number_from("RESTITCH_TEST_ROUNDS", 20000); }

  bool real_match(const Node& query, const bson::Document& document) {
    const bson::Document spec = reference::to_document(query);
    const auto filter = Filter::compile(spec, context_);
    EXPECT_TRUE(filter) << text_of(query);
    return filter && *filter->matches(document);
  }

  std::uint64_t seed_ = number_from("RESTITCH_TEST_SEED", 20240601);
  Generator generator_{seed_};
  CommandContext context_;
  testing::ScopedTrace trace_;
};

TEST_F(Reference, filters_match_what_the_model_matches) {
  for (std::uint64_t i = 0; i < rounds(); ++i) {
    const Node query = generator_.query(2);
    const Node document = generator_.document(1);
    ASSERT_EQ(real_match(query, reference::to_document(document)),
              reference::matches(document, query))
        << text_of(query) << "\n"
        << text_of(document);
  }
}

Node logical(const char* name, std::vector<Node> clauses) {
  return Node::object({{name, Node::array(std::move(clauses))}});
}

TEST_F(Reference, de_morgans_laws_hold) {
  for (std::uint64_t i = 0; i < rounds() / 4; ++i) {
    const Node a = generator_.query(1);
    const Node b = generator_.query(1);
    const bson::Document document = reference::to_document(generator_.document(1));
    const Node not_a = logical("$nor", {a});
    const Node not_b = logical("$nor", {b});
    const bool neither = real_match(logical("$nor", {a, b}), document);
    ASSERT_EQ(neither, !real_match(logical("$or", {a, b}), document)) << text_of(a) << text_of(b);
    ASSERT_EQ(neither, real_match(logical("$and", {not_a, not_b}), document))
        << text_of(a) << text_of(b);
    ASSERT_EQ(real_match(not_a, document), !real_match(a, document)) << text_of(a);
    ASSERT_EQ(real_match(logical("$nor", {not_a}), document), real_match(a, document))
        << text_of(a);
  }
}

TEST_F(Reference, pipelines_give_what_the_model_gives) {
  for (std::uint64_t i = 0; i < rounds(); ++i) {
    const std::vector<Node> stages = generator_.stages();
    std::vector<Node> documents(static_cast<std::size_t>(generator_.below(8)));
    std::vector<Node> foreign(static_cast<std::size_t>(generator_.below(5)));
    int id = 0;
    for (Node& document : documents) document = generator_.document(++id);
    for (Node& document : foreign) document = generator_.document(++id);

    MemoryEnvironment environment(context_);
    bson::Builder collection;
    for (const Node& document : foreign) collection.push(reference::to_document(document));
    environment.add("f", std::move(collection).finish());
    bson::Builder array;
    for (const Node& stage : stages) array.push(reference::to_document(stage));
    const bson::Document spec = std::move(array).finish();
    const auto pipeline = Pipeline::compile(spec, context_, {});
    ASSERT_TRUE(pipeline) << pipeline.error().message() << "\n" << text_of(stages);
    std::vector<bson::Document> input;
    for (const Node& document : documents) input.push_back(reference::to_document(document));
    auto stream = pipeline->run(std::make_unique<VectorStream>(std::move(input)), environment);
    ASSERT_TRUE(stream);
    for (const Node& expected : reference::run(stages, documents, foreign)) {
      const auto actual = (*stream)->next();
      ASSERT_TRUE(actual && *actual) << text_of(expected) << "\n"
                                     << text_of(stages) << text_of(documents);
      ASSERT_EQ(bson::to_json((*actual)->view()), text_of(expected))
          << text_of(stages) << "over\n"
          << text_of(documents) << "with\n"
          << text_of(foreign);
    }
    const auto end = (*stream)->next();
    ASSERT_TRUE(end && !*end) << text_of(stages) << "over\n" << text_of(documents);
  }
}

TEST_F(Reference, updates_do_what_the_model_does) {
  for (std::uint64_t i = 0; i < rounds(); ++i) {
    const Node spec = generator_.update();
    const Node document = generator_.document(1);
    const bson::Value update_spec = reference::to_bson(spec);
    const auto update = Update::compile(update_spec, context_, {});
    ASSERT_TRUE(update) << update.error().message() << text_of(spec);
    const bson::Document before = reference::to_document(document);
    const auto actual = update->apply(before, MatchDetails());
    const auto expected = reference::updated(document, spec);
    ASSERT_EQ(static_cast<bool>(actual), expected.has_value())
        << text_of(spec) << "\n"
        << text_of(document) << (actual ? "" : actual.error().message());
    if (!expected) continue;
    ASSERT_EQ(bson::to_json(actual->document.view()), text_of(*expected)) << text_of(spec) << "\n"
                                                                          << text_of(document);
    ASSERT_EQ(actual->modified, actual->document.bytes() != before.bytes());
  }
}

TEST_F(Reference, inclusion_and_exclusion_complement_each_other) {
  for (std::uint64_t i = 0; i < rounds() / 4; ++i) {
    // Without arrays, each field is in exactly one of the two results.
    Node document = generator_.document(1);
    for (auto& [name, member] : document.members) {
      if (member.is(Node::Kind::kArray))
        member = Node::object({{"x", Node::of(1)}, {"y", generator_.scalar()}});
    }
    std::multiset<std::string> parts;
    for (const int flag : {0, 1}) {
      bson::Builder spec;
      spec.append("_id", std::int32_t{flag})
          .append("a", std::int32_t{flag})
          .append("b.x", std::int32_t{flag});
      const bson::Document projection_spec = std::move(spec).finish();
      const auto projection =
          Projection::compile(projection_spec, ProjectionDialect::kFind, context_);
      ASSERT_TRUE(projection);
      const auto projected = projection->apply(reference::to_document(document));
      ASSERT_TRUE(projected);
      for (const bson::Element& element : projected->view()) {
        const auto object = element.value.as_object();
        if (!object) parts.insert(std::string(element.name) + "=" + bson::to_json(element.value));
        for (const bson::Element& inner : object.value_or(bson::View())) {
          parts.insert(std::string(element.name) + "." + std::string(inner.name) + "=" +
                       bson::to_json(inner.value));
        }
      }
    }
    std::multiset<std::string> whole;
    for (const auto& [name, member] : document.members) {
      if (!member.is(Node::Kind::kObject)) whole.insert(name + "=" + text_of(member));
      if (!member.is(Node::Kind::kObject)) continue;
      for (const auto& [inner, value] : member.members)
        whole.insert(name + "." + inner + "=" + text_of(value));
    }
    ASSERT_EQ(parts, whole) << text_of(document);
  }
}

}  // namespace
}  // namespace restitch::query
