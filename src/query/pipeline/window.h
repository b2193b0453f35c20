#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "query/expression/calendar.h"
#include "query/pipeline/stage.h"

namespace restitch::query {

// One document of $setWindowFields while its partition is computed.
struct WindowEntry {
  bson::Value partition;
  std::string sort_key;
  bson::Document document;
};

// What the functions of a stage have in common.
struct WindowOrder {
  std::vector<std::string>
      sort_path;  // of the only sortBy field; empty if there are none or several
  bool is_sorted = false;
  bool is_descending = false;
};

// Part [begin, end) of a partition.
struct WindowRange {
  std::size_t begin;
  std::size_t end;
};

// The `window` member. Bounds that are not given are unbounded.
struct WindowBounds {
  enum class Kind : std::uint8_t { kDocuments, kRange } kind = Kind::kDocuments;
  std::optional<double> lower;
  std::optional<double> upper;
  std::optional<TimeUnit> unit;
  bool is_whole = true;  // no window was given

  static Result<WindowBounds> compile(bson::ValueView spec, const WindowOrder& order);
  // The window of every document of a partition.
  Result<std::vector<WindowRange>> ranges(std::span<const WindowEntry> entries,
                                          const WindowOrder& order) const;
};

// The position of a document on the sort axis: numbers as they are, dates in milliseconds. Nothing
// for null or missing; error 5429413 for other types.
Result<std::optional<double>> sort_position(const WindowEntry& entry, const WindowOrder& order);

// What one output field has in one partition.
class WindowValues {
 public:
  virtual ~WindowValues() = default;
  // The value of one document after the other, in the partition's order.
  virtual Result<bson::Value> next() = 0;
  // Bytes held.
  virtual std::size_t memory() const { return 0; }
};
using WindowValuesPtr = std::unique_ptr<WindowValues>;

// One output field.
class WindowFunction {
 public:
  virtual ~WindowFunction() = default;
  // `entries` and `run` outlive what is returned.
  virtual Result<WindowValuesPtr> start(std::span<const WindowEntry> entries,
                                        RunContext& run) const = 0;
};
using WindowFunctionPtr = std::shared_ptr<const WindowFunction>;

// {$op: …, window: …}: an accumulator over windows, or one of the functions that exist only here.
Result<WindowFunctionPtr> compile_window_function(const bson::Element& field,
                                                  const WindowOrder& order,
                                                  const StageCompiler& compiler);
// $rank, $shift, $derivative and so on; null for other names.
Result<WindowFunctionPtr> compile_ordered_function(const bson::Element& call,
                                                   bson::ValueView window, const WindowOrder& order,
                                                   const StageCompiler& compiler);

}  // namespace restitch::query
