#include "base/error_codes.h"

namespace restitch {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "InvalidArgument";
    case ErrorCode::kMissingParameter: return "MissingParameter";
    case ErrorCode::kBadRequest: return "BadRequest";
    case ErrorCode::kRefused: return "Refused";
    case ErrorCode::kRequestTooLarge: return "RequestTooLarge";
    case ErrorCode::kUnsupported: return "Unsupported";
    case ErrorCode::kUnauthenticated: return "Unauthenticated";
    case ErrorCode::kAuthFailed: return "AuthFailed";
    case ErrorCode::kInvalidPassword: return "InvalidPassword";
    case ErrorCode::kInvalidSession: return "InvalidSession";
    case ErrorCode::kInvalidToken: return "InvalidToken";
    case ErrorCode::kWrongTokenType: return "WrongTokenType";
    case ErrorCode::kAppMismatch: return "AppMismatch";
    case ErrorCode::kUserDisabled: return "UserDisabled";
    case ErrorCode::kOriginNotAllowed: return "OriginNotAllowed";
    case ErrorCode::kPermissionDenied: return "PermissionDenied";
    case ErrorCode::kNoMatchingRule: return "NoMatchingRule";
    case ErrorCode::kSchemaValidation: return "SchemaValidation";
    case ErrorCode::kNotFound: return "NotFound";
    case ErrorCode::kAppNotFound: return "AppNotFound";
    case ErrorCode::kUserNotFound: return "UserNotFound";
    case ErrorCode::kFunctionNotFound: return "FunctionNotFound";
    case ErrorCode::kServiceNotFound: return "ServiceNotFound";
    case ErrorCode::kServiceCommandNotFound: return "ServiceCommandNotFound";
    case ErrorCode::kAuthProviderNotFound: return "AuthProviderNotFound";
    case ErrorCode::kApiKeyNotFound: return "ApiKeyNotFound";
    case ErrorCode::kApiKeyExists: return "ApiKeyExists";
    case ErrorCode::kApiKeyInUse: return "ApiKeyInUse";
    case ErrorCode::kAccountNameInUse: return "AccountNameInUse";
    case ErrorCode::kUserAlreadyConfirmed: return "UserAlreadyConfirmed";
    case ErrorCode::kUserpassTokenInvalid: return "UserpassTokenInvalid";
    case ErrorCode::kFunctionSyntax: return "FunctionSyntax";
    case ErrorCode::kFunctionExecution: return "FunctionExecution";
    case ErrorCode::kExecutionTimeLimit: return "ExecutionTimeLimit";
    case ErrorCode::kFunctionInterrupted: return "FunctionInterrupted";
    case ErrorCode::kHttpAction: return "HttpAction";
    case ErrorCode::kRestrictedHost: return "RestrictedHost";
    case ErrorCode::kMongo: return "Mongo";
    case ErrorCode::kWriteConflict: return "WriteConflict";
    case ErrorCode::kDuplicateKey: return "DuplicateKey";
    case ErrorCode::kWouldBlock: return "WouldBlock";
    case ErrorCode::kSourceUnavailable: return "SourceUnavailable";
    case ErrorCode::kTooManyRequests: return "TooManyRequests";
    case ErrorCode::kClosing: return "Closing";
    case ErrorCode::kDeadlineExceeded: return "DeadlineExceeded";
    case ErrorCode::kIo: return "Io";
    case ErrorCode::kCorrupt: return "Corrupt";
    case ErrorCode::kInternal: return "Internal";
  }
  return "Unknown";
}

}  // namespace restitch
