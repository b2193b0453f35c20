"""Fakes of the parties that the server talks to: identity providers, a key set, a mail server."""

import http.server
import json
import socket
import threading
import time
import urllib.parse


class IdentityProvider:
    """Google, Facebook, Apple and a JWKS URL in one HTTP server."""

    def __init__(self):
        import jwt
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        self._jwt = jwt
        self.keys = {"k1": rsa.generate_private_key(public_exponent=65537, key_size=2048),
                     "e1": ec.generate_private_key(ec.SECP256R1())}
        self.requests = []
        self.asked = {}
        self.denies = False
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(provider.get(urllib.parse.urlsplit(self.path), self.headers))

            def do_POST(self):
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.answer(provider.post(self.path, dict(urllib.parse.parse_qsl(form, keep_blank_values=True))))

            def answer(self, outcome):
                status, body = outcome
                if status == 302:
                    self.send_response(302)
                    self.send_header("Location", body)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def key_set(self):
        keys = []
        for name, key in self.keys.items():
            family = self._jwt.algorithms.ECAlgorithm if name.startswith("e") else self._jwt.algorithms.RSAAlgorithm
            keys.append({**json.loads(family.to_jwk(key.public_key())), "kid": name, "use": "sig"})
        return {"keys": keys}

    def public_pem(self, name):
        from cryptography.hazmat.primitives import serialization
        return self.keys[name].public_key().public_bytes(serialization.Encoding.PEM,
                                                         serialization.PublicFormat.SubjectPublicKeyInfo)

    def token(self, claims, kid="k1", algorithm="RS256"):
        claims = {"exp": int(time.time()) + 300, **claims}
        return self._jwt.encode({name: value for name, value in claims.items() if value is not None}, self.keys[kid],
                                algorithm=algorithm, headers={"kid": kid})

    def get(self, url, headers):
        self.requests.append(url.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path in ("/o/oauth2/v2/auth", "/dialog/oauth", "/auth/authorize"):
            return self.consent(url.path, query)
        if url.path in ("/jwks", "/oauth2/v3/certs", "/auth/keys"):
            return 200, self.key_set()
        if url.path == "/oauth2/v3/userinfo":
            if headers["Authorization"] == "Bearer google-access-ada":
                return 200, {"sub": "g-ada", "email": "ada@example.org", "given_name": "Ada", "family_name": "L"}
            if headers["Authorization"] == "Bearer google-access-eve":
                return 200, {"sub": "g-eve", "email": "eve@elsewhere.org", "given_name": "Eve"}
        if url.path == "/debug_token" and query.get("access_token") == "fb-client|facebook-secret":
            app = "another" if query["input_token"] == "of-another-app" else "fb-client"
            return 200, {"data": {"is_valid": query["input_token"] != "spoilt", "app_id": app}}
        if url.path == "/me":
            return 200, {"id": "fb-1", "name": "Fay", "picture": {"data": {"url": "https://pic"}},
                         "age_range": {"min": 21}, "asked": query["fields"]}
        return 404, {}

    def consent(self, path, query):
        """A person who agrees at once, or the other thing when the test says so."""
        self.asked = query
        answer = {"state": query["state"], **({"error": "access_denied"} if self.denies else {"code": f"code-{path[1]}"})}
        return 302, query["redirect_uri"] + "?" + urllib.parse.urlencode(answer)

    def redeem(self, path, form):
        """The three providers' token endpoints for codes of their pages."""
        client, secret, code, answer = {
            "/token": ("google-client", "google-secret", "code-o",
                       {"access_token": "google-access-ada", "id_token": self.token(
                           {"sub": "g-openid", "aud": "google-client", "iss": "https://accounts.google.com"})}),
            "/oauth/access_token": ("fb-client", "facebook-secret", "code-d", {"access_token": "fine"}),
            "/auth/token": ("apple-client", "apple-secret", "code-a", {"id_token": self.token(
                {"sub": "a-page", "aud": "apple-client", "iss": "https://appleid.apple.com", "email": "a@example.org"})}),
        }[path]
        wanted = {"grant_type": "authorization_code", "client_id": client, "client_secret": secret, "code": code,
                  "redirect_uri": self.asked["redirect_uri"]}
        return (200, answer) if form == wanted else (400, {"error": "invalid_grant"})

    def post(self, path, form):
        self.requests.append(path)
        if form.get("redirect_uri", "").endswith("/auth/callback"):
            return self.redeem(path, form)
        expected = {"grant_type": "authorization_code", "client_id": "google-client", "client_secret": "google-secret"}
        if path != "/token" or any(form.get(name) != value for name, value in expected.items()):
            return 400, {"error": "invalid_request"}
        native = {"code-ada": "google-access-ada", "code-eve": "google-access-eve"}
        if form["code"] in native and form.get("redirect_uri") == "":
            return 200, {"access_token": native[form["code"]]}
        if form["code"] == "code-popup" and form["redirect_uri"] == "postmessage":
            return 200, {"access_token": "google-access-ada"}
        return 400, {"error": "redirect_uri_mismatch"}

    def stop(self):
        self._server.shutdown()


class MailSink:
    """An SMTP server that keeps what it gets."""

    def __init__(self):
        from aiosmtpd.controller import Controller
        self.messages = []
        sink = self

        class Handler:
            async def handle_DATA(self, _server, _session, envelope):
                sink.messages.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
                return "250 kept"

        with socket.socket() as probe:  # the package connects to the port that it was told, so that 0 will not do
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._controller = Controller(Handler(), hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self):
        self._controller.stop()
