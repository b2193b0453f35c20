#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/explain/decision_trace.h"
#include "rules/explain/explanation.h"
#include "rules/explain/permission_index.h"
#include "rules/explain/secret_mask.h"
#include "rules/update_plan.h"
#include "rules/user_request.h"

namespace restitch::rules {

// The reasons for what was decided about a document, from the trace of the decision. Where a
// decision has stopped at the first refusal, the code that decides is asked once more for each
// field. The request and the mask outlive it.
class DocumentReasons {
 public:
  DocumentReasons(UserRequest& request, const SecretMask& mask)
      : request_(request),
        mask_(mask),
        index_(request.rules.rules()),
        trace_(request.rules, index_, mask) {}

  DecisionTrace& trace() { return trace_; }

  // What the trace says about roles.
  DocumentReason begin(bson::ValueView id);
  // The role that applies; null for none.
  const RoleProgram* role() const;
  std::string of_reading() const;
  std::string of_writing() const;
  std::string of_hiding() const;

  // `program` of an update; null for a deletion.
  void add_refused_write(DocumentReason& reason, bson::View document, const UpdateProgram* program);
  void add_refused_insert(DocumentReason& reason, bson::View document);
  // Says of a `validate` expression why it does not hold.
  void add_violations(DocumentReason& reason, std::vector<schema::Violation> violations,
                      bson::View after, std::optional<bson::View> before);

 private:
  void add_refused_update(DocumentReason& reason, bson::View before, const UpdateProgram& program);
  void add_refused_deletion(DocumentReason& reason, bson::View document);
  // "read: it is true"; "" if the permission was not asked for.
  std::string text_of(std::string_view permission) const;
  // Takes the reason for a refusal from what the trace has seen of a write decision.
  void take_write_reason(DocumentReason& reason, const RoleProgram& applying, const char* last_gate,
                         std::optional<bson::View> before, std::optional<bson::View> after);
  // Why a validator does not hold; nothing when it does.
  std::optional<std::string> why_broken(const SchemaRules::Validator& validator,
                                        const std::string& path, bson::View after,
                                        std::optional<bson::View> before);

  UserRequest& request_;
  const SecretMask& mask_;
  const PermissionIndex index_;
  DecisionTrace trace_;
};

}  // namespace restitch::rules
