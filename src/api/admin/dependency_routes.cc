#include <algorithm>

#include "api/admin/entities.h"
#include "api/admin/multipart.h"
#include "api/admin/routes.h"
#include "bson/extended_json.h"

namespace restitch::api::admin {
namespace {

constexpr Family kDependencies{"dependencies", "", ""};

bson::ObjectId app_id(const AdminRequest& request) { return request.app->identity().id; }

Task<Members> stored(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Value value,
                  co_await api.apps().store().extra(app_id(request), "dependencies"));
  co_return Members(value.view());
}

Result<Part> uploaded(const AdminRequest& request) {
  RESTITCH_TRY(const auto parts,
               parse_multipart(request.http.header("Content-Type"), request.http.body()));
  for (const Part& part : parts) {
    if (part.name == "file") return part;
  }
  return Error(ErrorCode::kMissingParameter, "the multipart body has no part 'file'");
}

// Names and versions of a package.json's dependencies; none of an archive's.
bson::Value list_of(const Part& file) {
  std::vector<bson::Value> list;
  const auto package = file.filename == "package.json" ? bson::parse_json_document(file.content)
                                                       : Result<bson::Document>(bson::Document());
  const auto members = package ? (*package)["dependencies"].as_object() : std::nullopt;
  for (const bson::Element& one : members.value_or(bson::View())) {
    const auto version = one.value.as_string();
    if (!version) continue;
    Members entry;
    entry.set("name", bson::Value::of(one.name));
    entry.set("version", bson::Value::of(*version));
    list.push_back(entry.value());
  }
  return app::array_of(list);
}

Task<AdminReply> put(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const Part file, uploaded(request));
  RESTITCH_CO_CHECK(co_await api.apps().put_packages(request.app, request.actor, file.filename,
                                                     std::string(file.content), list_of(file)));
  co_return AdminReply::empty();
}

Task<AdminReply> status(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const Members known, co_await stored(api, request));
  bson::Builder out;
  out.append("status", known.text("status"));
  out.append("status_message", known.text("status_message"));
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> fetch(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const Members known, co_await stored(api, request));
  bson::Builder out;
  out.append("_id", app_id(request).to_hex()).append("location", known.text("filename"));
  out.append("user_id", known.text("user_id"));
  out.append("last_modified", known["last_modified"].as_integer().value_or(0));
  out.append_array("dependencies_list", known["list"].as_array().value_or(bson::View()));
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> diff(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const Part file, uploaded(request));
  RESTITCH_CO_TRY(const Members known, co_await stored(api, request));
  std::map<std::string, std::string> before;
  std::map<std::string, std::string> after;
  for (const bson::Value& one : app::elements_of(known["list"])) {
    before[Members(one).text("name")] = Members(one).text("version");
  }
  const bson::Value sent = list_of(file);
  for (const bson::Value& one : app::elements_of(sent)) {
    after[Members(one).text("name")] = Members(one).text("version");
  }
  std::vector<bson::Value> added;
  std::vector<bson::Value> deleted;
  std::vector<bson::Value> modified;
  for (const auto& [name, version] : after) {
    const auto former = before.find(name);
    if (former != before.end() && former->second == version) continue;
    Members entry;
    entry.set("name", bson::Value::of(name));
    entry.set("version", bson::Value::of(version));
    if (former != before.end()) entry.set("previous_version", bson::Value::of(former->second));
    (former == before.end() ? added : modified).push_back(entry.value());
  }
  for (const auto& [name, version] : before) {
    if (after.contains(name)) continue;
    Members entry;
    entry.set("name", bson::Value::of(name));
    entry.set("version", bson::Value::of(version));
    deleted.push_back(entry.value());
  }
  Members out;
  out.set("added", app::array_of(added));
  out.set("deleted", app::array_of(deleted));
  out.set("modified", app::array_of(modified));
  co_return AdminReply::of(out.document());
}

Task<AdminReply> send(AdminApi& api, AdminRequest& request, bool as_archive) {
  RESTITCH_CO_TRY(const Members known, co_await stored(api, request));
  const std::string name = known.text("filename");
  if (name.empty()) co_return Error(ErrorCode::kNotFound, "no dependencies were uploaded");
  RESTITCH_CO_TRY(std::string bytes, co_await api.apps().read_packages(request.app, name));
  const bool is_zip = name.ends_with(".zip") && as_archive;
  AdminReply reply{200, std::move(bytes), "application/octet-stream"};
  reply.headers.emplace_back(
      "Content-Disposition",
      "attachment; filename=\"" + (is_zip ? "node_modules.zip" : name) + "\"");
  co_return reply;
}

Task<AdminReply> export_file(AdminApi& api, AdminRequest& request) {
  return send(api, request, false);
}
Task<AdminReply> archive(AdminApi& api, AdminRequest& request) { return send(api, request, true); }

}  // namespace

std::vector<Route> dependency_routes() {
  return {
      app_route("PUT", "/dependencies", kDependencies, &put),
      app_route("GET", "/dependencies", kDependencies, &fetch),
      app_route("GET", "/dependencies/status", kDependencies, &status),
      app_route("POST", "/dependencies/diff", kDependencies, &diff),
      app_route("GET", "/dependencies/export", kDependencies, &export_file),
      app_route("GET", "/dependencies/archive", kDependencies, &archive),
  };
}

}  // namespace restitch::api::admin
