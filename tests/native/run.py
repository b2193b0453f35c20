#!/usr/bin/env python3
"""The native client core of the SDKs (Kotlin's build of realm-core 14.12.0) against the real binary on 127.0.0.1.

The core runs in this process and calls a callback for each HTTP request; nothing of it is changed. Its error numbers are
those of the SDKs: 4301 InvalidSession, 4346 AuthError, 4349 InvalidPassword, …"""

import functools
import itertools
import os
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "auth", HERE.parent / "support"):
    sys.path.insert(0, str(folder))
sys.dont_write_bytecode = True

import apps  # noqa: E402
import library  # noqa: E402
from black_box import Tally, suite_options  # noqa: E402
from core import Core, CoreError  # noqa: E402
from python_packages import provide_packages  # noqa: E402
from restitch_process import RestitchProcess, free_port  # noqa: E402
from tokens import hs256  # noqa: E402

PASSWORD = "corr3ct-horse"
NO_DEVICE = "0" * 24


class Bench:
    def __init__(self, binary):
        from providers import IdentityProvider
        self.binary = binary
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="restitch-native-"))
        self.provider = IdentityProvider()
        self.directories = apps.write_all(self.folder / "apps", self.provider.url)
        self.directories += [str(HERE.parents[1] / "examples/tasks"), str(HERE.parent / "http/apps/members")]
        self.core = Core(library.provide())
        self.servers = []
        self.server = self.start()
        self._numbers = itertools.count()

    def start(self, *options, apps=None):
        fakes = [f"--identity-provider={name}={self.provider.url}" for name in ("google", "facebook", "apple")]
        server = RestitchProcess(self.binary, str(self.folder / f"data{len(self.servers)}"),
                                 self.directories if apps is None else apps, [*fakes, *options]).wait_until_ready()
        self.servers.append(server)
        return server

    @functools.cached_property
    def nodes(self):
        """Two servers that share one state, which a third one keeps."""
        wire, key = free_port(), self.folder / "secret.key"
        key.write_bytes(os.urandom(32))
        keeper = self.start("--wire", f"127.0.0.1:{wire}", apps=[])
        shared = ("--state", f"mongodb://127.0.0.1:{wire}/__restitch_nodes?directConnection=true", "--secret-key", str(key))
        nodes = [self.start(*shared), self.start(*shared)]
        self.servers.remove(keeper)
        self.servers.append(keeper)  # to be stopped last
        return nodes

    def app(self, name, url=None):
        number = next(self._numbers)
        app_id = f"{name}-abcde" if name in ("tasks", "members") else f"{name}-aaaaa"
        return self.core.app(app_id, url or self.server.url, self.folder / f"client{number}")

    def email(self):
        return f"native-{next(self._numbers)}@example.org"

    def member(self, app):
        email = self.email()
        app.email("register_email", email, PASSWORD)
        return app.log_in("email_password", email, PASSWORD), email

    def stop(self):
        for server in self.servers:
            assert server.stop() == 0, server.log_tail()

    def close(self):
        for server in self.servers:
            server.kill()
        self.provider.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def refused(action, code, status, text):
    try:
        answer = action()
    except CoreError as error:
        assert (error.code, error.status) == (code, status), error
        assert text in error.message, error
        assert "/logs?co_id=" in error.link or status == 404, error.link
        return
    raise AssertionError(f"not refused: {answer}")


# ---- The app


def test_the_core_is_the_one_of_the_sdks(bench):
    assert bench.core.version == "14.12.0", bench.core.version


def test_the_location_is_asked_for_once_and_first(bench):
    app = bench.app("functions")
    app.log_in("anonymous", False)
    app.log_in("anonymous", False)
    paths = [path for _, path, _ in app.transport.requests]
    assert paths[0].endswith("/app/functions-aaaaa/location") and sum(p.endswith("/location") for p in paths) == 1, paths
    assert app.base_url == bench.server.url


def test_an_unknown_app_has_the_text_that_sdks_compare(bench):
    app = bench.app("nowhere")
    refused(lambda: app.log_in("anonymous", False), 4351, 404, "cannot find app using Client App ID 'nowhere-aaaaa'")


# ---- Signing in with every kind of credential


def test_anonymous_users(bench):
    app = bench.app("functions")
    first = app.log_in("anonymous", True)
    assert first.identities == ["anon-user"] and first.is_logged_in and first.profile == {}, first.identities
    assert app.log_in("anonymous", True).id == first.id
    assert app.log_in("anonymous", False).id != first.id


