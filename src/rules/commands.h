#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bson/document.h"
#include "datasource/client.h"
#include "rules/operation.h"

namespace restitch::rules {

// MongoDB commands as run for an operation. Options a command does not know are left out.

struct FindParts {
  bson::View filter, projection, sort;
  std::int64_t skip = 0, limit = 0;
  std::int32_t batch_size = 0;  // 0 = the source's default
};
bson::Builder find_command(const std::string& collection, const FindParts& parts,
                           bson::View options);
bson::Builder aggregate_command(const std::string& collection, bson::View pipeline,
                                bson::View options);
bson::Builder count_command(const std::string& collection, bson::View filter, std::int64_t skip,
                            std::int64_t limit, bson::View options);
// [{$match}, {$skip}, {$limit}, {$count: "n"}]: counting where the count command is not allowed.
bson::Document counting_pipeline(bson::View filter, std::int64_t skip, std::int64_t limit);
// Number of matching documents, by whichever command is allowed.
Task<std::int64_t> count_at_source(datasource::DataSource& source, const Operation& operation,
                                   bson::View filter, bson::View options,
                                   datasource::CallOptions call);
bson::Builder distinct_command(const std::string& collection, const std::string& key,
                               bson::View filter, bson::View options);

struct UpdateParts {
  bson::View filter;
  bson::ValueView update;
  bool multi = false, upsert = false;
  bson::View array_filters;
  bson::View options;
};
bson::Builder update_command(const std::string& collection, const UpdateParts& parts);
bson::Builder delete_command(const std::string& collection, bson::View filter, bool multi,
                             bson::View options);

struct FindAndModifyParts {
  bson::View filter, projection, sort;
  bson::ValueView update;  // missing = remove
  bool upsert = false, return_new = false;
  bson::View array_filters;
  bson::View options;
};
bson::Builder find_and_modify_command(const std::string& collection,
                                      const FindAndModifyParts& parts);

// {locale: "simple"} as the only option.
const bson::Document& binary_collation();

// Client results (spec: client-api §12.2).
bson::Value update_result(std::int64_t matched, std::int64_t modified, bson::ValueView upserted_id);
// From the reply of an update command.
bson::Value update_result_of(bson::View reply);
bson::Value deleted_result(std::int64_t count);

// $-operators on the top level?
bool has_operators(bson::ValueView update);
// What every operation must obey, whoever runs it. kInvalidArgument.
Status check_operation(const Operation& operation);

// One model of a bulk write ({"updateOne": {…}}) as an operation on the same collection.
Result<Operation> operation_of_model(const Operation& bulk, bson::View model);

}  // namespace restitch::rules
