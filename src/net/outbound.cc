#include "net/outbound.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <mutex>

namespace restitch::net {
namespace {

constexpr std::size_t kMaxCalls = 16;
constexpr std::size_t kMaxWaiting = 1'000;
constexpr long kMailTimeLimitMillis = 30'000;

struct Cleanup {
  void operator()(CURL* call) const { curl_easy_cleanup(call); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using CallPtr = std::unique_ptr<CURL, Cleanup>;
using ListPtr = std::unique_ptr<curl_slist, Cleanup>;
using UrlPtr = std::unique_ptr<CURLU, Cleanup>;

CallPtr make_call() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  CallPtr call(curl_easy_init());
  curl_easy_setopt(call.get(), CURLOPT_NOSIGNAL, 1L);
  return call;
}

// The host of a URL, for messages: the rest may hold secrets.
std::string host_of(const std::string& text) {
  const UrlPtr url(curl_url());
  char* host = nullptr;
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_HOST, &host, 0) != CURLUE_OK) {
    return "(no URL)";
  }
  std::string result(host);
  curl_free(host);
  return result;
}

Error unreachable(const std::string& url, CURLcode code) {
  return Error(ErrorCode::kSourceUnavailable, "no answer from " + host_of(url))
      .with_detail(curl_easy_strerror(code));
}

struct Received {
  std::string body;
  std::size_t max_bytes;
};

std::size_t receive(char* data, std::size_t size, std::size_t count, void* target) {
  auto* received = static_cast<Received*>(target);
  const std::size_t bytes = size * count;
  if (received->body.size() + bytes > received->max_bytes) return 0;  // ends the transfer
  received->body.append(data, bytes);
  return bytes;
}

std::optional<std::chrono::seconds> max_age_of(CURL* call) {
  curl_header* header = nullptr;
  if (curl_easy_header(call, "Cache-Control", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
    return std::nullopt;
  const std::string_view value(header->value);
  constexpr std::string_view kName = "max-age=";
  const std::size_t at = value.find(kName);
  if (at == std::string_view::npos) return std::nullopt;
  std::int64_t seconds = 0;
  const char* begin = value.data() + at + kName.size();
  if (std::from_chars(begin, value.data() + value.size(), seconds).ec != std::errc())
    return std::nullopt;
  return std::chrono::seconds(seconds);
}

Result<OutboundResponse> send_now(const OutboundRequest& request) {
  const CallPtr call = make_call();
  curl_slist* list = nullptr;
  for (const std::string& header : request.headers) list = curl_slist_append(list, header.c_str());
  if (!request.json.empty()) list = curl_slist_append(list, "Content-Type: application/json");
  const ListPtr headers(list);
  Received received{{}, request.max_bytes};
  curl_easy_setopt(call.get(), CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(call.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(call.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(request.time_limit.count()));
  curl_easy_setopt(call.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(call.get(), CURLOPT_USERAGENT, "restitch/" RESTITCH_VERSION);
  curl_easy_setopt(call.get(), CURLOPT_WRITEFUNCTION, &receive);
  curl_easy_setopt(call.get(), CURLOPT_WRITEDATA, &received);
  const std::string& body = request.json.empty() ? request.form : request.json;
  if (!body.empty()) {
    curl_easy_setopt(call.get(), CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(call.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  }
  const CURLcode code = curl_easy_perform(call.get());
  if (code != CURLE_OK) return unreachable(request.url, code);
  long status = 0;
  curl_easy_getinfo(call.get(), CURLINFO_RESPONSE_CODE, &status);
  OutboundResponse response;
  response.status = static_cast<int>(status);
  response.body = std::move(received.body);
  response.max_age = max_age_of(call.get());
  return response;
}

struct Unsent {
  std::string_view text;
};

std::size_t give(char* target, std::size_t size, std::size_t count, void* source) {
  auto* unsent = static_cast<Unsent*>(source);
  const std::size_t bytes = std::min(size * count, unsent->text.size());
  std::memcpy(target, unsent->text.data(), bytes);
  unsent->text.remove_prefix(bytes);
  return bytes;
}

Status deliver_now(const MailServer& server, const MailMessage& message) {
  const CallPtr call = make_call();
  const ListPtr recipients(curl_slist_append(nullptr, ("<" + message.to + ">").c_str()));
  const std::string sender = "<" + message.from + ">";
  Unsent unsent{message.text};
  curl_easy_setopt(call.get(), CURLOPT_URL, server.url.c_str());
  curl_easy_setopt(call.get(), CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(call.get(), CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_TRY));
  curl_easy_setopt(call.get(), CURLOPT_TIMEOUT_MS, kMailTimeLimitMillis);
  curl_easy_setopt(call.get(), CURLOPT_MAIL_FROM, sender.c_str());
  curl_easy_setopt(call.get(), CURLOPT_MAIL_RCPT, recipients.get());
  curl_easy_setopt(call.get(), CURLOPT_READFUNCTION, &give);
  curl_easy_setopt(call.get(), CURLOPT_READDATA, &unsent);
  curl_easy_setopt(call.get(), CURLOPT_UPLOAD, 1L);
  const CURLcode code = curl_easy_perform(call.get());
  if (code != CURLE_OK) return unreachable(server.url, code);
  return {};
}

}  // namespace

Outbound::Outbound() : pool_(kMaxCalls, kMaxWaiting) {}

Task<OutboundResponse> Outbound::send(OutboundRequest request) {
  const auto work = [request = std::move(request)] { return send_now(request); };
  auto response = co_await pool_.run(work);
  co_return response;
}

Task<void> Outbound::deliver(MailServer server, MailMessage message) {
  const auto work = [server = std::move(server), message = std::move(message)] {
    return deliver_now(server, message);
  };
  auto delivered = co_await pool_.run(work);
  co_return delivered;
}

}  // namespace restitch::net
