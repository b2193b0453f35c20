#!/usr/bin/env python3
"""Functions of a whole app against the real binary: the styles of real apps, npm packages, limits, deployments.

A function of app/functions tells in its first lines how it is called and what must come:
  // call: [arguments]     $HTTP and $SMTP stand for the servers of the test
  // gives: value          plain JSON or Extended JSON; absent: nothing is checked
  // fails: text           the error that the client sees
Several of these groups may follow each other.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from administrator import Administrator  # noqa: E402
from black_box import Refused, Tally, request_json, suite_options  # noqa: E402
from restitch_process import RestitchProcess, StartFailed  # noqa: E402
from sinks import HttpSink, SmtpSink  # noqa: E402


def plain(value):
    """Extended JSON with its numbers as plain ones, for comparing."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        if len(value) == 1:
            (name, text), = value.items()
            if name in ("$numberInt", "$numberLong"):
                return int(text)
            if name == "$numberDouble":
                return float(text)
        return {name: plain(item) for name, item in value.items()}
    return value


class App:
    def __init__(self, url, app_id="runtime-aaaaa"):
        self._root = f"{url}/api/client/v2.0"
        self._base = f"{self._root}/app/{app_id}"
        self.sign_in()

    def sign_in(self, device=None, account=None):
        """From a device of that id; as a new user, or with an e-mail account."""
        body = {**(account or {}), "options": {"device": {"deviceId": device}} if device else {}}
        provider = "local-userpass" if account else "anon-user"
        login = request_json("POST", f"{self._base}/auth/providers/{provider}/login", body)
        self._token, self.user_id = login["access_token"], login["user_id"]

    def register(self, email, password):
        """A new account, as sign_in() takes it."""
        request_json("POST", f"{self._base}/auth/providers/local-userpass/register", {"email": email, "password": password})
        return {"username": email, "password": password}

    def register_device(self, token, service="push"):
        request_json("PUT", f"{self._base}/push/providers/{service}/registration", {"registrationToken": token}, self._token)

    def deregister_device(self, service="push"):
        request_json("DELETE", f"{self._base}/push/providers/{service}/registration", None, self._token)

    def delete_account(self):
        request_json("DELETE", f"{self._root}/auth/delete", None, self._token)

    def call(self, name, *arguments, service=""):
        return request_json("POST", f"{self._base}/functions/call",
                            {"name": name, "arguments": list(arguments), "service": service}, self._token)


class Bench:
    """What the tests share: the binary, servers that functions talk to, and one running server."""

    def __init__(self, binary, root):
        self.binary = binary
        self.root = pathlib.Path(root)
        self.http = HttpSink()
        self.smtp = SmtpSink()
        self.options = ["--service-gateway", f"aws={self.http.url}/gateway",
                        "--service-gateway", f"gcm={self.http.url}/gateway"]
        self.server = self.start(HERE / "app", "main", *self.options)
        self.app = App(self.server.url)

    def start(self, directory, data, *options):
        server = RestitchProcess(self.binary, str(self.root / data), [str(directory)], options)
        return server.wait_until_ready(180)

    def copy(self, name, files):
        """A copy of the test app without its functions, with these files instead."""
        folder = self.root / name
        shutil.copytree(HERE / "app", folder, ignore=shutil.ignore_patterns("functions"))
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                target.write_bytes(text)
            else:
                target.write_text(text)
        return folder

    def expand(self, text):
        return text.replace('"$SMTP"', str(self.smtp.port)).replace("$HTTP", self.http.url)

    def close(self):
        self.server.stop()


def cases_of(text):
    """[(arguments, {"gives": value} or {"fails": text})] of a function's first lines."""
    cases = []
    for line in text.splitlines():
        kind, _, rest = line.removeprefix("// ").partition(": ")
        if not line.startswith("// ") or kind not in ("call", "gives", "fails"):
            break
        if kind == "call":
            cases.append((rest, {}))
        else:
            cases[-1][1][kind] = rest
    return cases


