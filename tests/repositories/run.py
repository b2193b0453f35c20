#!/usr/bin/env python3
"""Apps that are deployed from git repositories (see README.md)."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "support"))
sys.path.insert(0, str(TESTS / "admin"))
sys.dont_write_bytecode = True

from admin_client import AdminClient, AppUser  # noqa: E402
from black_box import Tally, suite_options  # noqa: E402
from git_repository import GitRepository  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402

USER, PASSWORD = "unique_user@domain.com", "password"
SECRET = "a secret of webhooks"


class Server:
    def __init__(self, binary):
        self.binary = binary
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="restitch-repositories-"))
        self.start()

    def start(self, options=("--file-repositories",)):
        # A server finds what its operator has set up for git; here that is nothing.
        self.process = RestitchProcess(
            self.binary, str(self.scratch / "data"), [],
            ["--admin-user", USER, "--admin-password", PASSWORD, *options],
            environment={"HOME": str(self.scratch), "RESTITCH_LOG_DAYS": "10"}).wait_until_ready()

    def restart(self, options=("--file-repositories",)):
        assert self.process.stop() == 0
        self.start(options)

    def administrator(self, name):
        admin = AdminClient(self.process.url)
        admin.login()
        admin.create_app(name)
        return admin

    def repository(self, name):
        folder = self.scratch / name
        folder.mkdir()
        return GitRepository(folder)

    def close(self):
        self.process.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)


def write_app(repository, name, greeting, folder=""):
    """An app of one function, for anonymous users."""
    repository.write(f"{folder}realm_config.json", json.dumps({"config_version": 20210101, "name": name}))
    repository.write(f"{folder}auth/providers.json", json.dumps({
        "anon-user": {"name": "anon-user", "type": "anon-user", "disabled": False},
        "api-key": {"name": "api-key", "type": "api-key", "disabled": True}}))
    repository.write(f"{folder}functions/config.json", json.dumps([{"name": "greet", "private": False}]))
    repository.write(f"{folder}functions/greet.js", f"exports = () => {json.dumps(greeting)};\n")


def link(admin, repository, status=204, **members):
    return admin.patch("/deploy/config", {"automatic_deployment": {
        "enabled": True, "repository": repository if isinstance(repository, str) else repository.url,
        "poll_seconds": 0, **members}}, status)


def look(admin, status=202):
    admin.post("/deploy/check", status=status)


def automatic(admin):
    return admin.get("/deploy/config")["automatic_deployment"]


def eventually(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.05)


def checked(admin, commit, status):
    """Waits until a look has ended so; what came of it."""
    def ended():
        last = automatic(admin).get("last_check")
        return last if last and (last["commit"], last["status"]) == (commit, status) else None

    last = eventually(ended)
    assert last, (commit, status, automatic(admin))
    return last


def greeting(admin):
    user = AppUser(admin)
    user.login()
    return user.call("greet")


def test_a_push_deploys_the_branch(server):
    admin, repository = server.administrator("pushed"), server.repository("pushed")
    write_app(repository, "pushed", "hello")
    repository.write("README.md", "Not part of the app.")
    os.symlink("README.md", repository.work / "link")
    first = repository.push()
    link(admin, repository)
    assert checked(admin, first, "successful")["error"] == ""
    assert greeting(admin) == "hello"
    [deployment] = admin.get("/deployments")
    assert (deployment["commit"], deployment["origin"], deployment["status"]) == (first, "GITHUB", "successful")
    repository.write("functions/greet.js", "exports = () => 'good day';\n")
    repository.write("values/answer.json", '{"name": "answer", "value": 42}')
    second = repository.push()
    look(admin)
    checked(admin, second, "successful")
    assert greeting(admin) == "good day"
    assert [one["commit"] for one in admin.get("/deployments")] == [second, first]
    # What the directory no longer has is gone; the app's secrets stay.
    admin.post("/secrets", {"name": "kept", "value": "x"})
    repository.remove("values/answer.json")
    checked_third = repository.push()
    look(admin)
    checked(admin, checked_third, "successful")
    assert admin.get("/values") == [] and [one["name"] for one in admin.get("/secrets")] == ["kept"]
    # A commit that changes nothing of the app is no deployment.
    repository.write("README.md", "Something else.")
    fourth = repository.push()
    look(admin)
    checked(admin, fourth, "successful")
    assert len(admin.get("/deployments")) == 3
    [entry] = eventually(lambda: [one for one in admin.get("/logs?type=DEPLOYMENT")["logs"] if one["commit"] == fourth])
    assert "error" not in entry and entry["repository"] == repository.url, entry
    assert not list((server.scratch / "data/repositories").iterdir())


def test_a_commit_that_does_not_validate_leaves_the_app(server):
    admin, repository = server.administrator("broken"), server.repository("broken")
    write_app(repository, "broken", "hello")
    good = repository.push()
    link(admin, repository)
    checked(admin, good, "successful")
    repository.write("functions/greet.js", "exports = () => {;\n")
    bad = repository.push()
    look(admin)
    last = checked(admin, bad, "failed")
    assert "functions/greet.js" in last["error"], last
    assert greeting(admin) == "hello"
    newest = admin.get("/deployments")[0]
    assert (newest["commit"], newest["status"]) == (bad, "failed") and "greet.js" in newest["status_error_message"]
    failed = eventually(lambda: admin.get("/logs?type=DEPLOYMENT&errors_only")["logs"])
    assert [one["commit"] for one in failed] == [bad] and "greet.js" in failed[0]["error"], failed
    # It is tried once only.
    look(admin)
    time.sleep(1)
    assert len(admin.get("/deployments")) == 2
    repository.write("realm_config.json", "{")
    unparsable = repository.push()
    look(admin)
    assert "realm_config.json" in checked(admin, unparsable, "failed")["error"]
    repository.write("realm_config.json", json.dumps({"config_version": 20210101, "name": "another"}))
    repository.write("functions/greet.js", "exports = () => 'mended';\n")
    renamed = repository.push()
    look(admin)
    assert checked(admin, renamed, "failed")["error"] == "cannot change name of app from source control"
    repository.write("realm_config.json", json.dumps({"config_version": 20210101, "name": "broken"}))
    mended = repository.push()
    look(admin)
    checked(admin, mended, "successful")
    assert greeting(admin) == "mended"


def test_the_app_may_lie_in_a_directory_of_another_branch(server):
    admin, repository = server.administrator("inside"), server.repository("inside")
    repository.write("README.md", "Several apps.")
    nothing = repository.push()
    link(admin, repository, directory="apps/inside")
    assert checked(admin, nothing, "failed")["error"] == "the repository has no directory 'apps/inside'"
    link(admin, repository, directory="")
    assert "holds no configuration of an app" in checked(admin, nothing, "failed")["error"]
    write_app(repository, "inside", "from inside", "apps/inside/")
    commit = repository.push("release/1")
    link(admin, repository, branch="release/1", directory="apps/inside")
    checked(admin, commit, "successful")
    assert greeting(admin) == "from inside"
    link(admin, repository, branch="nowhere", directory="apps/inside")
    waiting = eventually(lambda: automatic(admin)["last_check"]["status"] == "waiting" and automatic(admin)["last_check"])
    assert waiting["error"] == "the repository has no branch 'nowhere'", waiting


def test_hosted_files_and_packages_come_along(server):
    admin, repository = server.administrator("files"), server.repository("files")
    write_app(repository, "files", "hello")
    repository.write("hosting/config.json", '{"enabled": true}')
    repository.write("hosting/files/index.html", "<h1>From git</h1>")
    repository.write("functions/package.json", '{"name": "files", "version": "1.0.0"}')
    commit = repository.push()
    link(admin, repository)
    checked(admin, commit, "successful")
    site = f"{server.process.url}/hosting/{admin.client_app_id}/"
    assert urllib.request.urlopen(site, timeout=10).read() == b"<h1>From git</h1>"
    assert admin.get("/dependencies/status")["status"] in ("created", "successful")


def webhook(admin, event="push", secret=SECRET, body=b'{"ref": "refs/heads/main"}', status=202):
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    answer = admin.raw("POST", admin.path("/deploy/webhook"), body, {
        "Content-Type": "application/json", "X-GitHub-Event": event, "X-Hub-Signature-256": f"sha256={signature}"})
    assert answer.status == status, (answer.status, answer.body)
    return answer.json


def test_a_signed_webhook_has_the_branch_looked_at(server):
    admin, repository = server.administrator("told"), server.repository("told")
    write_app(repository, "told", "hello")
    first = repository.push()
    webhook(admin, status=401)  # none is set up
    link(admin, repository, webhook_secret=SECRET)
    checked(admin, first, "successful")
    settings = automatic(admin)
    assert settings["has_webhook_secret"] is True and settings["has_access_token"] is False
    assert settings["webhook_url"] == server.process.url + admin.path("/deploy/webhook")
    assert SECRET not in json.dumps(settings)
    assert webhook(admin, "ping", status=200) == {"status": "pong"}
    assert webhook(admin, "issues", status=200) == {"status": "ignored"}
    repository.write("functions/greet.js", "exports = () => 'told';\n")
    second = repository.push()
    refused = webhook(admin, secret="wrong", status=401)
    assert refused == {"error": "the signature is not that of the webhook secret"}, refused
    time.sleep(1)
    assert greeting(admin) == "hello"
    assert webhook(admin) == {"status": "accepted"}
    checked(admin, second, "successful")
    assert greeting(admin) == "told"
    # What was read may be sent back; secrets that it does not name stay.
    link(admin, repository, **{name: value for name, value in automatic(admin).items()
                               if name not in ("enabled", "repository", "poll_seconds")})
    webhook(admin)
    admin.patch("/deploy/config", {"automatic_deployment": {"webhook_secret": ""}})
    webhook(admin, status=401)
    admin.patch("/deploy/config", {"automatic_deployment": {"enabled": False, "webhook_secret": SECRET}})
    webhook(admin, status=400)
    look(admin, status=400)
    assert admin.raw("POST", admin.path("/deploy/webhook").replace(admin.app, "0" * 24), b"").status == 404


def test_a_branch_is_looked_at_again_and_again(server):
    admin, repository = server.administrator("polled"), server.repository("polled")
    write_app(repository, "polled", "hello")
    checked_first = repository.push()
    link(admin, repository, poll_seconds=5)
    checked(admin, checked_first, "successful")
    repository.write("functions/greet.js", "exports = () => 'polled';\n")
    second = repository.push()
    checked(admin, second, "successful")
    # Also by a server that has just been started.
    server.process.stop()
    repository.write("functions/greet.js", "exports = () => 'started';\n")
    third = repository.push()
    server.start()
    fresh = AdminClient(server.process.url)
    fresh.login()
    fresh.app, fresh.client_app_id = admin.app, admin.client_app_id
    checked(fresh, third, "successful")
    assert greeting(fresh) == "started"


def test_a_deployment_waits_for_an_open_draft(server):
    admin, repository = server.administrator("drafted"), server.repository("drafted")
    write_app(repository, "drafted", "hello")
    first = repository.push()
    link(admin, repository)
    checked(admin, first, "successful")
    draft = admin.post("/drafts")["_id"]
    repository.write("functions/greet.js", "exports = () => 'waited';\n")
    second = repository.push()
    look(admin)
    assert checked(admin, first, "waiting")["error"] == "an administrator has a draft open"
    admin.delete(f"/drafts/{draft}")
    look(admin)
    checked(admin, second, "successful")
    assert greeting(admin) == "waited"


def test_a_repository_that_is_away_is_told_and_nothing_is_lost(server):
    admin, repository = server.administrator("away"), server.repository("away")
    write_app(repository, "away", "hello")
    commit = repository.push()
    link(admin, repository)
    checked(admin, commit, "successful")
    repository.away()
    look(admin)
    last = checked(admin, commit, "waiting")
    assert last["error"].startswith("git: ") and "shop.git" in last["error"], last
    assert greeting(admin) == "hello" and len(admin.get("/deployments")) == 1
    repository.back()
    look(admin)
    checked(admin, commit, "successful")
    assert len(admin.get("/deployments")) == 1


def test_links_that_are_wrong_are_refused(server):
    admin = server.administrator("refused")

    def refusal(url, **members):
        return link(admin, url, 400, **members)["error"]

    assert refusal("ext::sh -c whoami") == "'repository' must be a URL that begins with https:// or ssh://"
    assert refusal("https://user:word@example.org/a") == \
        "'repository' must hold no user and password; use 'access_token'"
    assert refusal("https://example.org/a", branch="--upload-pack=x") == "'branch' is no name of a branch"
    assert refusal("https://example.org/a", directory="../..").startswith("'directory' must be a path inside")
    assert refusal("") == "'repository' is needed for automatic deployment"
    assert refusal("https://example.org/a", access_token="a\nb").startswith("'access_token' must be a string of one line")
    assert refusal("https://example.org/a", provider="gitlab") == "'provider' must be github"
    assert automatic(admin) == {
        "enabled": False, "provider": "github", "installation_ids": [], "has_webhook_secret": False,
        "has_access_token": False, "webhook_url": server.process.url + admin.path("/deploy/webhook")}


def test_repositories_on_the_machine_are_the_operators_to_allow(server):
    admin, repository = server.administrator("local"), server.repository("local")
    write_app(repository, "local", "hello")
    commit = repository.push()
    link(admin, repository)
    checked(admin, commit, "successful")
    server.restart(options=())
    again = AdminClient(server.process.url)
    again.login()
    again.app = admin.app
    assert "the operator has not allowed" in link(again, repository, 400)["error"]
    look(again)
    assert "the operator has not allowed" in checked(again, commit, "waiting")["error"]
    server.restart()


def test_a_program_that_hangs_or_is_missing_is_told(server):
    admin, repository = server.administrator("hung"), server.repository("hung")
    server.restart(options=("--file-repositories", "--git", "/nonexistent/git"))
    again = AdminClient(server.process.url)
    again.login()
    again.app = admin.app
    link(again, repository)
    last = eventually(lambda: automatic(again).get("last_check"))
    assert last["error"] == "'/nonexistent/git' cannot be started: No such file or directory", last
    hanging = server.scratch / "hanging-git"
    hanging.write_text("#!/bin/sh\nsleep 100\n")
    hanging.chmod(0o755)
    server.restart(options=("--file-repositories", "--git", str(hanging)))
    again = AdminClient(server.process.url)
    again.login()
    again.app = admin.app
    look(again)
    time.sleep(0.5)
    started = time.monotonic()
    assert server.process.stop() == 0 and time.monotonic() - started < 15
    server.start()


def test_git_gets_the_access_token_for_its_repository_alone_and_nothing_else_of_the_server(server):
    admin = server.administrator("private")
    said, script = server.scratch / "said", server.scratch / "telling-git"
    script.write_text(f'#!/bin/sh\n{{ printf "argument %s\\n" "$@"; env; }} > {said}\necho "no way" >&2\nexit 1\n')
    script.chmod(0o755)
    server.restart(options=("--git", str(script)))
    again = AdminClient(server.process.url)
    again.login()
    again.app = admin.app
    link(again, "https://127.0.0.1:1/private.git", access_token=SECRET)
    last = eventually(lambda: automatic(again).get("last_check"))
    assert (last["status"], last["error"]) == ("waiting", "git: no way"), last
    lines = said.read_text().splitlines()
    arguments = [line for line in lines if line.startswith("argument ")]
    assert "argument ls-remote" in arguments and "argument https://127.0.0.1:1/private.git" in arguments, arguments
    token = base64.b64encode(f"x-access-token:{SECRET}".encode()).decode()
    assert not any(SECRET in line or token in line for line in arguments)
    for expected in ("GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=https:ssh", f"GIT_CONFIG_VALUE_0=Authorization: Basic {token}",
                     "GIT_CONFIG_KEY_0=http.https://127.0.0.1:1/private.git.extraHeader", "GIT_SSH_COMMAND=ssh -o BatchMode=yes"):
        assert expected in lines, (expected, lines)
    assert not any(line.startswith("RESTITCH_") for line in lines), lines
    assert not any(SECRET in line for line in server.process.log)
    server.restart()


def test_the_command_line_links_describes_and_unlinks(server):
    admin, repository = server.administrator("commanded"), server.repository("commanded")
    write_app(repository, "commanded", "hello")
    commit = repository.push()
    environment = {**os.environ, "RESTITCH_URL": server.process.url, "RESTITCH_DATA": str(server.scratch / "data"),
                   "RESTITCH_WEBHOOK_SECRET": SECRET, "XDG_CONFIG_HOME": str(server.scratch / "config")}

    def run(*arguments, code=0):
        said = subprocess.run([server.binary, *arguments, "--app", admin.client_app_id], env=environment, text=True,
                              capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
        assert said.returncode == code, said
        return said.stdout + said.stderr

    arguments = ("deploy", "configure", "--repository", repository.url, "--poll-seconds", "0", "--webhook-secret")
    assert "confirm with --yes" in run(*arguments, code=1)
    said = run(*arguments, "--yes")
    assert "Successfully enabled automatic deployment" in said and "/deploy/webhook" in said, said
    checked(admin, commit, "successful")
    described = run("deploy", "describe")
    assert commit in described and SECRET not in described
    assert commit in run("deployments", "list") and "GITHUB" in run("deployments", "list")
    repository.write("functions/greet.js", "exports = () => {;\n")
    bad = repository.push()
    run("deploy", "check")
    checked(admin, bad, "failed")
    assert "failed" in run("deployments", "list") and "greet.js" in run("deployments", "list")
    assert "Deployment" in run("logs", "list", "--type", "deployment")
    run("deploy", "disable")
    assert "automatic deployment is not enabled" in run("deploy", "check", code=1)


def main():
    options = suite_options(__doc__)
    server = Server(options.binary)
    tally = Tally()
    try:
        tally.run(globals(), options.only, server)
    finally:
        server.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
