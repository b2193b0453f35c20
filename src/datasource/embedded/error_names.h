#pragma once

#include <string>

namespace restitch::datasource::embedded {

// MongoDB error numbers this folder decides on by itself.
namespace code {
inline constexpr int kInternalError = 1;
inline constexpr int kBadValue = 2;
inline constexpr int kFailedToParse = 9;
inline constexpr int kUnauthorized = 13;
inline constexpr int kTypeMismatch = 14;
inline constexpr int kInvalidLength = 16;
inline constexpr int kIllegalOperation = 20;
inline constexpr int kNamespaceNotFound = 26;
inline constexpr int kIndexNotFound = 27;
inline constexpr int kCursorNotFound = 43;
inline constexpr int kNoMatchingDocument = 47;
inline constexpr int kNamespaceExists = 48;
inline constexpr int kMaxTimeExpired = 50;
inline constexpr int kCommandNotFound = 59;
inline constexpr int kCannotCreateIndex = 67;
inline constexpr int kIndexAlreadyExists = 68;
inline constexpr int kInvalidOptions = 72;
inline constexpr int kInvalidNamespace = 73;
inline constexpr int kUnknownWriteConcern = 79;
inline constexpr int kIndexOptionsConflict = 85;
inline constexpr int kIndexKeySpecsConflict = 86;
inline constexpr int kShutdownInProgress = 91;
inline constexpr int kUnsatisfiableWriteConcern = 100;
inline constexpr int kWriteConflict = 112;
inline constexpr int kConflictingOperation = 117;
inline constexpr int kTooLargeForCapped = 116;
inline constexpr int kDocumentValidation = 121;
inline constexpr int kCommandFailed = 125;
inline constexpr int kCappedPositionLost = 136;
inline constexpr int kCursorInUse = 143;
inline constexpr int kViewError = 166;
inline constexpr int kQueryPlanKilled = 175;
inline constexpr int kAmbiguousIndexKey = 181;
inline constexpr int kInvalidIndexOption = 197;
inline constexpr int kTransactionTooOld = 225;
inline constexpr int kCursorKilled = 237;
inline constexpr int kNotImplemented = 238;
inline constexpr int kSnapshotTooOld = 239;
inline constexpr int kSnapshotUnavailable = 246;
inline constexpr int kNoSuchTransaction = 251;
inline constexpr int kTransactionCommitted = 256;
inline constexpr int kTransactionTooLarge = 257;
inline constexpr int kInvalidResumeToken = 260;
inline constexpr int kNotInTransaction = 263;
inline constexpr int kFailPointSetFailed = 266;
inline constexpr int kIndexBuildAborted = 276;
inline constexpr int kChangeStreamFatal = 280;
inline constexpr int kHistoryLost = 286;
inline constexpr int kMemoryLimit = 292;
inline constexpr int kTransactionTooLong = 290;
inline constexpr int kExceededTimeLimit = 262;
inline constexpr int kInterrupted = 11601;
inline constexpr int kCannotGrowInCapped = 10003;
inline constexpr int kDuplicateKey = 11000;
inline constexpr int kInterruptedAtShutdown = 11600;
}  // namespace code


// MongoDB's codeName; `Location<code>` for numbers without one.
std::string error_name(int number);

}  // namespace restitch::datasource::embedded