def check_functions(bench, folder):
    failures, count = [], 0
    # The names order the functions: some look at what an earlier one left behind.
    for path in sorted((HERE / "app/functions" / folder).rglob("*.[jt]s")):
        name = str(path.relative_to(HERE / "app/functions").with_suffix(""))
        for arguments, expected in cases_of(path.read_text()):
            count += 1
            try:
                got = {"gives": plain(bench.app.call(name, *json.loads(bench.expand(arguments))))}
            except Refused as refused:
                got = {"fails": refused.body["error"]}
            wanted = {kind: plain(json.loads(bench.expand(text))) if kind == "gives" else text
                      for kind, text in expected.items()}
            if wanted != got and (wanted or "fails" in got):
                failures.append(f"{name}{arguments}: expected {wanted}, got {got}")
    assert not failures, "\n".join(failures)
    assert count > 0
    return count


def test_functions_in_the_styles_of_real_apps(bench):
    check_functions(bench, "composed")


def test_real_packages(bench):
    check_functions(bench, "packages")
    message = bench.smtp.messages[-1].decode()
    assert "Subject: =?UTF-8?Q?Gr" in message and "attached" not in message, message


def pushed(bench, *user_ids):
    """The devices, as (user, device, token), that a message to the users has reached."""
    message = {"userIds": list(user_ids), "notification": {"title": "Hello"}}
    assert bench.app.call("composed/push_message", message)["did"] == "send"
    call = json.loads(bench.http.seen[-1][3])
    assert (call["service"], call["type"], call["arguments"]) == ("push", "gcm", [message]), call
    return [(one["userId"], one["deviceId"], one["registrationToken"]) for one in call["devices"]]


def test_push_messages_reach_the_devices_of_users(bench):
    ann, bob = App(bench.server.url), App(bench.server.url)
    phone, tablet = "5f4863e4d49bd2191ff1e623", "5f4863e4d49bd2191ff1e624"
    assert pushed(bench, ann.user_id) == []
    ann.sign_in(phone)
    ann.register_device("first")
    ann.register_device("renewed")
    bob.register_device("bobs")
    assert pushed(bench, ann.user_id) == [(ann.user_id, phone, "renewed")]
    assert sorted(pushed(bench, ann.user_id, bob.user_id, "nobody")) == sorted(
        [(ann.user_id, phone, "renewed"), (bob.user_id, "0" * 24, "bobs")])
    bob.sign_in(tablet)
    bob.register_device("tablet")
    bob.deregister_device()
    bob.deregister_device()
    assert pushed(bench, bob.user_id) == []
    ann.delete_account()
    assert pushed(bench, ann.user_id) == []


def test_of_a_user_the_newest_50_devices_get_messages(bench):
    user = App(bench.server.url)
    account = user.register("many@example.org", "corr3ct-horse")
    for number in range(51):
        user.sign_in(f"{number:024x}", account)
        user.register_device(f"token{number}")
    assert {token for _, _, token in pushed(bench, user.user_id)} == {f"token{number}" for number in range(1, 51)}


def test_a_push_message_without_users_names_no_devices(bench):
    bench.app.call("composed/push_message", {"to": "/topics/news", "notification": {"title": "Hello"}})
    assert "devices" not in json.loads(bench.http.seen[-1][3])


def test_a_push_message_that_may_not_be_sent(bench):
    for message, text in (({"userIds": ["x"]}, "no matching rule found for action 'send' of service 'push'"),
                          ({"userIds": "x", "notification": {"title": "Hello"}},
                           "expected 'userIds' to be an array of at most 1000 texts")):
        sent = len(bench.http.seen)
        try:
            bench.app.call("composed/push_message", message)
            raise AssertionError("was sent")
        except Refused as refused:
            assert text in refused.body["error"], refused.body
        assert len(bench.http.seen) == sent


def refusal_of(call):
    try:
        answer = call()
    except Refused as refused:
        return refused.status, refused.body["error_code"], refused.body["error"]
    raise AssertionError(f"answered {answer}")


