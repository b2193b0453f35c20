"""Accounts over their life: users brought from elsewhere, keys that change, devices, idle guests, equal answers."""

import base64
import concurrent.futures
import hashlib
import json
import pathlib
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from black_box import Refused, request_json
from python_packages import provide_packages
from restitch_process import RestitchProcess

PASSWORD = "corr3ct-horse"
MEMBERS = str(pathlib.Path(__file__).resolve().parent.parent / "http/apps/members")


def passlib(content):
    return base64.b64encode(content).decode().rstrip("=").replace("+", ".")


def foreign_hashes():
    """The same password as several systems keep it; those of crypt(3) are fixed."""
    salt = b"saltsalt"
    sha256 = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 1000)
    scrypt = hashlib.scrypt(PASSWORD.encode(), salt=salt, n=16, r=8, p=1, dklen=32)
    return {
        "bcrypt": "$2b$04$abcdefghijklmnopqrstuuHDQDzQjtFwmp/W7rhIxgmELZ.3.jVtO",
        "pbkdf2": f"$pbkdf2-sha256$1000${passlib(salt)}${passlib(sha256)}",
        "django": f"pbkdf2_sha256$1000$saltsalt${base64.b64encode(sha256).decode()}",
        "scrypt": f"$scrypt$ln=4,r=8,p=1${passlib(salt)}${passlib(scrypt)}",
        "sha512": "$6$rounds=1000$saltsalt$/6x/3DVUf2dzhw6eqp8uAjHuD79sUSbfGzdQSb7WH6vUUTUUC2quM9O6BZpdNEby.IjqYx9oKUyECfBmutaI10",
    }


def user_id(number):
    return f"{number:024x}"


class OwnServer:
    """A server of its own for one test, with the MongoDB endpoint to look into its state."""

    def __init__(self, bench, options=()):
        self._bench = bench
        self._folder = tempfile.TemporaryDirectory(prefix="restitch-accounts-")
        self.data = f"{self._folder.name}/data"
        self._options = ["--wire", "127.0.0.1:0", *options]
        self._start()

    def _start(self):
        self.process = RestitchProcess(self._bench.binary, self.data, [self._bench.directories[0], MEMBERS],
                                       self._options).wait_until_ready()
        self.url = self.process.url

    def restart(self):
        assert self.process.stop() == 0, self.process.log_tail()
        self._start()

    def state(self):
        provide_packages()
        import pymongo
        return pymongo.MongoClient("127.0.0.1", self.process.wire_port, directConnection=True)["__restitch"]

    def run(self, *arguments, given=""):
        return subprocess.run([self._bench.binary, *arguments, "--data", self.data], input=given, text=True,
                              capture_output=True, timeout=60)

    def import_users(self, app, *lines):
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        return self.run("users", "import", "-", "--app", app, given=text)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            code = self.process.stop()
            assert kind or code == 0, self.process.log_tail()
        finally:
            self.process.kill()
            self._folder.cleanup()


def login(url, app, email, password=PASSWORD):
    return request_json("POST", f"{url}/api/client/v2.0/app/{app}/auth/providers/local-userpass/login",
                        {"username": email, "password": password})


def guest(url, app, **options):
    return request_json("POST", f"{url}/api/client/v2.0/app/{app}/auth/providers/anon-user/login", options)


def profile(url, session):
    return request_json("GET", f"{url}/api/client/v2.0/auth/profile", token=session["access_token"])


def refresh(url, session):
    return request_json("POST", f"{url}/api/client/v2.0/auth/session", token=session["refresh_token"])


def refusal_of(action):
    try:
        answer = action()
    except Refused as refusal:
        return refusal.status, refusal.body
    raise AssertionError(f"not refused: {answer}")


