#include "api/http_error.h"

#include <algorithm>

#include "bson/extended_json.h"

namespace restitch::api {

HttpError http_error_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return {400, "InvalidParameter"};
    case ErrorCode::kMissingParameter: return {400, "MissingParameter"};
    case ErrorCode::kBadRequest: return {400, "BadRequest"};
    case ErrorCode::kRefused: return {400, ""};
    case ErrorCode::kRequestTooLarge: return {413, "ReadSizeLimitExceeded"};
    case ErrorCode::kUnsupported: return {501, "NotCallable"};
    case ErrorCode::kUnauthenticated: return {401, ""};
    case ErrorCode::kAuthFailed: return {401, "AuthError"};
    case ErrorCode::kInvalidPassword: return {401, "InvalidPassword"};
    case ErrorCode::kInvalidSession: return {401, "InvalidSession"};
    case ErrorCode::kInvalidToken: return {401, ""};
    case ErrorCode::kWrongTokenType: return {401, ""};
    case ErrorCode::kAppMismatch: return {401, "UserAppDomainMismatch"};
    case ErrorCode::kUserDisabled: return {401, "UserDisabled"};
    case ErrorCode::kOriginNotAllowed: return {403, "DomainNotAllowed"};
    case ErrorCode::kPermissionDenied: return {400, "NoMatchingRuleFound"};
    case ErrorCode::kNoMatchingRule: return {403, "NoMatchingRuleFound"};
    case ErrorCode::kSchemaValidation: return {400, "SchemaValidationFailedWrite"};
    case ErrorCode::kNotFound: return {404, ""};
    case ErrorCode::kAppNotFound: return {404, ""};
    case ErrorCode::kUserNotFound: return {404, "UserNotFound"};
    case ErrorCode::kFunctionNotFound: return {404, "FunctionNotFound"};
    case ErrorCode::kServiceNotFound: return {404, "ServiceNotFound"};
    case ErrorCode::kServiceCommandNotFound: return {404, "ServiceCommandNotFound"};
    case ErrorCode::kAuthProviderNotFound: return {404, "AuthProviderNotFound"};
    case ErrorCode::kApiKeyNotFound: return {404, "APIKeyNotFound"};
    case ErrorCode::kApiKeyExists: return {409, "APIKeyAlreadyExists"};
    case ErrorCode::kApiKeyInUse: return {403, ""};
    case ErrorCode::kAccountNameInUse: return {409, "AccountNameInUse"};
    case ErrorCode::kUserAlreadyConfirmed: return {400, "UserAlreadyConfirmed"};
    case ErrorCode::kUserpassTokenInvalid: return {400, "UserpassTokenInvalid"};
    case ErrorCode::kFunctionSyntax: return {400, "FunctionSyntaxError"};
    case ErrorCode::kFunctionExecution: return {400, "FunctionExecutionError"};
    case ErrorCode::kExecutionTimeLimit: return {400, "ExecutionTimeLimitExceeded"};
    case ErrorCode::kFunctionInterrupted: return {500, "InternalServerError"};
    case ErrorCode::kHttpAction: return {400, "HTTPError"};
    case ErrorCode::kRestrictedHost: return {400, "RestrictedHost"};
    case ErrorCode::kMongo: return {400, "MongoDBError"};
    case ErrorCode::kWriteConflict: return {400, "MongoDBError"};
    case ErrorCode::kDuplicateKey: return {400, "MongoDBError"};
    case ErrorCode::kSourceUnavailable: return {503, "MongoDBError"};
    case ErrorCode::kTooManyRequests: return {429, ""};
    case ErrorCode::kClosing: return {503, ""};
    case ErrorCode::kDeadlineExceeded: return {400, "ExecutionTimeLimitExceeded"};
    case ErrorCode::kWouldBlock:
    case ErrorCode::kIo:
    case ErrorCode::kCorrupt:
    case ErrorCode::kInternal: return {500, "InternalServerError"};
  }
  return {500, "InternalServerError"};
}

net::HttpResponse error_response(const Error& error, const std::string& link) {
  net::HttpResponse response =
      error_response(http_error_of(error.code()), error.message(), link);
  if (response.status == 429)
    response.set("Retry-After", std::to_string(std::max(1, error.retry_after_seconds())));
  return response;
}

net::HttpResponse error_response(const HttpError& mapped, std::string_view message,
                                 const std::string& link) {
  bson::Builder body;
  body.append("error", message);
  if (!mapped.error_code.empty()) body.append("error_code", mapped.error_code);
  if (!link.empty()) body.append("link", link);
  net::HttpResponse response;
  response.status = mapped.status;
  response.set("Content-Type", "application/json");
  response.body = bson::to_json(std::move(body).finish().view(), bson::JsonMode::kRelaxed);
  return response;
}

}  // namespace restitch::api
