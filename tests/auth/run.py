#!/usr/bin/env python3
"""Sign-in through others, and e-mail logins with functions and messages, against the real binary on 127.0.0.1."""

import argparse
import email
import email.policy
import hashlib
import json
import pathlib
import re
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

import accounts  # noqa: E402
import apps  # noqa: E402
import attacks  # noqa: E402
import redirects  # noqa: E402
from black_box import Refused, Tally, request_json  # noqa: E402
from python_packages import provide_packages  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402
from tokens import encoded, hs256  # noqa: E402


class App:
    """The client API of one app."""

    def __init__(self, url, name):
        self.base = f"{url}/api/client/v2.0"
        self._app = f"{self.base}/app/{name}-aaaaa"

    def login(self, provider, body):
        return request_json("POST", f"{self._app}/auth/providers/{provider}/login", body)

    def link(self, provider, body, session):
        return request_json("POST", f"{self._app}/auth/providers/{provider}/login?link=true", body,
                            session["access_token"])

    def userpass(self, action, body):
        return request_json("POST", f"{self._app}/auth/providers/local-userpass/{action}", body)

    def profile(self, session):
        return request_json("GET", f"{self.base}/auth/profile", token=session["access_token"])

    def refresh(self, session):
        return request_json("POST", f"{self.base}/auth/session", token=session["refresh_token"])

    def call(self, session, name, *arguments):
        return request_json("POST", f"{self._app}/functions/call", {"name": name, "arguments": list(arguments)},
                            session["access_token"])


class Bench:
    def __init__(self, binary):
        from providers import IdentityProvider
        self.binary = binary
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="restitch-auth-"))
        self.provider = IdentityProvider()
        self.directories = apps.write_all(self.folder / "apps", self.provider.url)
        self.data = self.folder / "data"
        self.server = self.start(self.data, [])

    def start(self, data, options):
        fakes = [f"--identity-provider={name}={self.provider.url}" for name in ("google", "facebook", "apple")]
        return RestitchProcess(self.binary, str(data), self.directories, fakes + options).wait_until_ready()

    def app(self, name):
        return App(self.server.url, name)

    def messages(self):
        """Those in the mailbox folder, oldest first."""
        return [read_message(path.read_bytes()) for path in sorted((self.data / "mailbox").glob("*.eml"))]

    def stop(self):
        assert self.server.stop() == 0, self.server.log_tail()
        self.provider.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def read_message(content):
    return email.message_from_bytes(content, policy=email.policy.default)


def link_in(message):
    """What a link's query says: (URL without query, {name: value})."""
    url = re.search(r"https?://\S+", message.get_content()).group()
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(urllib.parse.parse_qsl(parts.query))


def refused(action, status, code, text):
    try:
        answer = action()
    except Refused as refusal:
        assert (refusal.status, refusal.body.get("error_code", "")) == (status, code), refusal
        assert text in refusal.body["error"], refusal
        return
    raise AssertionError(f"not refused: {answer}")


def unauthorized(action):
    refused(action, 401, "InvalidSession", "unauthorized")


# ---- Custom JWT


def test_a_token_makes_a_user_with_the_mapped_metadata_and_no_other(bench):
    app = bench.app("functions")
    claims = {"sub": "mapped", "email": "m@example.org", "profile": {"first.name": "Mia"}, "tags": ["a", {"b": 1}],
              "secret": "not mapped"}
    session = app.login("custom-token", {"token": hs256(claims)})
    profile = app.profile(session)
    assert profile["data"] == {"email": "m@example.org", "first": "Mia", "tags": ["a", {"b": {"$numberInt": "1"}}]}, profile
    assert [(entry["provider_type"], entry["id"]) for entry in profile["identities"]] == [("custom-token", "mapped")]
    again = app.login("custom-token", {"token": hs256({**claims, "email": "new@example.org", "tags": None})})
    assert again["user_id"] == session["user_id"]
    assert app.profile(again)["data"] == {"email": "new@example.org", "first": "Mia"}


