#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "app/writing/members.h"
#include "base/result.h"
#include "bson/document.h"
#include "cli/http_client.h"
#include "cli/profile.h"

namespace restitch::cli {

using app::Members;

// Where the server is and who speaks to it.
struct Connection {
  std::string url;  // without a '/' at the end
  std::string public_key, private_key;
  std::string username, password;
  std::string access_token, refresh_token;
};

// What an app looks like in lists.
struct RemoteApp {
  std::string id, group_id, client_app_id, name;
  Members all;

  std::string path() const { return "/groups/" + group_id + "/apps/" + id; }
};

// The Admin API over HTTP. Errors hold the server's own message; `last_status` and
// `last_error_code` tell more about the last one.
class AdminApi {
 public:
  AdminApi(Connection connection, Profile* profile);

  const Connection& connection() const { return connection_; }

  // Signs in with the keys or the password of the connection.
  Status sign_in();

  // A call below /api/admin/v3.0 with a JSON body ("" = none). The answer as plain JSON; missing
  // when it is empty.
  Result<bson::Value> call(const std::string& method, const std::string& path,
                           const std::string& body = {});
  Result<bson::Value> get(const std::string& path) { return call("GET", path); }
  // The same for bodies and answers that are no JSON.
  Result<HttpAnswer> exchange_raw(HttpCall call, const std::string& path);

  Result<std::vector<std::string>> groups();
  // All apps of the groups, or those of one group.
  Result<std::vector<RemoteApp>> apps(const std::string& group_id = {});

  int last_status() const { return last_status_; }
  const std::string& last_error_code() const { return last_error_code_; }
  const Members& last_error() const { return last_error_; }

 private:
  Result<HttpAnswer> authorised(HttpCall call, const std::string& path);
  Status refresh();
  void remember_tokens() const;
  Error error_of(const HttpAnswer& answer);

  Connection connection_;
  Profile* profile_;  // null: nothing is kept
  int last_status_ = 0;
  std::string last_error_code_;
  Members last_error_;
};

// "?a=b&c=d", escaped; parameters with an empty value are left out.
std::string query(const std::vector<std::pair<std::string, std::string>>& parameters);

std::string to_text(const Members& object);
// Plain JSON; missing if it does not parse.
bson::Value parse_plain(const std::string& text);

}  // namespace restitch::cli