def status_of(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


# ---- Users from elsewhere


def test_imported_users_keep_ids_and_passwords_and_get_better_hashes(bench):
    with OwnServer(bench) as server:
        hashes = foreign_hashes()
        lines = [{"id": user_id(100 + n), "email": f"{kind}@example.org", "password_hash": value}
                 for n, (kind, value) in enumerate(hashes.items())]
        done = server.import_users("functions-aaaaa", *lines)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{len(lines)} users imported, 0 refused\n", ""), done
        for line in lines:
            wrong = refusal_of(lambda: login(server.url, "functions-aaaaa", line["email"], "wrong-horse"))
            assert (wrong[0], wrong[1]["error_code"]) == (401, "InvalidPassword"), wrong
            session = login(server.url, "functions-aaaaa", line["email"])
            assert session["user_id"] == line["id"], (line, session)
            shown = profile(server.url, session)
            assert shown["data"] == {"email": line["email"]}, shown
            kept = server.state().logins.find_one({"email": line["email"]})
            assert kept["password_hash"].startswith("$argon2id$"), kept
            assert login(server.url, "functions-aaaaa", line["email"])["user_id"] == line["id"]


def test_imported_users_may_have_identities_metadata_and_custom_data(bench):
    with OwnServer(bench) as server:
        as_the_admin_api_lists_them = {
            "_id": user_id(1), "type": "normal", "creation_date": 1600000000, "last_authentication_date": 1650000000,
            "disabled": False, "data": {"email": "ada@example.org"},
            "identities": [{"id": user_id(2), "provider_type": "local-userpass", "provider_id": user_id(3)},
                           {"id": "sub-7", "provider_type": "custom-token", "data": {"first": "Ada"}}],
            "password_hash": foreign_hashes()["bcrypt"]}
        done = server.import_users("functions-aaaaa", as_the_admin_api_lists_them)
        assert done.returncode == 0, done
        shown = profile(server.url, login(server.url, "functions-aaaaa", "ada@example.org"))
        assert [(entry["provider_type"], entry["id"]) for entry in shown["identities"]] == [
            ("local-userpass", user_id(2)), ("custom-token", "sub-7")], shown
        assert shown["data"] == {"email": "ada@example.org", "first": "Ada"}, shown

        done = server.import_users("members-abcde", {
            "id": user_id(5), "email": "bob", "password_hash": foreign_hashes()["pbkdf2"], "custom_data": {"points": 7}})
        assert done.returncode == 0, done
        session = login(server.url, "members-abcde", "bob")
        claims = json.loads(base64.urlsafe_b64decode(session["access_token"].split(".")[1] + "=="))
        assert claims["user_data"]["points"] in (7, {"$numberInt": "7"}) and claims["user_data"]["user"] == user_id(5), claims


def test_without_a_hash_the_password_is_reset_before_the_first_sign_in(bench):
    with OwnServer(bench) as server:
        assert server.import_users("functions-aaaaa", {"id": user_id(9), "email": "old@example.org"}).returncode == 0
        for password in ("", "!", PASSWORD):
            status, body = refusal_of(lambda: login(server.url, "functions-aaaaa", "old@example.org", password))
            assert (status, body["error_code"]) == (401, "InvalidPassword"), body
        request_json("POST", f"{server.url}/api/client/v2.0/app/functions-aaaaa/auth/providers/local-userpass/reset/call",
                     {"email": "old@example.org", "password": PASSWORD, "arguments": ["success"]})
        assert login(server.url, "functions-aaaaa", "old@example.org")["user_id"] == user_id(9)


def test_disabled_users_come_in_disabled(bench):
    with OwnServer(bench) as server:
        server.import_users("functions-aaaaa", {"id": user_id(9), "email": "off@example.org", "disabled": True,
                                                "password_hash": foreign_hashes()["bcrypt"]})
        status, body = refusal_of(lambda: login(server.url, "functions-aaaaa", "off@example.org"))
        assert (status, body["error_code"]) == (401, "UserDisabled"), body


def test_lines_that_cannot_be_imported_are_named_and_the_rest_is_stored(bench):
    with OwnServer(bench) as server:
        good = {"id": user_id(1), "email": "good", "password_hash": foreign_hashes()["bcrypt"]}
        done = server.import_users(
            "functions-aaaaa", good, "", "{", {"email": "x"}, {"id": user_id(2)}, {**good, "email": "other"},
            {**good, "id": user_id(3)}, {"id": user_id(4), "email": "e", "password_hash": "plain"},
            {"id": user_id(5), "identities": [{"id": "1", "provider_type": "oauth2-google"}]},
            {"id": user_id(6), "email": "f", "custom_data": {}}, {"id": user_id(7), "email": "z"})
        assert done.returncode == 1 and done.stdout == "2 users imported, 8 refused\n", done
        wrong = dict(line.split(": ", 1) for line in done.stderr.splitlines())
        assert sorted(wrong, key=lambda name: int(name[5:])) == [f"line {n}" for n in range(3, 11)], done.stderr
        assert "'id' must be 24 hex digits" in wrong["line 4"] and "'email'" in wrong["line 5"], wrong
        assert "taken" in wrong["line 6"] and "taken" in wrong["line 7"] and "no known form" in wrong["line 8"], wrong
        assert "oauth2-google" in wrong["line 9"] and "custom user data" in wrong["line 10"], wrong
        done = server.import_users("nowhere-aaaaa", good)
        assert done.returncode == 1 and "no app 'nowhere-aaaaa' is running" in done.stderr, done
    done = subprocess.run([bench.binary, "users", "import", "/nowhere", "--app", "a", "--data", "/nowhere"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "cannot read /nowhere" in done.stderr, done


# ---- Signing keys


def test_a_new_signing_key_logs_nobody_out(bench):
    with OwnServer(bench) as server:
        session = guest(server.url, "functions-aaaaa")
        done = server.run("signing-key", "rotate", "--app", "functions-aaaaa")
        assert done.returncode == 0, done
        assert profile(server.url, session)["user_id"] == session["user_id"]
        fresh = refresh(server.url, session)["access_token"]
        assert profile(server.url, {"access_token": fresh})["user_id"] == session["user_id"]
        server.restart()
        assert profile(server.url, session)["user_id"] == session["user_id"]
        assert profile(server.url, {"access_token": fresh})["user_id"] == session["user_id"]

        later = guest(server.url, "functions-aaaaa")
        done = server.run("signing-key", "rotate", "--app", "functions-aaaaa", "--forget-former")
        assert done.returncode == 0, done
        for void in (session, later):
            assert refusal_of(lambda: profile(server.url, void))[0] == 401
            assert refusal_of(lambda: refresh(server.url, void))[1]["error"] == "signature is invalid"
        assert profile(server.url, guest(server.url, "functions-aaaaa"))
        done = server.run("signing-key", "rotate", "--app", "nowhere-aaaaa")
        assert done.returncode == 1 and "cannot find app" in done.stderr, done


# ---- Devices


def test_devices_are_known_again_by_their_id_or_their_looks(bench):
    with OwnServer(bench) as server:
        url, app = server.url, "functions-aaaaa"
        assert guest(url, app)["device_id"] == "0" * 24
        request_json("POST", f"{url}/api/client/v2.0/app/{app}/auth/providers/local-userpass/register",
                     {"email": "ok", "password": PASSWORD})

        def sign_in(**device):
            return request_json("POST", f"{url}/api/client/v2.0/app/{app}/auth/providers/local-userpass/login",
                                {"username": "ok", "password": PASSWORD, "options": {"device": device}})

        first = sign_in(platform="iOS", deviceName="phone", sdkVersion="1")
        assert first["device_id"] not in ("", "0" * 24), first
        assert sign_in(platform="iOS", deviceName="phone", sdkVersion="2")["device_id"] == first["device_id"]
        other = sign_in(platform="iOS", deviceName="tablet")
        assert other["device_id"] != first["device_id"]
        again = sign_in(platform="iOS", deviceName="renamed", deviceId={"$oid": first["device_id"]})
        assert again["device_id"] == first["device_id"]
        for index in range(60):
            sign_in(platform="x" * 1000, deviceName=f"many-{index}")
        devices = list(server.state().devices.find({}))
        assert len(devices) == 50 and all(len(d["fields"].get("platform", "")) <= 256 for d in devices), len(devices)
        session = login(url, app, "ok")
        request_json("DELETE", f"{url}/api/client/v2.0/auth/delete", token=session["access_token"])
        assert server.state().devices.count_documents({}) == 0


# ---- Idle guests


def test_anonymous_users_are_deleted_after_90_idle_days(bench):
    import datetime
    with OwnServer(bench) as server:
        url, app = server.url, "functions-aaaaa"
        idle, other, young, linked = (guest(url, app) for _ in range(4))
        request_json("POST", f"{url}/api/client/v2.0/app/{app}/auth/providers/local-userpass/register",
                     {"email": "ok", "password": PASSWORD})
        request_json("POST", f"{url}/api/client/v2.0/app/{app}/auth/providers/local-userpass/login?link=true",
                     {"username": "ok", "password": PASSWORD}, linked["access_token"])
        users = server.state().users
        provide_packages()
        from bson import ObjectId
        now = datetime.datetime.now(datetime.timezone.utc)

        def age(session, days):
            users.update_one({"_id": ObjectId(session["user_id"])},
                             {"$set": {"last_authenticated": now - datetime.timedelta(days=days)}})

        for session in (idle, other, linked):
            age(session, 91)
        age(young, 89)
        server.restart()
        url = server.url
        users = server.state().users
        deadline = time.monotonic() + 20
        while users.find_one({"_id": ObjectId(idle["user_id"])}) and time.monotonic() < deadline:
            time.sleep(0.05)
        left = {str(user["_id"]) for user in users.find({}, {"_id": 1})}
        assert left == {young["user_id"], linked["user_id"]}, (left, idle, other)
        assert refusal_of(lambda: refresh(url, idle))[1]["error_code"] == "InvalidSession"

        refresh(url, young)  # a sign of life
        age(young, 200)
        server.restart()
        time.sleep(1)
        assert server.state().users.find_one({"_id": ObjectId(young["user_id"])})
        refresh(server.url, young)


# ---- Equal answers


def test_an_unknown_email_takes_as_long_as_a_wrong_password(bench):
    off = [f"--attempt-limit={name}=0" for name in ("sign-in-account", "sign-in-address")]
    with OwnServer(bench, off) as server:
        app = "functions-aaaaa"
        request_json("POST", f"{server.url}/api/client/v2.0/app/{app}/auth/providers/local-userpass/register",
                     {"email": "known", "password": PASSWORD})

        def measure(email):
            started = time.perf_counter()
            answer = refusal_of(lambda: login(server.url, app, email, "wrong-horse"))
            return time.perf_counter() - started, (answer[0], answer[1]["error"], answer[1]["error_code"])

        known, unknown = [], []
        for index in range(60):
            for email, times in (("known", known), (f"unknown-{index}", unknown)):
                elapsed, answer = measure(email)
                times.append(elapsed)
                assert answer == (401, "unauthorized", "InvalidPassword"), answer
        for quantile in (1, 2):  # the lower quartile and the median: noise of the machine is in the upper half
            a, b = (statistics.quantiles(times, n=4)[quantile - 1] for times in (known, unknown))
            assert abs(a - b) < 0.15 * max(a, b), (quantile, a, b)


def test_a_storm_of_sign_ins_does_not_stop_other_requests(bench):
    off = [f"--attempt-limit={name}=0" for name in ("sign-in-account", "sign-in-address")]
    with OwnServer(bench, off) as server:
        session = guest(server.url, "functions-aaaaa")
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            storm = [pool.submit(refusal_of, lambda: login(server.url, "functions-aaaaa", "nobody", "wrong-horse"))
                     for _ in range(150)]
            slowest = 0
            while not all(attempt.done() for attempt in storm):
                started = time.monotonic()
                profile(server.url, session)
                slowest = max(slowest, time.monotonic() - started)
            answers = {attempt.result()[0] for attempt in storm}
        assert answers <= {401, 429}, answers
        assert slowest < 1, slowest


# ---- IP access lists


def test_an_access_list_names_who_may_reach_the_app(bench):
    provide_packages()
    from bson import ObjectId
    with OwnServer(bench, ["--trusted-proxy", "127.0.0.1"]) as server:
        def allow(*addresses):
            entries = [{"_id": ObjectId(), "address": address, "comment": ""} for address in addresses]
            server.state().apps.update_one({"client_app_id": "functions-aaaaa"}, {"$set": {"access_list": entries}})
            server.restart()

        def locate(address):
            request = urllib.request.Request(f"{server.url}/api/client/v2.0/app/functions-aaaaa/location",
                                             headers={"X-Forwarded-For": address, "Origin": "http://app.example.org"})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status, json.loads(answer.read())
            except urllib.error.HTTPError as error:
                assert error.headers["Access-Control-Allow-Origin"] is None
                return error.code, json.loads(error.read())

        for address in ("192.0.2.1", "2001:db8::1"):
            assert locate(address)[0] == 200, "a new app is open to all"
        session = guest(server.url, "functions-aaaaa")
        allow("192.0.2.0/24", "2001:db8::7")
        for address, status in (("192.0.2.200", 200), ("2001:db8::7", 200), ("192.0.3.1", 403), ("2001:db8::8", 403)):
            assert locate(address)[0] == status, address
        status, body = locate("198.51.100.1")
        assert (status, body["error"], body["error_code"]) == (403, "ip address is not allowed", "DomainNotAllowed"), body
        status, body = refusal_of(lambda: profile(server.url, session))  # from 127.0.0.1; the app is known by the token
        assert (status, body["error_code"]) == (403, "DomainNotAllowed"), body
        allow()
        assert locate("192.0.2.200")[0] == 403, "an empty list lets nobody in"
        allow("0.0.0.0/0")
        assert locate("2001:db8::9")[0] == 200
        assert profile(server.url, session)["user_id"] == session["user_id"]


# ---- Users who may not any more


def test_disabled_and_revoked_users_are_refused_on_every_route(bench):
    provide_packages()
    from bson import ObjectId
    with OwnServer(bench) as server:
        app = "functions-aaaaa"
        root = "/api/client/v2.0"
        request_json("POST", f"{server.url}{root}/app/{app}/auth/providers/local-userpass/register",
                     {"email": "ok", "password": PASSWORD})
        session = login(server.url, app, "ok")

        def change(**fields):
            server.state().users.update_one({"_id": ObjectId(session["user_id"])}, {"$set": fields})
            server.restart()  # what another program writes into the state is seen after seconds otherwise

        def answers():
            call = base64.b64encode(json.dumps({"name": "watch", "service": "main", "arguments": []}).encode()).decode()
            routes = [("GET", "/auth/profile", "access_token"), ("POST", f"/app/{app}/functions/call", "access_token"),
                      ("GET", f"/app/{app}/functions/call?baas_request={call}", "access_token"),
                      ("PUT", f"/app/{app}/push/providers/x/registration", "access_token"),
                      ("POST", f"/app/{app}/graphql", "access_token"), ("POST", "/auth/session", "refresh_token"),
                      ("GET", "/auth/api_keys", "refresh_token")]
            found = {}
            for method, path, token in routes:
                status, body = refusal_of(lambda: request_json(method, server.url + root + path, token=session[token],
                                                               body={} if method == "POST" else None))
                found[path.split("?")[0], method] = (status, body.get("error_code"))
            return found

        change(disabled=True)
        assert set(answers().values()) == {(401, "InvalidSession"), (401, "UserDisabled")}, answers()
        assert answers()["/auth/session", "POST"] == (401, "UserDisabled")
        status, body = refusal_of(lambda: login(server.url, app, "ok"))
        assert (status, body["error"], body["error_code"]) == (401, "unauthorized", "UserDisabled"), body
        change(disabled=False)
        assert profile(server.url, session) and refresh(server.url, session) and login(server.url, app, "ok")

        import datetime
        change(not_before=datetime.datetime.now(datetime.timezone.utc))
        assert set(answers().values()) == {(401, "InvalidSession")}, answers()
        fresh = login(server.url, app, "ok")
        assert profile(server.url, fresh)["user_id"] == session["user_id"]


class Administrator:
    """The Admin API for one app, signed in with the server's own key pair."""

    def __init__(self, server, client_app_id):
        keys = json.loads(pathlib.Path(server.data, "admin.json").read_text())
        self._base = f"{server.url}/api/admin/v3.0"
        self._token = request_json("POST", f"{self._base}/auth/providers/mongodb-cloud/login",
                                   {"username": keys["publicApiKey"], "apiKey": keys["privateApiKey"]})["access_token"]
        group = f"{self._base}/groups/{keys['groupId']}/apps"
        apps = request_json("GET", group, token=self._token)
        self._app = next(f"{group}/{app['_id']}" for app in apps if app["client_app_id"] == client_app_id)

    def do(self, method, path, body=None):
        return request_json(method, self._app + path, body, self._token)


def test_what_an_administrator_does_to_a_user_counts_at_once(bench):
    with OwnServer(bench) as server:
        app = "functions-aaaaa"
        admin = Administrator(server, app)
        session = guest(server.url, app)
        user = f"/users/{session['user_id']}"
        assert profile(server.url, session)
        admin.do("PUT", f"{user}/disable")
        assert refusal_of(lambda: profile(server.url, session))[1]["error_code"] == "InvalidSession"
        assert refusal_of(lambda: refresh(server.url, session))[1]["error_code"] == "UserDisabled"
        admin.do("PUT", f"{user}/enable")
        assert profile(server.url, session) and refresh(server.url, session)
        admin.do("PUT", f"{user}/logout")
        for action in (profile, refresh):
            assert refusal_of(lambda: action(server.url, session))[1]["error_code"] == "InvalidSession"
        other = guest(server.url, app)
        admin.do("DELETE", f"/users/{other['user_id']}")
        for action in (profile, refresh):
            assert refusal_of(lambda: action(server.url, other))[1]["error_code"] == "InvalidSession"


def test_an_access_list_that_an_administrator_changes_counts_at_once(bench):
    with OwnServer(bench) as server:
        app = "functions-aaaaa"
        admin = Administrator(server, app)
        session = guest(server.url, app)
        entries = admin.do("GET", "/security/access_list")["allowed_ips"]
        assert [entry["address"] for entry in entries] == ["0.0.0.0/0"], entries
        admin.do("POST", "/security/access_list", {"address": "192.0.2.0/24", "comment": "office"})
        admin.do("DELETE", f"/security/access_list/{entries[0]['_id']}")
        status, body = refusal_of(lambda: profile(server.url, session))
        assert (status, body["error"], body["error_code"]) == (403, "ip address is not allowed", "DomainNotAllowed"), body
        assert status_of(f"{server.url}/app/{app}/endpoint/none") == 403
        admin.do("POST", "/security/access_list", {"address": "127.0.0.1"})
        assert profile(server.url, session)["user_id"] == session["user_id"]
        assert status_of(f"{server.url}/app/{app}/endpoint/none") == 404