def test_claims_are_plain_json(bench):
    app = bench.app("functions")
    session = app.login("custom-token", {"token": hs256({"sub": "plain", "tags": {"$oid": "x"}})})
    assert app.profile(session)["data"]["tags"] == {"$oid": "x"}


def test_tokens_that_must_not_sign_in(bench):
    app = bench.app("functions")
    now = int(time.time())
    good = hs256({})
    for token in [
        hs256({"exp": now - 1}), hs256({"exp": None}), hs256({"nbf": now + 3600}), hs256({"iat": now + 3600}),
        hs256({"aud": "another"}), hs256({"aud": None}), hs256({"sub": None}), hs256({"sub": 7}), hs256({"email": None}),
        hs256({"email": "x" * 4097}), hs256({}, key="another-key-another-key-another-key"),
        hs256({}, header={"alg": "HS512"}, digest=hashlib.sha512), hs256({}, header={"alg": "HS512"}),
        hs256({}, header={"alg": "RS256"}), hs256({}, header={}), hs256({}, header={"alg": "HS256", "crit": ["b64"]}),
        encoded({"alg": "none"}) + "." + good.split(".")[1] + ".",
        encoded({"alg": "None"}) + "." + good.split(".")[1] + "." + good.split(".")[2],
        good[:-4], good + "x", good + ".", ".".join(good.split(".")[:2]), "", "a.b.c", "x" * 1_000_001,
        good.split(".")[0] + "." + encoded(b"[1]") + "." + good.split(".")[2],
    ]:
        unauthorized(lambda: app.login("custom-token", {"token": token}))
    refused(lambda: app.login("custom-token", {}), 400, "MissingParameter", "token")
    refused(lambda: app.login("custom-token", {"token": 5}), 400, "InvalidParameter", "token")


def test_all_audiences_and_the_issuer_are_asked_for(bench):
    app = bench.app("all")
    issuer = "https://issuer.example.org"
    app.login("custom-token", {"token": hs256({"aud": ["two", "one", "three"], "iss": issuer})})
    unauthorized(lambda: app.login("custom-token", {"token": hs256({"aud": ["one"], "iss": issuer})}))
    unauthorized(lambda: app.login("custom-token", {"token": hs256({"aud": ["one", "two"], "iss": "https://other"})}))
    unauthorized(lambda: app.login("custom-token", {"token": hs256({"aud": ["one", "two"]})}))


def test_a_key_set_verifies_by_key_id(bench):
    app = bench.app("keys")
    token = bench.provider.token({"sub": "jwks", "aud": "two"})
    assert app.login("custom-token", {"token": token})["user_id"]
    curve = bench.provider.token({"sub": "curve", "aud": "one"}, kid="e1", algorithm="ES256")
    assert app.login("custom-token", {"token": curve})["user_id"]
    before = bench.provider.requests.count("/jwks")
    app.login("custom-token", {"token": token})
    assert bench.provider.requests.count("/jwks") == before, "the kept set was not used"
    unauthorized(lambda: app.login("custom-token", {"token": bench.provider.token({"sub": "x", "aud": "none"})}))
    # A symmetric token made with the public key as its secret must not pass.
    claims = {"sub": "confused", "aud": "one", "exp": int(time.time()) + 300}
    confused = hs256(claims, key=bench.provider.public_pem("k1"), header={"alg": "HS256", "kid": "k1"})
    unauthorized(lambda: app.login("custom-token", {"token": confused}))


# ---- Custom function


def test_a_function_signs_in_by_the_id_that_it_returns(bench):
    app = bench.app("functions")
    session = app.login("custom-function", {"how": "text", "name": "fred", "options": {"device": {}}})
    identity = app.profile(session)["identities"][0]
    assert (identity["provider_type"], identity["id"]) == ("custom-function", "fred2"), identity  # without the options
    named = app.login("custom-function", {"how": "object", "name": "nora"})
    profile = app.profile(named)
    assert profile["data"] == {"name": "Name of nora"} and profile["identities"][0]["id"] == "nora", profile
    assert app.login("custom-function", {"how": "object", "name": "nora"})["user_id"] == named["user_id"]


