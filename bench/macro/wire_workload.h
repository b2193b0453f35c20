#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "bench/macro/request.h"

namespace restitch::bench {

// The collections of the wire benchmark, in the database `bench`: `items` holds documents of 240 B
// with ObjectIds, `usertable` the records of YCSB (a string key, ten fields of 100 B; a fifth as
// many as there are items), `writes` what the timed inserts write.
inline constexpr std::size_t kItemsPerRecord = 5;

// Creates and fills the collections; `usertable` if wanted.
std::vector<PreparedRequest> loading_requests(std::size_t items, bool with_records);

// Creates an ascending index.
std::vector<PreparedRequest> index_requests(std::string_view collection, std::string_view field);

// Empties `writes`.
std::vector<PreparedRequest> reset_requests();

// The requests of a case, to be sent over and over. std::invalid_argument for an unknown name.
// `ping`, `find`, `insert`, `insert retryable`, `insert many`, `update`, `scan`, `group`, `ycsb a`,
// `ycsb b`, `ycsb c`, `ycsb e`; `scan all` reads the whole collection in one batch, for load beside
// another measurement.
std::vector<PreparedRequest> case_requests(std::string_view name, std::size_t items);

}  // namespace restitch::bench
