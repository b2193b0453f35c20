#include "api/pages/userpass_pages.h"

#include <string>

#include "auth/crypto.h"
#include "base/encoding.h"

namespace restitch::api::pages {
namespace {

constexpr std::string_view kStyle = R"css(
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1c2530; background: #f3f5f7; }
main { max-width: 24rem; margin: 12vh auto; padding: 2rem; background: #fff; border-radius: 12px; box-shadow: 0 2px 16px #0002; }
h1 { margin: 0 0 1rem; font-size: 1.3rem; }
label { display: block; margin: 0 0 1rem; }
input { display: block; box-sizing: border-box; width: 100%; margin-top: .25rem; padding: .6rem; font: inherit; border: 1px solid #9aa5b1; border-radius: 6px; }
button { width: 100%; padding: .7rem; font: inherit; font-weight: 600; color: #fff; background: #2457c5; border: 0; border-radius: 6px; cursor: pointer; }
button:disabled { opacity: .6; }
[role=status] { margin: 1rem 0 0; }
.bad { color: #a3201d; }
@media (prefers-color-scheme: dark) { body { color: #e8ecf0; background: #12161b; } main { background: #1d232b; } .bad { color: #ff9a94; } }
)css";

// The form's data-action names the route; a reset asks for the new password twice.
constexpr std::string_view kScript = R"js(
const form = document.querySelector("form");
const status = document.querySelector("[role=status]");
const query = new URLSearchParams(location.search);
const app = decodeURIComponent(location.pathname.split("/")[2]);
const show = (text, bad) => { status.textContent = text; status.className = bad ? "bad" : ""; };
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = { token: query.get("token") ?? "", tokenId: query.get("tokenId") ?? "" };
  const password = form.elements.password;
  if (password) {
    if (password.value !== form.elements.again.value) return show("The two passwords differ.", true);
    body.password = password.value;
  }
  form.querySelector("button").disabled = true;
  show("One moment …");
  try {
    const url = `/api/client/v2.0/app/${encodeURIComponent(app)}/auth/providers/local-userpass/${form.dataset.action}`;
    const answer = await fetch(url, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (answer.ok) {
      form.hidden = true;
      return show(form.dataset.done);
    }
    const error = await answer.json().catch(() => ({}));
    show(error.error_code === "UserpassTokenInvalid" || error.error === "invalid token data"
      ? "This link has expired or was used already. Ask for a new one in the app."
      : `That did not work: ${error.error ?? answer.status}.`, true);
  } catch {
    show("The server cannot be reached.", true);
  }
  form.querySelector("button").disabled = false;
});
)js";

constexpr std::string_view kConfirmForm =
    R"html(<h1>Confirm your e-mail address</h1>
<form data-action="confirm" data-done="Your e-mail address is confirmed. You can sign in to the app now.">
<button>Confirm</button>
</form>)html";

constexpr std::string_view kResetForm =
    R"html(<h1>Choose a new password</h1>
<form data-action="reset" data-done="Your password is changed. You can sign in to the app with it now.">
<label>New password <input type="password" name="password" minlength="6" maxlength="128" autocomplete="new-password" required></label>
<label>Once more <input type="password" name="again" autocomplete="new-password" required></label>
<button>Change password</button>
</form>)html";

std::string page_of(std::string_view title, std::string_view form) {
  std::string html = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>)html";
  html.append(title)
      .append("</title>\n<style>")
      .append(kStyle)
      .append("</style>\n<main>\n")
      .append(form);
  html.append("\n<p role=\"status\"></p>\n</main>\n<script>")
      .append(kScript)
      .append("</script>\n</html>\n");
  return html;
}

// Only this script and this style run, and only this server is called.
std::string content_policy() {
  return "default-src 'none'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; "
         "base-uri 'none'; "
         "script-src 'sha256-" +
         to_base64(auth::sha256(kScript)) + "'; style-src 'sha256-" +
         to_base64(auth::sha256(kStyle)) + "'";
}

std::optional<std::string_view> page_name(std::string_view path) {
  constexpr std::string_view kPrefix = "/app/";
  if (!path.starts_with(kPrefix)) return std::nullopt;
  path.remove_prefix(kPrefix.size());
  const std::size_t slash = path.find('/');
  if (slash == 0 || slash == std::string_view::npos) return std::nullopt;
  return path.substr(slash + 1);
}

}  // namespace

std::optional<net::HttpResponse> userpass_page(std::string_view method, std::string_view path) {
  static const std::string kConfirmPage = page_of("Confirm your e-mail address", kConfirmForm);
  static const std::string kResetPage = page_of("Choose a new password", kResetForm);
  static const std::string kPolicy = content_policy();
  const auto name = page_name(path);
  if (!name || (*name != "confirm" && *name != "reset") || method != "GET") return std::nullopt;
  net::HttpResponse response;
  response.set("Content-Type", "text/html; charset=utf-8");
  response.set("Content-Security-Policy", kPolicy);
  response.set("Cache-Control", "no-store");
  response.set("Referrer-Policy", "no-referrer");
  response.set("X-Content-Type-Options", "nosniff");
  response.body = *name == "confirm" ? kConfirmPage : kResetPage;
  return response;
}

}  // namespace restitch::api::pages
