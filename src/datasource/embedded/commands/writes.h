#pragma once

#include <memory>

#include "datasource/embedded/change_log.h"
#include "datasource/embedded/write_command.h"

namespace restitch::datasource::embedded {

Result<std::unique_ptr<WriteCommand>> make_insert(Operation& operation);
Result<std::unique_ptr<WriteCommand>> make_update(Operation& operation);
Result<std::unique_ptr<WriteCommand>> make_delete(Operation& operation);
Result<std::unique_ptr<WriteCommand>> make_find_and_modify(Operation& operation);

// The time that replaces empty timestamps of inserted documents.
bson::Timestamp insert_time(const Operation& operation);
// 263 for the internal databases in a transaction, 73 for reserved collections.
Status check_writable(const Operation& operation, const Namespace& ns);

}  // namespace restitch::datasource::embedded
