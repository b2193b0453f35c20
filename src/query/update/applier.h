#pragma once

#include <boost/container/small_vector.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/update/change_log.h"
#include "query/update/update_tree.h"

namespace restitch::query {

// Writes the post-image of one document in one pass over its bytes.
class UpdateApplier {
 public:
  UpdateApplier(const OperatorUpdate& update, const ApplyContext& context,
                std::optional<std::size_t> matched_index)
      : update_(update), context_(context), matched_index_(matched_index) {}

  Result<bson::Document> run();
  bool changed() const { return changes_ != 0; }
  const ChangeLog& log() const { return log_; }

 private:
  // Nodes that act on one place together.
  using Nodes = boost::container::small_vector<const UpdateNode*, 2>;
  struct Step {
    std::string name;
    Nodes nodes;
    bool done = false;
  };
  using Steps = boost::container::small_vector<Step, 4>;
  struct Frame {
    std::string name;
    bool is_array;
  };

  Result<Steps> steps_below(const Nodes& nodes) const;
  static Steps::iterator lower_bound(Steps& steps, std::string_view name);
  // The step for a field that has not been taken yet, or null.
  static Step* find_step(Steps& steps, std::string_view name);
  static void add_step(Steps& steps, std::string_view name, const UpdateNode& node);

  Status write_fields(const Nodes& nodes, bson::View object);
  Status write_field(const Step& step, const bson::Element& element, std::string_view raw);
  Status create_field(const Step& step);

  // Continues inside a container; the caller has written its name.
  Status write_container(const Nodes& nodes, std::string_view name, bson::ValueView value);
  Status write_indexed(const Nodes& nodes, bson::View array);
  Status write_filtered(const Nodes& nodes, bson::View array);
  Status write_element(const Nodes& nodes, std::string_view name, bson::ValueView value);
  Status append_elements(Steps& steps, std::size_t count);
  Result<std::vector<Nodes>> select(const Nodes& nodes, bson::View array) const;

  // The value of a place that is not there yet; missing if no modifier makes one.
  Result<bson::Value> build(const Nodes& nodes, std::string_view name);
  Result<Change> modify(const UpdateNode& leaf, std::string_view name, bson::ValueView value) const;

  Status check_traversable(const Nodes& nodes, std::string_view name, bson::ValueView value) const;
  Result<UpdateNode::Kind> common_kind(const Nodes& nodes, std::string_view name) const;
  std::string path_to(std::string_view name) const;

  ChangeLog& log_here();
  void log_change(std::string_view name, const Change& change);
  void log_update(std::string_view name);

  const OperatorUpdate& update_;
  const ApplyContext& context_;
  std::optional<std::size_t> matched_index_;
  bson::Builder out_;
  ChangeLog log_;
  std::vector<Frame> frames_;
  bool logging_ = true;
  std::size_t changes_ = 0;
};

}  // namespace restitch::query