def test_a_function_that_throws_or_returns_no_id_refuses(bench):
    app = bench.app("functions")
    refused(lambda: app.login("custom-function", {"how": "throw"}), 401, "AuthError", "you shall not pass")
    for how in ("number", "empty"):
        refused(lambda: app.login("custom-function", {"how": how}), 401, "AuthError", "unauthorized")


# ---- Linking


def test_linking_keeps_the_user_and_appends_identities(bench):
    app = bench.app("functions")
    session = app.login("anon-user", {})
    linked = app.link("custom-token", {"token": hs256({"sub": "linked"})}, session)
    assert linked["user_id"] == session["user_id"]
    app.link("custom-function", {"how": "object", "name": "linked"}, session)
    app.link("custom-function", {"how": "object", "name": "linked"}, session)  # once more adds nothing
    types = [entry["provider_type"] for entry in app.profile(session)["identities"]]
    assert types == ["anon-user", "custom-token", "custom-function"], types
    assert app.login("custom-token", {"token": hs256({"sub": "linked"})})["user_id"] == session["user_id"]


def test_an_identity_of_another_user_cannot_be_linked(bench):
    app = bench.app("functions")
    app.login("custom-token", {"token": hs256({"sub": "taken"})})
    session = app.login("anon-user", {})
    refused(lambda: app.link("custom-token", {"token": hs256({"sub": "taken"})}, session), 401, "AuthError", "unauthorized")
    unauthorized(lambda: app.link("custom-token", {"token": hs256({"exp": 1})}, session))


# ---- Google, Facebook, Apple


def test_google_by_code(bench):
    app = bench.app("codes")
    session = app.login("oauth2-google", {"authCode": "code-ada"})
    profile = app.profile(session)
    assert profile["data"] == {"email": "ada@example.org", "first_name": "Ada"}, profile
    assert profile["identities"][0]["id"] == "g-ada"
    assert app.login("oauth2-google", {"authCode": "code-popup"})["user_id"] == session["user_id"]
    unauthorized(lambda: app.login("oauth2-google", {"authCode": "code-eve"}))  # another domain
    unauthorized(lambda: app.login("oauth2-google", {"authCode": "unknown"}))
    unauthorized(lambda: app.login("oauth2-google", {"id_token": "x.y.z"}))


def test_google_and_apple_by_id_token(bench):
    app = bench.app("keys")
    google = {"sub": "g-1", "iss": "https://accounts.google.com", "aud": "google-client", "email": "g@example.org"}
    session = app.login("oauth2-google", {"id_token": bench.provider.token(google)})
    assert app.profile(session)["data"] == {}
    for spoilt in ({"iss": "https://evil"}, {"aud": "other"}, {"exp": 1}, {"sub": None}):
        unauthorized(lambda: app.login("oauth2-google", {"id_token": bench.provider.token({**google, **spoilt})}))
    apple = {"sub": "a-1", "iss": "https://appleid.apple.com", "aud": "apple-client"}
    assert app.login("oauth2-apple", {"id_token": bench.provider.token(apple)})["user_id"]
    unauthorized(lambda: app.login("oauth2-apple", {"id_token": bench.provider.token(google)}))
    curve = bench.provider.token(apple, kid="e1", algorithm="ES256")
    unauthorized(lambda: app.login("oauth2-apple", {"id_token": curve}))


def test_facebook_takes_tokens_of_this_app_only(bench):
    app = bench.app("keys")
    profile = app.profile(app.login("oauth2-facebook", {"accessToken": "good"}))
    assert profile["data"] == {"name": "Fay", "picture": "https://pic", "min_age": {"$numberInt": "21"}}, profile
    unauthorized(lambda: app.login("oauth2-facebook", {"accessToken": "of-another-app"}))
    unauthorized(lambda: app.login("oauth2-facebook", {"accessToken": "spoilt"}))


# ---- E-mail logins with functions


def kept(app, collection, filter_):
    return app.call(app.login("anon-user", {}), "kept", collection, filter_)


def sign_in(app, name, password):
    return app.login("local-userpass", {"username": name, "password": password})


