#include "datasource/embedded/validation.h"

#include "base/log.h"
#include "datasource/embedded/error_names.h"

namespace restitch::datasource::embedded {

Status check_document(const Collection& collection, bson::View document, const bson::View* before,
                      bson::Document& error_extra) {
  if (collection.validation_level == ValidationLevel::kOff) return {};
  const query::Filter& validator = *collection.validator->filter;
  const auto matched = validator.matches(document);
  if (matched && *matched) return {};
  if (collection.validation_level == ValidationLevel::kModerate && before != nullptr) {
    const auto was_valid = validator.matches(*before);
    if (!was_valid || !*was_valid) return {};
  }
  if (collection.validation_warns_only) {
    RESTITCH_LOG(kWarning, kSource, 5102, "Document would fail validation",
                 {"namespace", collection.full_name});
    return {};
  }
  bson::Builder extra;
  extra.open_object("errInfo");
  extra.append("failingDocumentId", document["_id"]);
  extra.append("details", validator.explain_mismatch(document));
  extra.close();
  error_extra = std::move(extra).finish();
  return mongo_error(code::kDocumentValidation, "Document failed validation");
}

}  // namespace restitch::datasource::embedded
