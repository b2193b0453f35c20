#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/macro/request.h"
#include "bson/document.h"

namespace restitch::bench {

inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::int32_t kOpMsg = 2013;

// Stand for what the driver stamps, wherever they occur in a message.
inline constexpr std::string_view kKeyPlace = "\xF5key\xF5key";
inline constexpr std::string_view kNumberPlace = "\xF5num\xF5num";
inline constexpr std::string_view kTextPlace = "\xF5text-of-number\xF5";
inline constexpr std::string_view kConnectionPlace =
    "\xF5"
    "con\xF5"
    "con";

static_assert(kKeyPlace.size() == 8 && kNumberPlace.size() == 8 && kConnectionPlace.size() == 8);
static_assert(kTextPlace.size() == 16);

// An _id that is new in every request.
bson::ObjectId fresh_id();
// An int64 that is new in every request.
std::int64_t fresh_number();

// A command as drivers send it: the body, and for writes their documents in a sequence of its own.
PreparedRequest op_msg(const bson::Document& body, std::string expect = {},
                       std::string_view sequence = {},
                       const std::vector<bson::Document>& documents = {});

}  // namespace restitch::bench