def test_email_and_password(bench):
    app = bench.app("functions")
    user, email = bench.member(app)
    assert user.identities == ["local-userpass"] and user.profile == {"email": email}, user.profile
    refused(lambda: app.log_in("email_password", email, "wrong-horse"), 4349, 401, "unauthorized")
    refused(lambda: app.log_in("email_password", bench.email(), PASSWORD), 4349, 401, "unauthorized")
    refused(lambda: app.email("register_email", email, PASSWORD), 4348, 409, "name already in use")
    refused(lambda: app.email("register_email", bench.email(), "x"), 4347, 400, "password must be between 6 and 128")


def test_custom_jwt(bench):
    app = bench.app("functions")
    user = app.log_in("jwt", hs256({"sub": "native", "email": "n@example.org"}))
    assert user.identities == ["custom-token"] and user.profile["email"] == "n@example.org", user.profile
    refused(lambda: app.log_in("jwt", hs256({"aud": "another"})), 4301, 401, "unauthorized")


def test_custom_function(bench):
    app = bench.app("functions")
    user = app.log_in("function", '{"how": "object", "name": "nina"}')
    assert user.identities == ["custom-function"] and user.profile == {"name": "Name of nina"}, user.profile
    refused(lambda: app.log_in("function", '{"how": "throw"}'), 4346, 401, "you shall not pass")


def test_google_facebook_and_apple(bench):
    keys, codes = bench.app("keys"), bench.app("codes")
    google = bench.provider.token({"sub": "g-native", "aud": "google-client", "iss": "https://accounts.google.com"})
    assert keys.log_in("google_id_token", google).identities == ["oauth2-google"]
    apple = bench.provider.token({"sub": "a-native", "aud": "apple-client", "iss": "https://appleid.apple.com"})
    assert keys.log_in("apple", apple).identities == ["oauth2-apple"]
    user = keys.log_in("facebook", "fine")
    assert user.identities == ["oauth2-facebook"] and user.profile["picture"] == "https://pic", user.profile
    user = codes.log_in("google_auth_code", "code-ada")
    assert user.profile == {"email": "ada@example.org", "first_name": "Ada"}, user.profile
    for kind, text in (("google_id_token", apple), ("apple", google), ("facebook", "spoilt")):
        refused(lambda: keys.log_in(kind, text), 4301, 401, "unauthorized")
    refused(lambda: codes.log_in("google_auth_code", "nonsense"), 4301, 401, "unauthorized")


def test_api_keys(bench):
    app = bench.app("tasks")
    user, _ = bench.member(app)
    made = app.create_key(user, "laptop")
    assert len(made["key"]) == 64 and not made["disabled"], made
    assert app.fetch_key(user, made["id"]) == {**made, "key": ""}
    second = app.create_key(user, "phone")
    assert [key["name"] for key in app.fetch_keys(user)] == ["laptop", "phone"]
    by_key = bench.app("tasks")  # in the same app the core would go on with the session of the key
    assert by_key.log_in("api_key", made["key"]).id == user.id
    app.change_key("disable", user, made["id"])
    assert app.fetch_key(user, made["id"])["disabled"]
    refused(lambda: by_key.log_in("api_key", made["key"]), 4346, 401, "unauthorized")
    app.change_key("enable", user, made["id"])
    assert by_key.log_in("api_key", made["key"]).id == user.id
    app.change_key("delete", user, second["id"])
    refused(lambda: app.fetch_key(user, second["id"]), 4334, 404, "API key not found")
    refused(lambda: app.create_key(user, "laptop"), 4339, 409, "API key with name already exists")
    refused(lambda: app.create_key(user, "two words"), 4305, 400, "can only contain ASCII letters")


# ---- E-mail logins


def test_confirmation_and_reset_by_functions(bench):
    app = bench.app("functions")
    email = "later-" + bench.email()
    app.email("register_email", email, PASSWORD)
    refused(lambda: app.log_in("email_password", email, PASSWORD), 4346, 401, "unauthorized")
    keeper = app.log_in("anonymous", False)
    entry = app.call(keeper, "kept", "tokens", {"_id": email})
    app.email("confirm_user", entry["token"], entry["tokenId"])
    user = app.log_in("email_password", email, PASSWORD)
    refused(lambda: app.email("retry_custom_confirmation", email), 4343, 400, "already confirmed")
    app.email("call_reset_password_function", email, "n3w-secret", '["success"]')
    assert app.log_in("email_password", email, "n3w-secret").id == user.id
    refused(lambda: app.email("call_reset_password_function", email, "n3w-secret", '["fail"]'), 4351, 400,
            f'failed to reset password for user "{email}"')
    refused(lambda: app.email("confirm_user", "abc", "123"), 4347, 400, "invalid token data")
    refused(lambda: app.email("reset_password", "n3w-secret", "0" * 128, "0" * 24), 4353, 400, "userpass token is expired")
    refused(lambda: app.email("send_reset_password_email", bench.email()), 4344, 404, "user not found")


