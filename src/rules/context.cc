#include "rules/context.h"

namespace restitch::rules {

bson::Document RequestInfo::to_document() const {
  bson::Builder builder;
  builder.append("httpMethod", http_method);
  builder.append("httpReferrer", referrer);
  builder.append("httpUserAgent", user_agent);
  builder.append("rawQueryString", raw_query_string);
  builder.append("remoteIPAddress", remote_ip);
  builder.append("requestHeaders", headers);
  builder.append("service", service);
  builder.append("action", action);
  builder.append("webhookUrl", webhook_url);
  return std::move(builder).finish();
}

}  // namespace restitch::rules
