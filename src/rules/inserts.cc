#include "rules/inserts.h"

#include <cstddef>
#include <optional>
#include <utility>

namespace restitch::rules {
namespace {

constexpr std::size_t kMostBytes = 12U << 20U;  // of a command, unless one document is larger
constexpr std::size_t kMostDocuments = 10'000;

// The command for the documents from `at` on, which is moved behind them.
bson::Builder next_command(const Insertion& insertion, std::size_t& at) {
  const std::vector<bson::Document>& documents = insertion.documents;
  bson::Builder command;
  command.append("insert", insertion.collection).open_array("documents");
  const std::size_t first = at;
  do {
    command.push(documents[at]);
    ++at;
  } while (at < documents.size() && at - first < kMostDocuments &&
           command.size() + documents[at].bytes().size() < kMostBytes);
  command.close();
  command.append("ordered", insertion.ordered);  // not every server knows the default
  if (insertion.options["bypassDocumentValidation"].truthy())
    command.append("bypassDocumentValidation", true);
  command.append("writeConcern", insertion.options["writeConcern"]);
  return command;
}

bool is_of_a_document(const Error& error) {
  return error.code() == ErrorCode::kDuplicateKey || error.code() == ErrorCode::kMongo;
}

}  // namespace

Task<void> insert_all(datasource::DataSource& source, const Insertion& insertion,
                      datasource::CallOptions call) {
  std::optional<Error> first;
  for (std::size_t at = 0; at < insertion.documents.size();) {
    bson::Builder command = next_command(insertion, at);
    auto stored =
        co_await datasource::run_command(source, insertion.database, std::move(command), call);
    if (stored) continue;
    // A failure ends a transaction.
    const bool goes_on = !insertion.ordered && call.transaction == nullptr;
    if (!goes_on || !is_of_a_document(stored.error())) co_return std::move(stored).error();
    if (!first) first = std::move(stored).error();
  }
  if (first) co_return std::move(*first);
  co_return Status();
}

}  // namespace restitch::rules