# ---- Linking


def test_linking_keeps_the_user_and_appends_identities(bench):
    app = bench.app("functions")
    user = app.log_in("anonymous", False)
    email = bench.email()
    app.email("register_email", email, PASSWORD)
    linked = app.link(user, "email_password", email, PASSWORD)
    assert linked.id == user.id and linked.identities == ["anon-user", "local-userpass"], linked.identities
    app.link(user, "jwt", hs256({"sub": email, "email": email}))
    assert user.identities == ["anon-user", "local-userpass", "custom-token"], user.identities
    assert app.log_in("email_password", email, PASSWORD).id == user.id
    other = bench.email()
    app.email("register_email", other, PASSWORD)
    refused(lambda: app.link(user, "email_password", other, PASSWORD), 4315, 500, "unauthorized")
    stranger = app.log_in("anonymous", False)
    refused(lambda: app.link(stranger, "email_password", email, PASSWORD), 4346, 401, "unauthorized")


# ---- Sessions


def test_refreshing_sends_the_refresh_token_and_keeps_the_user(bench):
    app = bench.app("tasks")
    user, _ = bench.member(app)
    app.refresh_custom_data(user)
    method, path, headers = [entry for entry in app.transport.requests if entry[1].endswith("/auth/session")][-1]
    assert method == "POST" and headers["Authorization"] == f"Bearer {user.refresh_token}", (method, path)
    assert user.is_logged_in and app.fetch_keys(user) == []


def test_signing_out_ends_the_session(bench):
    app = bench.app("functions")
    user, _ = bench.member(app)
    refresh = user.refresh_token
    app.log_out(user)
    assert not user.is_logged_in
    method, path, headers = app.transport.requests[-1]
    assert (method, path.split("/v2.0")[1]) == ("DELETE", "/auth/session") and refresh in headers["Authorization"]
    refused(lambda: app.call(user, "kept", "tokens", {}), 4351, 401, "unauthorized")


def test_deleting_the_account_frees_the_email(bench):
    app = bench.app("functions")
    user, email = bench.member(app)
    app.delete(user)
    refused(lambda: app.log_in("email_password", email, PASSWORD), 4349, 401, "unauthorized")
    app.email("register_email", email, PASSWORD)
    assert app.log_in("email_password", email, PASSWORD).id != user.id


def test_custom_user_data_is_that_of_the_newest_token(bench):
    app = bench.app("members")
    user, _ = bench.member(app)
    assert user.custom_data["user"] == user.id and "leader" not in user.custom_data, user.custom_data
    app.call(user, "promote")
    assert "leader" not in user.custom_data
    app.refresh_custom_data(user)
    assert user.custom_data["leader"] is True, user.custom_data


# ---- Functions and data


def test_functions_take_and_give_extended_json(bench):
    app = bench.app("functions")
    user = app.log_in("anonymous", False)
    assert app.call(user, "kept", "nothing", {}) is None
    refused(lambda: app.call(user, "noSuchFunction"), 4325, 404, "function not found: 'noSuchFunction'")
    refused(lambda: app.call(user, "x", service="gcm_blah"), 4318, 404, "service not found: 'gcm_blah'")
    refused(lambda: app.register_device(user, "gcm_blah", "token"), 4318, 404, "service not found: 'gcm_blah'")


def test_devices_register_for_push_and_deregister(bench):
    app = bench.app("functions")
    user = app.log_in("anonymous", False)
    app.register_device(user, "push", "token")
    app.register_device(user, "push", "token")
    app.deregister_device(user, "push")
    app.deregister_device(user, "push")
    refused(lambda: app.register_device(user, "push", ""), 4305, 400, "expected 'registrationToken' to have")


def test_the_cores_mongodb_calls_accept_the_answers(bench):
    app = bench.app("tasks")
    user, _ = bench.member(app)
    tasks = app.collection(user, "mongodb-atlas", "todo", "tasks")
    made = tasks.insert_one({"title": "one", "owner": user.id, "done": False})
    assert "insertedId" in json_of(made) or "$oid" in str(made), made
    tasks.insert_many([{"title": name, "owner": user.id, "done": True} for name in ("two", "three")])
    assert int_of(tasks.count({"owner": user.id})) == 3
    changed = tasks.update_one({"title": "one", "owner": user.id}, {"$set": {"done": True}})
    assert int_of(changed["matchedCount"]) == 1 and int_of(changed["modifiedCount"]) == 1, changed
    found = tasks.aggregate([{"$match": {"owner": user.id}}, {"$sort": {"title": 1}}, {"$project": {"title": 1}}])
    assert [task["title"] for task in found] == ["one", "three", "two"], found
    removed = tasks.delete_many({"owner": user.id})
    assert int_of(removed["deletedCount"] if isinstance(removed, dict) and "deletedCount" in removed else removed) == 3


