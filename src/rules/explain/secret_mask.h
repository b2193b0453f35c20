#pragma once

#include <string>
#include <vector>

#include "bson/document.h"

namespace restitch::rules {

// Keeps the values of secrets out of explanations: wherever one would be shown, "<secret>" is.
class SecretMask {
 public:
  SecretMask() = default;
  // The plain texts of secrets; what rules can convert them to is hidden as well.
  explicit SecretMask(const std::vector<std::string>& secrets);

  bson::Value apply(bson::ValueView value) const;
  bson::Document apply(bson::View document) const;
  // As JSON, cut off after some length.
  std::string show(bson::ValueView value) const;

 private:
  bool hides(bson::ValueView value) const;
  bool hides_any(bson::ValueView value) const;
  void copy_masked(bson::View from, bson::Builder& to, bool is_array) const;

  std::vector<bson::Value> hidden_;
};

}  // namespace restitch::rules
