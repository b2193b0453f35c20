#include "datasource/data_source.h"

namespace restitch::datasource {

namespace {

Error error_of(bson::View details) {
  const auto code = static_cast<int>(details["code"].as_integer().value_or(1));
  bson::ValueView text = details["errmsg"];
  if (!text.as_string()) text = details["message"];
  ErrorCode kind = ErrorCode::kMongo;
  if (code == 112) kind = ErrorCode::kWriteConflict;
  if (code == 11000) kind = ErrorCode::kDuplicateKey;
  return Error(kind, code, std::string(text.as_string().value_or("unknown error")));
}

}  // namespace

std::optional<Error> error_of_reply(bson::View reply) {
  if (!reply["ok"].truthy()) return error_of(reply);
  if (const auto errors = reply["writeErrors"].as_array()) {
    for (const bson::Element& element : *errors) {
      if (const auto first = element.value.as_object()) return error_of(*first);
    }
  }
  if (const auto concern = reply["writeConcernError"].as_object()) return error_of(*concern);
  return std::nullopt;
}

}  // namespace restitch::datasource
