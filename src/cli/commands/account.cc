#include "cli/registry.h"

namespace restitch::cli {
namespace {

struct LoginOptions {
  std::string api_key, private_api_key, auth_type = "cloud", username, password;
};

// Every group of a key but the last one as stars; a single group as a whole.
std::string redacted(const std::string& key) {
  const std::size_t last = key.rfind('-');
  std::string out = key;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool is_shown = last != std::string::npos && i > last;
    if (out[i] != '-' && !is_shown) out[i] = '*';
  }
  return out;
}

Result<std::string> given_or_asked(Session& session, const std::string& given,
                                   const std::string& question, bool is_secret) {
  if (!given.empty()) return given;
  const auto answer =
      is_secret ? session.terminal().ask_secret(question) : session.terminal().ask(question);
  if (answer && !answer->empty()) return *answer;
  return setup_error(question + " is needed");
}

Status login(Session& session, const LoginOptions& options) {
  Connection connection;
  RESTITCH_TRY(connection.url, session.server_url());
  RESTITCH_TRY(Profile * profile, session.profile());
  const bool is_local = options.auth_type == "local" || !options.username.empty();
  if (is_local) {
    RESTITCH_TRY(connection.username, given_or_asked(session, options.username, "Username", false));
    RESTITCH_TRY(connection.password, given_or_asked(session, options.password, "Password", true));
  } else {
    RESTITCH_TRY(connection.public_key,
                 given_or_asked(session, options.api_key, "Public API Key", false));
    RESTITCH_TRY(connection.private_key,
                 given_or_asked(session, options.private_api_key, "Private API Key", true));
  }
  const std::string former = is_local ? profile->get("username") : profile->get("public_api_key");
  const std::string own = is_local ? connection.username : connection.public_key;
  if (!former.empty() && former != own) {
    const auto agreed = session.terminal().confirm(
        "This action will terminate the existing session for user: " + former +
        ", would you like to proceed?");
    if (agreed == false) return {};
  }
  AdminApi api(connection, profile);
  for (const char* key : {"access_token", "refresh_token", "public_api_key", "private_api_key",
                          "username", "password"}) {
    profile->set(key, "");
  }
  profile->set("realm_base_url", connection.url);
  profile->set("public_api_key", connection.public_key);
  profile->set("private_api_key", connection.private_key);
  profile->set("username", connection.username);
  profile->set("password", connection.password);
  RESTITCH_CHECK(api.sign_in());
  RESTITCH_CHECK(profile->save());
  session.terminal().say("Successfully logged in");
  return {};
}

Status logout(Session& session) {
  RESTITCH_TRY(Profile * profile, session.profile());
  const bool was_in = !profile->get("access_token").empty();
  for (const char* key : {"access_token", "refresh_token", "public_api_key", "private_api_key",
                          "username", "password"}) {
    profile->set(key, "");
  }
  RESTITCH_CHECK(profile->save());
  session.terminal().say(was_in ? "Successfully logged out" : "No user is currently logged in");
  return {};
}

Status whoami(Session& session) {
  RESTITCH_TRY(const Profile* profile, session.profile());
  const std::string key = profile->get("public_api_key");
  const std::string user = key.empty() ? profile->get("username") : key;
  Terminal& terminal = session.terminal();
  if (user.empty()) {
    terminal.say("No user is currently logged in");
  } else if (profile->get("access_token").empty()) {
    terminal.say("The user, " + user + ", is not currently logged in");
  } else {
    const std::string secret =
        key.empty() ? profile->get("password") : profile->get("private_api_key");
    terminal.say("Currently logged in user: " + user + " (" + redacted(secret) + ")");
  }
  return {};
}

Status list_profiles(Session& session) {
  const std::vector<std::string> names = Profile::names();
  if (names.empty()) {
    session.terminal().say("No available profiles to show");
    return {};
  }
  session.terminal().list("Found " + std::to_string(names.size()) + " profile(s)", names);
  return {};
}

}  // namespace

void add_account_commands(Registry& registry) {
  const auto options = std::make_shared<LoginOptions>();
  CLI::App* login_command =
      registry.command(nullptr, "login", "Log in to a server and keep the session in the profile",
                       "login", [options](Session& session) { return login(session, *options); });
  login_command->add_option("--api-key", options->api_key,
                            "Public API key (admin.json: publicApiKey)");
  login_command->add_option("--private-api-key", options->private_api_key,
                            "Private API key (admin.json: privateApiKey); asked for when left out");
  login_command
      ->add_option("--auth-type", options->auth_type,
                   "cloud (API key) or local (user and password)")
      ->check(CLI::IsMember({"cloud", "local"}))
      ->capture_default_str();
  login_command->add_option("--username", options->username, "Administrator of --auth-type local");
  login_command->add_option("--password", options->password, "Password of --auth-type local");
  registry.command(nullptr, "logout", "Forget the session and the credentials of the profile",
                   "logout", &logout);
  registry.command(nullptr, "whoami", "Tell who is logged in", "whoami", &whoami);
  CLI::App* profiles = registry.group("profiles", "Profiles of the command line");
  profiles->alias("profile");
  registry.command(profiles, "list", "List the profiles", "profiles list", &list_profiles)
      ->alias("ls");
}

}  // namespace restitch::cli
