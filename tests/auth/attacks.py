"""What must not work: forged and borrowed tokens, one-time tokens used twice, and requests that mean two things."""

import base64
import hashlib
import hmac
import json
import socket
import time

from black_box import Refused, request_json
from tokens import encoded, hs256

PASSWORD = "corr3ct-horse"


def part(token, index):
    text = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def signed(header, claims, key):
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


def status_of(action):
    try:
        action()
        return 200
    except Refused as refusal:
        assert isinstance(refusal.body["error"], str), refusal
        return refusal.status


def refused_everywhere(app, token):
    """As an access token and as a refresh token, on routes of both kinds."""
    for method, path in (("GET", "/auth/profile"), ("DELETE", "/auth/delete"), ("POST", "/auth/session"),
                         ("DELETE", "/auth/session"), ("GET", "/auth/api_keys")):
        status = status_of(lambda: request_json(method, app.base + path, token=token))
        assert status in (400, 401), (method, path, status, token)
    status = status_of(lambda: app.call({"access_token": token}, "kept", "tokens", {}))
    assert status == 401, (status, token)


def test_tokens_of_the_server_cannot_be_forged(bench):
    app = bench.app("functions")
    session = app.login("anon-user", {})
    for token in (session["access_token"], session["refresh_token"]):
        claims, head = part(token, 1), part(token, 0)
        body = token.split(".")[1]
        for algorithm in ("none", "None", "NONE", "nOnE", ""):
            refused_everywhere(app, f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{body}.x")
            refused_everywhere(app, f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{body}.{token.split('.')[2]}")
        # Signed with what an attacker knows: nothing, the ids of the app, the public key of a provider, the token itself.
        known = [b"", b"\0", claims["baas_domain_id"].encode(), bytes.fromhex(claims["baas_domain_id"]), b"secret",
                 bench.provider.public_pem("k1"), token.encode(), b"functions-aaaaa"]
        for key in known:
            refused_everywhere(app, signed(head, claims, key))
        for kid in ("../../../../dev/null", "/dev/null", "' OR 1=1 --", "k1", "http://127.0.0.1/jwks", "\0", 7, None, {}):
            refused_everywhere(app, signed({**head, "kid": kid}, claims, b""))
            refused_everywhere(app, signed({**head, "kid": kid, "jku": f"{bench.provider.url}/jwks",
                                            "jwk": {"kty": "oct", "k": encoded(b"")}}, claims, b""))
        refused_everywhere(app, bench.provider.token({**claims, "exp": int(time.time()) + 300}))
        for change in ({"exp": 4_000_000_000}, {"sub": "0" * 24}, {"typ": "access"}, {"typ": "refresh"}):
            refused_everywhere(app, f"{token.split('.')[0]}.{encoded({**claims, **change})}.{token.split('.')[2]}")


def test_tokens_do_not_open_another_apps_doors(bench):
    session = bench.app("functions").login("anon-user", {})
    other = bench.app("pages")
    refusals = [status_of(lambda: other.call({"access_token": session["access_token"]}, "kept")),
                status_of(lambda: other.link("anon-user", {}, session)),
                status_of(lambda: other.call({"access_token": session["refresh_token"]}, "kept"))]
    assert refusals == [401, 401, 401], refusals


def test_tokens_are_for_one_purpose(bench):
    app = bench.app("functions")
    session = app.login("anon-user", {})
    swapped = {"access_token": session["refresh_token"], "refresh_token": session["access_token"]}
    for action in (lambda: app.profile(swapped), lambda: app.refresh(swapped), lambda: app.call(swapped, "kept", "x", {}),
                   lambda: request_json("DELETE", f"{app.base}/auth/session", token=swapped["refresh_token"]),
                   lambda: request_json("GET", f"{app.base}/auth/api_keys", token=swapped["refresh_token"])):
        assert status_of(action) == 401
    assert app.profile(session), "the session itself has suffered"


def test_a_foreign_token_is_not_the_servers_and_the_reverse(bench):
    app = bench.app("functions")
    session = app.login("custom-token", {"token": hs256({"sub": "owner"})})
    refused_everywhere(app, hs256({"sub": session["user_id"], "iss": "0" * 24, "typ": "access"}))
    for token in (session["access_token"], session["refresh_token"]):
        assert status_of(lambda: app.login("custom-token", {"token": token})) == 401


def test_confirmation_and_reset_tokens_work_once_and_for_their_purpose_only(bench):
    app = bench.app("functions")
    app.userpass("register", {"email": "later-replay", "password": PASSWORD})
    keeper = app.login("anon-user", {})
    entry = app.call(keeper, "kept", "tokens", {"_id": "later-replay"})
    pair = {"token": entry["token"], "tokenId": entry["tokenId"]}
    swapped = [{**pair, "token": pair["token"][::-1]}, {**pair, "tokenId": "0" * 24}, {**pair, "token": "0" * 128}]
    for wrong in swapped:
        assert status_of(lambda: app.userpass("confirm", wrong)) == 400
    assert status_of(lambda: app.userpass("reset", {**pair, "password": "n3w-secret"})) == 400
    assert status_of(lambda: bench.app("mail").userpass("confirm", pair)) == 400
    app.userpass("confirm", pair)
    assert status_of(lambda: app.userpass("confirm", pair)) == 400
    assert status_of(lambda: app.userpass("reset", {**pair, "password": "n3w-secret"})) == 400
    assert app.login("local-userpass", {"username": "later-replay", "password": PASSWORD})


def test_passwords_are_not_matched_by_anything_but_their_text(bench):
    app = bench.app("functions")
    app.userpass("register", {"email": "literal", "password": PASSWORD})
    for value in ({"$ne": ""}, {"$regex": ".*"}, {"$gt": ""}, [PASSWORD], True, None, 5, {"$oid": "0" * 24}):
        for body in ({"username": "literal", "password": value}, {"username": value, "password": PASSWORD}):
            assert status_of(lambda: app.login("local-userpass", body)) in (400, 401), body
    for near in (PASSWORD + "\0", PASSWORD + " ", " " + PASSWORD, PASSWORD[:-1], PASSWORD.upper(), ""):
        assert status_of(lambda: app.login("local-userpass", {"username": "literal", "password": near})) == 401, near
    for value in ({"$ne": ""}, ["x"], None):
        assert status_of(lambda: app.login("api-key", {"key": value})) in (400, 401)


# ---- Requests that mean two things


def exchange(bench, text):
    """The statuses that the server answers to these bytes before it hangs up."""
    with socket.create_connection(("127.0.0.1", bench.server.port), timeout=15) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return [int(line.split()[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def test_a_hidden_second_request_is_never_answered(bench):
    hidden = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    chunk = b"0\r\n\r\n"
    path = b"POST /api/client/v2.0/app/functions-aaaaa/auth/providers/anon-user/login HTTP/1.1\r\nHost: a\r\n"
    shapes = {
        "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + hidden,
        "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + chunk + hidden,
        "two lengths": b"Content-Length: 0\r\nContent-Length: 35\r\n\r\n" + hidden,
        "list of lengths": b"Content-Length: 0, 35\r\n\r\n" + hidden,
        "signed length": b"Content-Length: +0\r\n\r\n" + hidden,
        "negative length": b"Content-Length: -1\r\n\r\n" + hidden,
        "hexadecimal length": b"Content-Length: 0x0\r\n\r\n" + hidden,
        "unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n" + chunk + hidden,
        "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + hidden,
        "coding after chunked": b"Transfer-Encoding: chunked, identity\r\n\r\n" + chunk + hidden,
        "blank before the colon": b"Transfer-Encoding : chunked\r\n\r\n" + chunk + hidden,
        "folded header": b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 0\r\n\r\n" + chunk + hidden,
        "bad chunk size": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + chunk + hidden,
        "overflowing chunk size": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + hidden,
        "control character in a header": b"X-A: b\x01c\r\n\r\n" + hidden,
        "lone line feed": b"X-A: b\nContent-Length: 0\r\n\r\n" + hidden,
    }
    for name, shape in shapes.items():
        statuses = exchange(bench, path + shape)
        assert len(statuses) <= 1, (name, statuses)
    assert exchange(bench, hidden) == [200], "the server does not answer what is right"


def test_senders_that_dawdle_do_not_keep_others_out(bench):
    slow = []
    try:
        for _ in range(200):
            connection = socket.create_connection(("127.0.0.1", bench.server.port), timeout=15)
            connection.sendall(b"POST /api/client/v2.0/auth/session HTTP/1.1\r\nHost: a\r\nX-")
            slow.append(connection)
        app = bench.app("functions")
        for round_number in range(5):
            for connection in slow[::20]:
                connection.sendall(b"a")
            started = time.monotonic()
            assert app.login("anon-user", {})["user_id"]
            assert time.monotonic() - started < 2, round_number
    finally:
        for connection in slow:
            connection.close()
