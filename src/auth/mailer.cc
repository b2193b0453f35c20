#include "auth/mailer.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "base/encoding.h"
#include "base/log.h"
#include "bson/types.h"

namespace restitch::auth {
namespace {

constexpr std::size_t kMaxAddressLength = 254;
constexpr std::size_t kBase64Line = 76;

std::string date_now() {
  char text[40];
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  const std::size_t size = std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S +0000", &parts);
  return {text, size};
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// A header's value: as it is, or as one encoded word (RFC 2047).
std::string header_text(std::string_view text) {
  return is_plain(text) ? std::string(text) : "=?UTF-8?B?" + to_base64(text) + "?=";
}

std::string message_of(const std::string& from, const std::string& to, const std::string& subject,
                       const std::string& text) {
  const std::string host = from.substr(from.rfind('@') + 1);
  std::string message = "From: " + from + "\r\nTo: " + to + "\r\nSubject: " + header_text(subject) +
                        "\r\nDate: " + date_now() + "\r\nMessage-ID: <" +
                        bson::ObjectId::generate().to_hex() + "@" + host +
                        ">\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: base64\r\n\r\n";
  const std::string encoded = to_base64(text);
  for (std::size_t at = 0; at < encoded.size(); at += kBase64Line) {
    message.append(encoded, at, kBase64Line).append("\r\n");
  }
  return message;
}

Status write_file(const std::string& folder, const std::string& message) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::string path = folder + "/" + bson::ObjectId::generate().to_hex() + ".eml";
  std::ofstream file(path, std::ios::binary);
  file << message;
  file.close();
  if (!file) return Error(ErrorCode::kIo, "the message cannot be written to the mailbox folder");
  RESTITCH_LOG(kInfo, kAuth, 3302, "No mail server is set; message written", {"file", path});
  return {};
}

}  // namespace

bool is_email_address(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == text.size() ||
      text.size() > kMaxAddressLength)
    return false;
  const bool has_forbidden = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '<' || c == '>' || c == ',' ||
           c == ';' || c == '"';
  });
  const std::string_view host = text.substr(at + 1);
  return !has_forbidden && host.front() != '.' && host.back() != '.' &&
         host.find("..") == std::string_view::npos;
}

Task<void> Mailer::send(std::string to, std::string subject, std::string text) {
  if (!is_email_address(to)) co_return Error(ErrorCode::kInvalidArgument, "email invalid");
  const std::string message = message_of(settings_.from, to, subject, text);
  if (settings_.smtp_url.empty()) co_return write_file(settings_.folder, message);
  net::MailServer server;
  server.url = settings_.smtp_url;
  net::MailMessage mail;
  mail.from = settings_.from;
  mail.to = std::move(to);
  mail.text = message;
  auto delivered = co_await outbound_.deliver(std::move(server), std::move(mail));
  if (!delivered) {
    RESTITCH_LOG(kError, kAuth, 3303, "Message not delivered",
                 {"error", delivered.error().message()}, {"detail", delivered.error().detail()});
  }
  co_return delivered;
}

}  // namespace restitch::auth
