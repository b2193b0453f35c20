#include "rules/context.h"

namespace restitch::rules {

bson::Document RequestInfo::to_document() const {
  bson::Builder builder;
  const auto append_told = [&builder](const char* name, const std::string& text) {
    if (!text.empty()) builder.append(name, text);
  };
  append_told("httpMethod", http_method);
  append_told("httpReferrer", referrer);
  append_told("httpUserAgent", user_agent);
  builder.append("rawQueryString", raw_query_string);
  builder.append("remoteIPAddress", remote_ip);
  builder.append("requestHeaders", headers);
  append_told("service", service);
  append_told("action", action);
  append_told("webhookUrl", webhook_url);
  return std::move(builder).finish();
}

}  // namespace restitch::rules