def test_a_function_confirms_refuses_or_postpones(bench):
    app = bench.app("functions")
    app.userpass("register", {"email": "now", "password": "secret"})
    assert sign_in(app, "now", "secret")["user_id"]
    for name in ("fail-1", "throw-1"):
        refused(lambda: app.userpass("register", {"email": name, "password": "secret"}), 400, "BadRequest",
                f'failed to confirm user "{name}"')
        refused(lambda: app.userpass("confirm/call", {"email": name}), 404, "UserNotFound", "user not found")
    app.userpass("register", {"email": "later-1", "password": "secret"})
    refused(lambda: sign_in(app, "later-1", "secret"), 401, "AuthError", "unauthorized")
    refused(lambda: app.userpass("register", {"email": "later-1", "password": "secret"}), 409, "AccountNameInUse", "name")
    token = kept(app, "tokens", {"_id": "later-1"})
    pair = {"token": token["token"], "tokenId": token["tokenId"]}
    assert len(pair["token"]) == 128 and len(pair["tokenId"]) == 24
    wrong = {"token": "0" * 128, "tokenId": pair["tokenId"]}
    refused(lambda: app.userpass("confirm", wrong), 400, "UserpassTokenInvalid", "expired or invalid")
    refused(lambda: app.userpass("reset", {**pair, "password": "secret2"}), 400, "UserpassTokenInvalid", "expired")
    app.userpass("confirm", pair)
    assert sign_in(app, "later-1", "secret")["user_id"]
    refused(lambda: app.userpass("confirm", pair), 400, "UserpassTokenInvalid", "expired or invalid")
    refused(lambda: app.userpass("confirm/call", {"email": "later-1"}), 400, "UserAlreadyConfirmed", "already confirmed")


def test_a_function_resets_the_password_at_once_later_or_not(bench):
    app = bench.app("functions")
    app.userpass("register", {"email": "forgetful", "password": "secret"})
    session = sign_in(app, "forgetful", "secret")

    def reset(password, *arguments):
        return app.userpass("reset/call", {"email": "forgetful", "password": password, "arguments": list(arguments)})

    refused(lambda: reset("short", "success"), 400, "BadRequest", "password must be between")
    for answer in ("fail", "throw", "what"):
        refused(lambda: reset("secret2", answer), 400, "", 'failed to reset password for user "forgetful"')
    reset("secret2", "success", "further", {"a": {"$numberInt": "1"}})
    entry = kept(app, "resets", {"password": "secret2", "rest": {"$ne": []}})
    assert entry["username"] == "forgetful" and entry["rest"] == ["further", {"a": {"$numberInt": "1"}}], entry
    assert entry["currentPasswordValid"] is False
    refused(lambda: sign_in(app, "forgetful", "secret"), 401, "InvalidPassword", "unauthorized")
    sign_in(app, "forgetful", "secret2")
    refused(lambda: app.refresh(session), 401, "InvalidSession", "failed to find refresh token")
    reset("secret3", "pending")
    sign_in(app, "forgetful", "secret2")
    refused(lambda: sign_in(app, "forgetful", "secret3"), 401, "InvalidPassword", "unauthorized")
    entry = kept(app, "resets", {"password": "secret3"})
    app.userpass("reset", {"token": entry["token"], "tokenId": entry["tokenId"], "password": "secret3"})
    sign_in(app, "forgetful", "secret3")
    refused(lambda: app.userpass("reset/call", {"email": "nobody", "password": "secret4", "arguments": []}), 404,
            "UserNotFound", "user not found")
    refused(lambda: app.userpass("reset/send", {"email": "forgetful"}), 400, "",
            "please use reset password via function")


# ---- E-mail logins with messages


