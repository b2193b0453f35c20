#include "cli/http_client.h"

#include <curl/curl.h>

#include <csignal>
#include <memory>
#include <mutex>
#include <string_view>

namespace restitch::cli {
namespace {

constexpr std::size_t kMaxAnswerBytes = std::size_t{1} << 30U;

volatile std::sig_atomic_t interrupted = 0;
volatile std::sig_atomic_t calls_are_allowed = 0;

extern "C" void note_interrupt(int /*signal*/) {
  if (interrupted != 0) std::_Exit(130);  // a second Ctrl-C ends at once
  interrupted = 1;
}

bool must_stop() { return interrupted != 0 && calls_are_allowed == 0; }

struct Cleanup {
  void operator()(CURL* call) const { curl_easy_cleanup(call); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(curl_mime* mime) const { curl_mime_free(mime); }
};
using CallPtr = std::unique_ptr<CURL, Cleanup>;
using ListPtr = std::unique_ptr<curl_slist, Cleanup>;
using MimePtr = std::unique_ptr<curl_mime, Cleanup>;

std::size_t receive(char* data, std::size_t size, std::size_t count, void* target) {
  auto* body = static_cast<std::string*>(target);
  if (body->size() + size * count > kMaxAnswerBytes) return 0;
  body->append(data, size * count);
  return size * count;
}

int watch(void* call, curl_off_t /*to_receive*/, curl_off_t /*received*/, curl_off_t to_send,
          curl_off_t sent) {
  const auto* http = static_cast<const HttpCall*>(call);
  if (http->progress && to_send > 0) {
    http->progress(static_cast<std::uint64_t>(sent), static_cast<std::uint64_t>(to_send));
  }
  return must_stop() ? 1 : 0;
}

std::string header_of(CURL* call, const char* name) {
  curl_header* header = nullptr;
  if (curl_easy_header(call, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return {};
  return header->value;
}

// filename="…" or filename=… of a Content-Disposition.
std::string file_name_in(std::string_view disposition) {
  constexpr std::string_view kKey = "filename=";
  const std::size_t at = disposition.find(kKey);
  if (at == std::string_view::npos) return {};
  std::string_view rest = disposition.substr(at + kKey.size());
  if (rest.starts_with('"')) {
    rest.remove_prefix(1);
    return std::string(rest.substr(0, rest.find('"')));
  }
  return std::string(rest.substr(0, rest.find(';')));
}

MimePtr multipart(CURL* curl, const HttpCall& call) {
  MimePtr mime(curl_mime_init(curl));
  for (const HttpPart& part : call.parts) {
    curl_mimepart* target = curl_mime_addpart(mime.get());
    curl_mime_name(target, part.name.c_str());
    curl_mime_data(target, part.content.data(), part.content.size());
    if (!part.file_name.empty()) curl_mime_filename(target, part.file_name.c_str());
    if (!part.content_type.empty()) curl_mime_type(target, part.content_type.c_str());
  }
  return mime;
}

void set_body(CURL* curl, const HttpCall& call, const MimePtr& mime) {
  if (mime) {
    curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime.get());
  } else if (!call.body.empty() || call.method == "POST" || call.method == "PUT" ||
             call.method == "PATCH") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  }
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call.method.c_str());
}

std::string without_query(const std::string& url) { return url.substr(0, url.find('?')); }

}  // namespace

Result<HttpAnswer> exchange(const HttpCall& call) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  if (must_stop()) return Error(ErrorCode::kClosing, "interrupted");
  const CallPtr curl(curl_easy_init());
  curl_slist* list = nullptr;
  for (const std::string& header : call.headers) list = curl_slist_append(list, header.c_str());
  list = curl_slist_append(list, "Expect:");
  const ListPtr headers(list);
  const MimePtr mime = call.parts.empty() ? MimePtr() : multipart(curl.get(), call);
  HttpAnswer answer;
  char error[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_USERAGENT, "restitch/" RESTITCH_VERSION);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, 15L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, static_cast<long>(call.time_limit_seconds));
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &receive);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, &watch);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &call);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, error);
  set_body(curl.get(), call, mime);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_ABORTED_BY_CALLBACK) return Error(ErrorCode::kClosing, "interrupted");
  if (code != CURLE_OK) {
    return Error(ErrorCode::kSourceUnavailable,
                 "no answer from " + without_query(call.url) + ": " +
                     (error[0] != '\0' ? error : curl_easy_strerror(code)));
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  answer.content_type = header_of(curl.get(), "Content-Type");
  answer.file_name = file_name_in(header_of(curl.get(), "Content-Disposition"));
  return answer;
}

void end_calls_on_interrupt() {
  struct sigaction action {};
  action.sa_handler = &note_interrupt;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool was_interrupted() { return interrupted != 0; }

void allow_calls() { calls_are_allowed = 1; }

}  // namespace restitch::cli
