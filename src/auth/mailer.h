#pragma once

#include <string>

#include "net/outbound.h"
#include "runtime/task.h"

namespace restitch::auth {

struct MailSettings {
  std::string smtp_url;  // "": messages are written to `folder` instead
  std::string from = "no-reply@localhost";
  std::string folder;  // made when the first message is written
};

// Sends the messages that users get: plain text, UTF-8. Without a mail server each message becomes
// a file *.eml, so that development works offline. Thread-safe.
class Mailer {
 public:
  Mailer(net::Outbound& outbound, MailSettings settings)
      : outbound_(outbound), settings_(std::move(settings)) {}

  // kInvalidArgument when `to` cannot be an address, kSourceUnavailable or kIo when the message is
  // not taken.
  Task<void> send(std::string to, std::string subject, std::string text);

 private:
  net::Outbound& outbound_;
  MailSettings settings_;
};

// Whether the text has the form of an e-mail address: name@host without blanks and control
// characters.
bool is_email_address(std::string_view text);

}  // namespace restitch::auth
