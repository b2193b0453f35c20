#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/config.h"
#include "bson/document.h"
#include "rules/context.h"

namespace restitch::rules {

// Where an expression stands; decides which expansions it may use (spec: rules §5.2) and what a
// bare field name means.
enum class Place : std::uint8_t {
  kRole,            // apply_when and permissions: documents are bound
  kField,           // additionally %%this and %%prev
  kFilter,          // no document
  kFunction,        // can_evaluate: no document
  kSchemaValidate,  // as kField
};

// The documents an expression sees (spec: rules §5.3). Missing members do not exist.
struct Documents {
  std::optional<bson::View> root, prev_root;
  bson::ValueView current, previous;  // %%this, %%prev
};

// A compiled rule expression (spec: rules §5). Immutable, thread-safe.
class Expression {
 public:
  // Problems go to `findings` (file and pointer as given); nullptr if they are errors.
  static std::shared_ptr<const Expression> compile(const bson::Value& expression, Place place,
                                                   const std::string& file,
                                                   const std::string& pointer,
                                                   app::Findings& findings);
  virtual ~Expression() = default;

  // Whether the value depends on a document; if not it is one value for the whole request.
  virtual bool needs_document() const = 0;
  virtual bool calls_functions() const = 0;
  // The value when it depends on nothing at all (true, false, {}).
  virtual std::optional<bool> constant() const = 0;
  // Whether it is literally `true`.
  virtual bool is_literally_true() const = 0;

  // Evaluation failures (a function that throws, bad input of a conversion) are false and logged,
  // as the specification says; `failed` tells where the difference matters (filters).
  virtual bool evaluate(const EvaluationContext& context, const Documents& documents,
                        bool* failed = nullptr) const = 0;
  // For expressions that call functions.
  virtual Task<bool> evaluate_async(const EvaluationContext& context,
                                    const Documents& documents) const = 0;

  // A MongoDB query that every document satisfies for which the expression is true, given this
  // context; {} when nothing can be said. `exact` becomes true when the query matches no other
  // document.
  virtual bson::Document to_query(const EvaluationContext& context, bool* exact) const = 0;
};

// Replaces expansions ("%%user.id", {"%stringToOid": …}) in a filter's query or projection by their
// values.
class Template {
 public:
  static std::shared_ptr<const Template> compile(bson::View query, const std::string& file,
                                                 const std::string& pointer,
                                                 app::Findings& findings);
  virtual ~Template() = default;
  virtual bson::Document expand(const EvaluationContext& context) const = 0;
};

}  // namespace restitch::rules