def json_of(value):
    return value if isinstance(value, dict) else {}


def int_of(value):
    return int(next(iter(value.values()))) if isinstance(value, dict) else int(value)


# ---- Roaming


def test_another_base_url_without_shared_state_asks_for_a_new_sign_in(bench):
    other = bench.start()
    app = bench.app("functions")
    user, email = bench.member(app)
    app.update_base_url(other.url)
    assert app.base_url == other.url
    refused(lambda: app.call(user, "kept", "tokens", {}), 4302, 401, "invalid session")
    assert app.transport.requests[-1][1].endswith("/auth/session"), "no new token was asked for"
    app.email("register_email", email, PASSWORD)
    again = app.log_in("email_password", email, PASSWORD)
    assert again.id != user.id and app.call(again, "kept", "nothing", {}) is None
    app.update_base_url(bench.server.url)
    assert app.log_in("email_password", email, PASSWORD).id == user.id


def test_a_user_goes_from_one_node_to_another_of_the_same_state(bench):
    first, second = bench.nodes
    app = bench.app("tasks", first.url)
    user, email = bench.member(app)
    tasks = app.collection(user, "mongodb-atlas", "todo", "tasks")
    tasks.insert_one({"title": "begun", "owner": user.id, "done": False})
    user_id, refresh = user.id, user.refresh_token
    moved_at = len(app.transport.requests)
    app.update_base_url(second.url)
    assert app.base_url == second.url
    # The user stays signed in: same tokens, same data.
    changed = tasks.update_one({"title": "begun"}, {"$set": {"done": True}})
    assert int_of(changed["modifiedCount"]) == 1, changed
    app.refresh_custom_data(user)
    assert app.create_key(user, "laptop")["name"] == "laptop"
    assert user.is_logged_in and (user.id, user.refresh_token) == (user_id, refresh)
    paths = [path.split("/v2.0")[1] for _, path, _ in app.transport.requests[moved_at:]]
    assert paths[0].endswith("/location") and not any("/login" in path for path in paths), paths
    assert {f"http://{host}" for host in app.transport.hosts[moved_at:]} == {second.url}, app.transport.hosts
    # And back: what was done on the other node is there.
    app.update_base_url(first.url)
    assert int_of(tasks.count({"done": True})) == 1 and [key["name"] for key in app.fetch_keys(user)] == ["laptop"]
    app.log_out(user)
    app.update_base_url(second.url)
    assert app.log_in("email_password", email, PASSWORD).id == user_id


def test_a_session_that_ended_on_one_node_has_ended_on_the_other(bench):
    first, second = bench.nodes
    here, there = bench.app("tasks", first.url), bench.app("tasks", first.url)
    user, email = bench.member(here)
    same_user = there.log_in("email_password", email, PASSWORD)
    there.update_base_url(second.url)
    here.delete(user)
    refused(lambda: there.call(same_user, "addTask", "late"), 4301, 401, "invalid session")
    refused(lambda: there.log_in("email_password", email, PASSWORD), 4349, 401, "unauthorized")


def test_the_default_base_url_is_the_hosted_services(bench):
    app = bench.app("functions")
    user, _ = bench.member(app)
    try:
        app.update_base_url(None)
        raise AssertionError("taken")
    except CoreError:
        assert app.transport.hosts[-1] == "services.cloud.mongodb.com", app.transport.hosts
        assert app.base_url == bench.server.url
    assert app.call(user, "kept", "nothing", {}) is None


def test_a_base_url_that_does_not_answer_is_not_taken(bench):
    app = bench.app("functions")
    user, _ = bench.member(app)
    try:
        app.update_base_url("http://127.0.0.1:1")
        raise AssertionError("taken")
    except CoreError:
        assert app.base_url == bench.server.url
    assert app.call(user, "kept", "nothing", {}) is None


def main():
    options = suite_options(__doc__)
    provide_packages(HERE.parents[1] / "build/auth-tests", HERE.parent / "auth/requirements.txt")
    tally = Tally()
    bench = Bench(options.binary)
    try:
        tally.run(globals(), options.only, bench)
        bench.stop()
    finally:
        bench.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