def test_clients_call_services_under_the_services_rules(bench):
    def call(service, name, *arguments):
        return plain(bench.app.call(name, *arguments, service=service))

    answer = call("web", "get", {"url": f"{bench.http.url}/cookies"})
    assert (answer["status"], answer["statusCode"], answer["contentLength"]) == ("200 OK", 200, 2), answer
    assert answer["cookies"] == {"a": "1", "b": "2"} and answer["headers"]["Set-Cookie"] == ["a=1; Path=/", "b=2"]
    assert answer["body"] == {"$binary": {"base64": "e30=", "subType": "00"}}
    put = {"aws_service": "s3", "aws_action": "PutObject", "aws_arguments": {"Bucket": "open", "Key": "k"}}
    assert call("storage", "execute", put) == {"did": "PutObject", "of": "storage", "arguments": [put["aws_arguments"]]}
    assert bench.http.seen[-1][3] and json.loads(bench.http.seen[-1][3])["region"] == "eu-west-1"


def test_what_clients_are_told_of_services_that_refuse(bench):
    def refused(service, name, *arguments):
        return refusal_of(lambda: bench.app.call(name, *arguments, service=service))

    assert refused("web", "post", {"url": f"{bench.http.url}/echo", "body": "x"}) == (
        403, "NoMatchingRuleFound", "no matching rule found for action 'post' of service 'web'")
    assert refused("web", "steal", {}) == (404, "ServiceCommandNotFound", "command not found: 'steal' of service 'web'")
    assert refused("storage", "PutObject", {"Bucket": "open"}) == (
        404, "ServiceCommandNotFound", "command not found: 'PutObject' of service 'storage'")
    assert refused("sms", "send", {"to": "1", "from": "2", "body": "x"}) == (
        404, "ServiceCommandNotFound",
        "the action 'send' of service 'sms' is not available: the server has no gateway for it")
    aws = {"aws_service": "s3", "aws_action": "PutObject", "aws_arguments": {"Bucket": "closed"}}
    assert refused("storage", "execute", aws) == (
        403, "NoMatchingRuleFound", "no matching rule found for action 's3:PutObject' of service 'storage'")
    aws = {"aws_service": "s3", "aws_action": "Fail", "aws_arguments": {"Bucket": "open"}}
    assert refused("storage", "execute", aws) == (400, "HTTPError", "the bucket is closed")
    assert refused("web", "get", {"url": "http://169.254.169.254/"}) == (
        400, "RestrictedHost", "access to host '169.254.169.254' is restricted")
    assert refused("web", "get", {"url": "http://127.0.0.1:1/"})[:2] == (400, "HTTPError")
    assert refused("web", "get")[:2] == (400, "HTTPError")
    assert refused("nowhere", "get", {}) == (404, "ServiceNotFound", "service not found: 'nowhere'")


def test_calls_of_services_are_logged(bench):
    administrator = Administrator(bench.server.url, bench.root / "main", "runtime-aaaaa")
    wanted = {("web", "get", None), ("web", "post", "NoMatchingRuleFound"), ("storage", "execute", "HTTPError")}
    until = time.monotonic() + 30
    while wanted:  # entries are stored behind their requests
        assert time.monotonic() < until, f"no log entry of {wanted}"
        for entry in administrator.ask("GET", "/logs?type=SERVICE_FUNCTION")["logs"]:
            wanted.discard((entry["function_call"]["service"], entry["function_name"], entry.get("error_code")))
        time.sleep(0.1)


def test_second_start_installs_nothing(bench):
    bench.server.stop()
    bench.server = bench.start(HERE / "app", "main", *bench.options, "--npm", "/nonexistent")
    bench.app = App(bench.server.url)
    assert bench.app.call("packages/uuid")[0] == {"$numberInt": "36"}


