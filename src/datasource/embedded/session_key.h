#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "bson/document.h"

namespace restitch::datasource::embedded {

struct Operation;

// What tells sessions apart: the 16 bytes of the id that a client chose, then the owner, which is the
// SHA-256 of the user's full name or, for who has not signed in, of nothing. Two users who choose the
// same id have two sessions.
inline constexpr std::size_t kSessionIdBytes = 16;
inline constexpr std::size_t kSessionOwnerBytes = 32;

// Whether the session of a key is meant.
using SessionPicker = std::function<bool(std::string_view)>;

std::string session_owner(std::string_view full_name);
// Of the sessions that the operation may name.
std::string_view session_owner_of(const Operation& operation);

std::string session_key(std::string_view id, std::string_view owner);
// Of the session that the command names; empty if it names none. Any thread.
std::string session_key_of(const Operation& operation);
std::string_view owner_in(std::string_view session_key);
// Adds {id, uid} to an open document.
void append_session(bson::Builder& builder, std::string_view session_key);

}  // namespace restitch::datasource::embedded
