#pragma once

#include <deque>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::query {

// What $mergeObjects does, one object after the other: later values win, fields keep the place of
// their first mention.
class ObjectMerge {
 public:
  // Null and missing are skipped; other values than objects are error 40400.
  Status add(bson::ValueView value);
  void add(bson::View object);
  bson::Document finish() const;
  // Bytes held.
  std::size_t memory() const {
    constexpr std::size_t kPerMember = 160;
    return size_ + kPerMember * members_.size();
  }

 private:
  struct Member {
    std::string name;
    std::string element;  // type, name and value
  };

  std::deque<Member> members_;  // their names stay where they are
  std::unordered_map<std::string_view, Member*> by_name_;
  std::size_t size_ = 0;  // bytes of the elements
};

}  // namespace restitch::query
