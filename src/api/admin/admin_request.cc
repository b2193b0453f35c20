#include "api/admin/admin_request.h"

#include "bson/extended_json.h"

namespace restitch::api::admin {

std::optional<std::string> AdminRequest::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

AdminReply AdminReply::of(bson::View document, int status) {
  return {status, bson::to_json(document, bson::JsonMode::kRelaxed)};
}

AdminReply AdminReply::of_list(const std::vector<bson::Document>& list, int status) {
  AdminReply reply{status, "["};
  for (const bson::Document& document : list) {
    if (reply.body.size() > 1) reply.body.push_back(',');
    bson::append_json(reply.body, bson::Value::object(document.view()), bson::JsonMode::kRelaxed);
  }
  reply.body.push_back(']');
  return reply;
}

Result<bson::Value> json_body(const net::HttpRequest& request) {
  if (request.body().find_first_not_of(" \t\r\n") == std::string_view::npos) return bson::Value();
  bson::JsonOptions plain;
  plain.extended = false;
  auto parsed = bson::parse_json_with(request.body(), plain);
  if (!parsed) {
    return Error(ErrorCode::kBadRequest,
                 "invalid JSON in the request body: " + parsed.error().message());
  }
  return std::move(parsed->value);
}

Result<bson::Document> object_body(const net::HttpRequest& request) {
  RESTITCH_TRY(const bson::Value value, json_body(request));
  if (value.view().is_nullish() || value.view().as_string() == "") return bson::Document();
  const auto object = value.view().as_object();
  if (!object) return Error(ErrorCode::kBadRequest, "the request body must be a JSON object");
  return bson::Document(*object);
}

Result<std::string> required_text(bson::View body, std::string_view name) {
  std::string text = text_or_empty(body, name);
  if (!text.empty()) return text;
  const bool has_other_type = !body.find(name).is_nullish() && !body.find(name).as_string();
  return Error(has_other_type ? ErrorCode::kInvalidArgument : ErrorCode::kMissingParameter,
               "'" + std::string(name) + "' is a required string");
}

std::string text_or_empty(bson::View body, std::string_view name) {
  return std::string(body.find(name).as_string().value_or(""));
}

std::vector<std::string> comma_separated(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (comma != 0) parts.emplace_back(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return parts;
}

}  // namespace restitch::api::admin