def test_function_that_loops_in_one_app_does_not_hold_up_another(bench):
    loops = bench.copy("loops", {"functions/loop.js": "exports = () => { for (;;) {} };"})
    (loops / "realm_config.json").write_text('{"config_version": 20210101, "app_id": "loops-aaaaa", "name": "loops"}')
    server = RestitchProcess(bench.binary, str(bench.root / "loops-data"), [str(HERE / "app"), str(loops)],
                             ["--function-seconds", "4", "--function-workers", "2"]).wait_until_ready(180)
    try:
        looping, quick = App(server.url, "loops-aaaaa"), App(server.url)
        failures = []

        def loop():
            try:
                looping.call("loop")
            except Refused as refused:
                failures.append(refused.body["error_code"])

        threads = [threading.Thread(target=loop) for _ in range(6)]
        for thread in threads:
            thread.start()
        slowest, calls, until = 0, 0, time.monotonic() + 2.5
        while time.monotonic() < until:
            started = time.monotonic()
            assert quick.call("composed/recursion/factorial", 5) == {"$numberInt": "120"}
            slowest = max(slowest, time.monotonic() - started)
            calls += 1
        for thread in threads:
            thread.join()
        assert failures == ["ExecutionTimeLimitExceeded"] * 6, failures
        assert calls >= 10 and slowest < 1.5, (calls, slowest)
    finally:
        server.stop()


def workers_of(server):
    """The process ids of the server's function workers."""
    found = subprocess.run(["pgrep", "-P", str(server.pid), "node"], capture_output=True, text=True)
    return [int(line) for line in found.stdout.split()]


def test_a_killed_worker_costs_only_the_calls_that_it_ran(bench):
    folder = bench.copy("killed", {"functions/wait.js": "exports = () => new Promise(() => setInterval(() => {}, 1000));",
                                   "functions/quick.js": "exports = () => 7;"})
    server = bench.start(folder, "killed-data")
    try:
        app, refusals = App(server.url), []
        app.call("quick")

        def wait():
            try:
                app.call("wait")
            except Refused as refused:
                refusals.append(refused)

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.5)
        for worker in workers_of(server):
            os.kill(worker, signal.SIGKILL)
        waiting.join(20)
        (refused,) = refusals
        assert refused.status == 500, refused
        assert (refused.body["error_code"], refused.body["error"]) == (
            "InternalServerError", "function execution was interrupted"), refused.body
        assert app.call("quick") == {"$numberInt": "7"}
    finally:
        server.stop()


def wait_for_log(server, text, seconds=30):
    until = time.monotonic() + seconds
    while not any(text in line for line in list(server.log)):
        assert time.monotonic() < until, f"no '{text}' in\n{server.log_tail()}"
        time.sleep(0.05)


def test_watch_shows_the_console_and_deploys_what_changes(bench):
    folder = bench.copy("watched", {
        "functions/talk.js": "exports = (v) => { console.log('first', v, '\\u001b[31m'); return 1; };"})
    server = bench.start(folder, "watched-data", "--watch")
    try:
        app = App(server.url)
        app.call("talk", {"a": 1})
        wait_for_log(server, '[runtime-aaaaa/talk] first {"a":1} ?[31m')
        (folder / "functions/talk.js").write_text("exports = () => {\n  console.error('sec' + 'ond');\n  return ;;;(\n};")
        wait_for_log(server, "functions/talk.js: line 4, column 1: Unexpected token")
        assert app.call("talk", 2) == {"$numberInt": "1"}
        (folder / "functions/talk.js").write_text("exports = () => { console.error('second'); return 2; };")
        until = time.monotonic() + 30
        while app.call("talk") != {"$numberInt": "2"}:
            assert time.monotonic() < until
            time.sleep(0.2)
        wait_for_log(server, "[runtime-aaaaa/talk] error: second")
    finally:
        server.stop()


def test_inspector_listens_where_it_is_told(bench):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = bench.start(bench.copy("inspected", {"functions/f.js": "exports = () => 1;"}), "inspected-data",
                         "--inspect", f"127.0.0.1:{port}")
    try:
        targets = request_json("GET", f"http://127.0.0.1:{port}/json/list")
        assert targets[0]["type"] == "node", targets
        assert App(server.url).call("f") == {"$numberInt": "1"}
    finally:
        server.stop()