def test_messages_confirm_and_reset(bench):
    app = bench.app("mail")
    app.userpass("register", {"email": "ada@example.org", "password": "secret"})
    refused(lambda: sign_in(app, "ada@example.org", "secret"), 401, "AuthError", "unauthorized")
    first = bench.messages()[-1]
    assert (first["To"], first["Subject"]) == ("ada@example.org", "Wilkömmen"), first
    app.userpass("confirm/send", {"email": "ada@example.org"})
    url, query = link_in(bench.messages()[-1])
    assert url == "https://app.example.org/confirm" and query["a"] == "1", url
    app.userpass("confirm", {"token": query["token"], "tokenId": query["tokenId"]})
    session = sign_in(app, "ada@example.org", "secret")
    refused(lambda: app.userpass("confirm/send", {"email": "ada@example.org"}), 400, "UserAlreadyConfirmed", "already")

    app.userpass("reset/send", {"email": "ada@example.org"})
    url, query = link_in(bench.messages()[-1])
    pair = {"token": query["token"], "tokenId": query["tokenId"]}
    assert url == "https://app.example.org/reset", url
    refused(lambda: app.userpass("reset", {**pair, "password": "short"}), 400, "BadRequest", "password must be between")
    app.userpass("reset", {**pair, "password": "secret2"})
    refused(lambda: app.userpass("reset", {**pair, "password": "secret3"}), 400, "UserpassTokenInvalid", "expired")
    refused(lambda: sign_in(app, "ada@example.org", "secret"), 401, "InvalidPassword", "unauthorized")
    sign_in(app, "ada@example.org", "secret2")
    refused(lambda: app.profile(session), 401, "InvalidSession", "invalid session")


def test_the_servers_pages_are_closed_to_other_scripts(bench):
    for page in ("confirm", "reset"):
        with urllib.request.urlopen(f"{bench.server.url}/app/mail-aaaaa/{page}?token=x", timeout=10) as answer:
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
            assert "script-src 'sha256-" in answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert f'data-action="{page}"' in answer.read().decode()
    for path in ("/app/mail-aaaaa/other", "/app//confirm", "/app/confirm"):
        try:
            urllib.request.urlopen(bench.server.url + path, timeout=10)
            raise AssertionError(path)
        except urllib.error.HTTPError as error:
            assert error.code == 404


def test_an_address_that_is_none_makes_no_login(bench):
    app = bench.app("mail")
    for name in ("plain", "@example.org", "a@", "a b@example.org", "a@example.org\r\nBcc: b@example.org", "a@b,c@d.org"):
        refused(lambda: app.userpass("register", {"email": name, "password": "secret"}), 400, "BadRequest", "email invalid")
        refused(lambda: app.userpass("confirm/send", {"email": name}), 404, "UserNotFound", "user not found")


def test_a_mail_server_gets_the_messages(bench):
    from providers import MailSink
    sink = MailSink()
    server = bench.start(bench.folder / "smtp",
                         ["--smtp", f"smtp://127.0.0.1:{sink.port}", "--mail-from", "apps@example.org"])
    try:
        app = App(server.url, "mail")
        app.userpass("register", {"email": "bob@example.org", "password": "secret"})
        sender, recipients, content = sink.messages[-1]
        assert (sender, recipients) == ("apps@example.org", ["bob@example.org"])
        _, query = link_in(read_message(content))
        app.userpass("confirm", {"token": query["token"], "tokenId": query["tokenId"]})
        assert sign_in(app, "bob@example.org", "secret")["user_id"]
        sink.stop()
        refused(lambda: app.userpass("register", {"email": "eve@example.org", "password": "secret"}), 503,
                "MongoDBError", "no answer from 127.0.0.1")
        refused(lambda: app.userpass("confirm/send", {"email": "eve@example.org"}), 404, "UserNotFound", "user not found")
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(HERE.parents[1] / "build/release/restitch"))
    parser.add_argument("--packages", type=pathlib.Path, default=HERE.parents[1] / "build/auth-tests", help="where PyPI packages go")
    parser.add_argument("--only", default="", help="only tests whose name holds this")
    options = parser.parse_args()
    provide_packages(options.packages, HERE / "requirements.txt")
    tally = Tally()
    bench = Bench(options.binary)
    try:
        tally.run(globals(), options.only, bench)
        for further in (redirects, accounts, attacks):
            tally.run(vars(further), options.only, bench)
        bench.stop()
    finally:
        bench.server.kill()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
