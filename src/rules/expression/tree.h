#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bson/document.h"
#include "rules/expression/conversion.h"
#include "rules/expression/reference.h"

namespace restitch::rules {

// A value on the right of a comparison, an argument of a function or a member of such a value.
struct Operand {
  enum class Kind : std::uint8_t { kLiteral, kReference, kConversion, kFunction, kObject, kList };

  Kind kind = Kind::kLiteral;
  bool needs_document = false;
  bool calls_functions = false;
  Conversion conversion = Conversion::kStringToOid;
  int slot = -1;               // of a value that is fixed for a request; -1 for the others
  bson::Value literal;         // kLiteral
  Reference reference;         // kReference
  std::string name;            // kFunction
  std::vector<Operand> items;  // kConversion: one; kFunction: arguments; kObject, kList: members
  std::vector<std::string> names;  // kObject
};

enum class CompareOp : std::uint8_t {
  kEq,
  kNe,
  kGt,
  kGte,
  kLt,
  kLte,
  kIn,
  kNin,
  kAll,
  kExists,  // the right side is a boolean literal
};

struct ExpressionNode {
  enum class Kind : std::uint8_t { kConstant, kAnd, kOr, kNot, kCompare };

  Kind kind = Kind::kConstant;
  CompareOp op = CompareOp::kEq;
  bool constant = false;
  bool needs_document = false;
  bool calls_functions = false;
  int index = 0;       // unique in its program
  int left_slot = -1;  // of a left side that is fixed for a request
  std::vector<ExpressionNode> children;
  Reference left;  // kCompare
  Operand right;   // kCompare
};

// A parsed expression. Immutable.
struct ExpressionProgram {
  ExpressionNode root;
  int node_count = 0;
  int slot_count = 0;
  int left_slot_count = 0;
  bool is_literally_true = false;
};

}  // namespace restitch::rules