def test_type_declarations_name_what_the_app_has(bench):
    target = bench.root / "context.d.ts"
    checked = subprocess.run([bench.binary, "check", str(HERE / "app"), "--types", str(target)], capture_output=True,
                             text=True)
    assert checked.returncode == 0, checked
    text = target.read_text()
    for line in ('"composed/recursion/tree"', 'type ValueName = "settings";', '    "baseUrl": any;',
                 '    "mongodb-atlas": MongoClient;', '    "web": HttpClient;', "declare const context: Restitch.Context;"):
        assert line in text, line


def refused_start(bench, directory, data, *options):
    """The log of a server that refuses to start with the directory."""
    server = None
    try:
        server = bench.start(directory, data, *options)
    except StartFailed as failed:
        return str(failed)
    server.stop()
    raise AssertionError("the directory was accepted")


def test_packages_that_cannot_be_installed_refuse_the_deployment(bench):
    folder = bench.copy("no-npm", {"functions/package.json": '{"dependencies": {"a": "1"}}'})
    log = refused_start(bench, folder, "no-npm-data", "--npm", "/bin/false")
    assert "functions/package.json: npm cannot install it" in log, log
    (folder / "functions/package.json").write_text('{"dependencies": {"a": "file:../../secrets"}}')
    log = refused_start(bench, folder, "no-npm-data")
    assert "'a': 'file:../../secrets' is not a version of a package registry" in log, log


def test_uploaded_archive_is_used(bench):
    folder = bench.copy("archive", {"functions/hello.js": "exports = () => require('greeter')('you');"})
    with zipfile.ZipFile(folder / "functions/node_modules.zip", "w") as archive:
        archive.writestr("node_modules/greeter/index.js", "module.exports = (name) => `hello ${name}`;")
    server = bench.start(folder, "archive-data")
    try:
        assert App(server.url).call("hello") == "hello you"
    finally:
        server.stop()


BROKEN = {
    "functions/one.js": "exports = () => {\n  const = 1;\n};",
    "functions/deep/two.ts": "exports = (a: number) => a;\nenum Colour { Red }",
    "functions/three.js": "exports = (",
    "functions/fine.js": "const gone = require('gone');\nexports = () => require('lodash');",
    "functions/config.json": '[{"name": "one", "private": "maybe"}]',
}
BROKEN_LINES = [
    "functions/one.js: line 2, column 9: Unexpected token '='",
    "functions/deep/two.ts: line 2, column 1: TypeScript enum is not supported in strip-only mode",
    "functions/three.js: line 1, column 12: Unexpected end of input",
    "functions/config.json: /0/private: ",
]


def test_all_errors_of_sources_and_settings_are_told_at_once(bench):
    folder = bench.copy("broken", BROKEN)
    log = refused_start(bench, folder, "broken-data")
    checked = subprocess.run([bench.binary, "check", str(folder)], capture_output=True, text=True)
    assert checked.returncode == 1, checked
    for line in BROKEN_LINES:
        assert line in log and line in checked.stdout, (line, log, checked.stdout)
    warning = "warning: functions/fine.js: line 1: the module 'gone' is not installed; name it in functions/package.json"
    assert warning in checked.stdout, checked.stdout
    (folder / "functions/package.json").write_text("{}")
    checked = subprocess.run([bench.binary, "check", str(folder)], capture_output=True, text=True)
    assert "is not installed" not in checked.stdout, checked.stdout


def main():
    options = suite_options(__doc__)
    root = tempfile.mkdtemp(prefix="restitch-functions-")
    tally = Tally()
    bench = Bench(options.binary, root)
    try:
        tally.run(globals(), options.only, bench)
    finally:
        bench.close()
        shutil.rmtree(root, ignore_errors=True)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
