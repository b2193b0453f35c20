#pragma once

#include <cstdint>
#include <string_view>

namespace restitch {

// Every kind of failure the product knows. Each front door owns one table from these codes to its own
// world (HTTP status and `error_code`, MongoDB code, sync protocol error); nothing else invents a status.
enum class ErrorCode : std::uint16_t {
  // Malformed or unacceptable input.
  kInvalidArgument = 1,   // a value is of the wrong form, type or range
  kMissingParameter,      // a required member is absent
  kBadRequest,            // the request as a whole makes no sense
  kRefused,               // as kBadRequest, where clients expect no code beside the text
  kRequestTooLarge,       // over the documented request size
  kUnsupported,           // known to the protocol, not offered by this server
  // Identity and permission.
  kUnauthenticated,       // no usable credential
  kAuthFailed,            // the credential was refused (no further reason told)
  kInvalidPassword,       // user name or password wrong
  kInvalidSession,        // token expired, revoked or of an unknown session
  kInvalidToken,          // not parseable, or its signature is wrong
  kWrongTokenType,        // an access token where a refresh token is needed, or the reverse
  kAppMismatch,           // a token of another app
  kUserDisabled,
  kOriginNotAllowed,
  kPermissionDenied,
  kNoMatchingRule,        // no rule for the namespace, or a role denied the write
  kSchemaValidation,      // a written document breaks the collection schema
  // Things that are not there, or there already.
  kNotFound,              // route or resource without a code of its own
  kAppNotFound,
  kUserNotFound,
  kFunctionNotFound,
  kServiceNotFound,
  kServiceCommandNotFound,
  kAuthProviderNotFound,
  kApiKeyNotFound,
  kApiKeyExists,
  kApiKeyInUse,           // the key that the session signed in with cannot be deleted in it
  kAccountNameInUse,
  kUserAlreadyConfirmed,
  kUserpassTokenInvalid,
  // Functions.
  kFunctionSyntax,
  kFunctionExecution,
  kExecutionTimeLimit,
  kFunctionInterrupted,   // its worker died under it
  kHttpAction,            // an HTTP service or a gateway failed
  kRestrictedHost,        // an address that functions may not reach
  // Data sources.
  kMongo,                 // an error reported by a data source; the text is the source's
  kWriteConflict,         // transaction lost a race; may be retried
  kDuplicateKey,          // a unique key is taken
  kWouldBlock,            // the bytes are not in a cache; ask again from a thread that may wait
  kSourceUnavailable,
  // The server itself.
  kTooManyRequests,
  kClosing,               // shutting down
  kDeadlineExceeded,
  kIo,                    // disk or socket failed
  kCorrupt,               // stored bytes do not decode
  kInternal,
};

// Stable name for logs and metrics, e.g. "NoMatchingRule".
std::string_view name_of(ErrorCode code);

}  // namespace restitch
