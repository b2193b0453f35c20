"""A stand-in for the Admin API that can fail, wait and count where a test wants it. Keeps one group of apps in memory."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

GROUP = "5f0000000000000000000001"
KEYS = {"username": "key", "apiKey": "aaaa-bbbb"}


class App:
    def __init__(self, number, name, client_app_id=None):
        self.id = f"5e{number:022x}"
        self.name = name
        self.client_app_id = client_app_id or f"{name.lower()}-{'abcdefgh'[number % 8] * 5}"
        self.document = None
        self.draft = None
        self.draft_document = None
        self.deployments = []
        self.secrets = {}
        self.logs = []

    def object(self):
        return {"_id": self.id, "name": self.name, "client_app_id": self.client_app_id, "group_id": GROUP}


class FakeServer:
    """`calls` lists what was asked; `plan[(method, path ending)]` is a list of (status, body) to answer first."""

    def __init__(self):
        self.apps = []
        self.calls = []
        self.plan = {}
        self.wait_in_import = None  # an Event that imports into a draft wait for
        self.import_started = threading.Event()
        self.token = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def answer(self, status, body=None):
                data = b"" if body is None else json.dumps(body).encode()
                try:
                    self.send_response(status)
                    if data:
                        self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except BrokenPipeError:
                    pass

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                text = self.rfile.read(length)
                body = json.loads(text) if text[:1] in b"{[" and text else None
                server.handle(self, urlsplit(self.path), body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def add_app(self, name, client_app_id=None):
        self.apps.append(App(len(self.apps) + 1, name, client_app_id))
        return self.apps[-1]

    def called(self, method, ending):
        return [call for call in self.calls if call[0] == method and call[1].endswith(ending)]

    def handle(self, request, url, body):
        method, path = request.command, url.path.removeprefix("/api/admin/v3.0")
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.calls.append((method, path, query, body))
        for (wanted, ending), answers in self.plan.items():
            if method == wanted and path.endswith(ending) and answers:
                return request.answer(*answers.pop(0))
        if path.endswith("/login"):
            if body != KEYS:
                return request.answer(401, {"error": "failed to authenticate with MongoDB Cloud API: "
                                                     "You are not authorized for this resource."})
            self.token += 1
            return request.answer(200, {"access_token": f"access{self.token}", "refresh_token": "refresh",
                                        "user_id": "u", "device_id": "d"})
        if path == "/auth/session":
            self.token += 1
            return request.answer(201, {"access_token": f"access{self.token}"})
        if request.headers.get("Authorization") != f"Bearer access{self.token}":
            return request.answer(401, {"error": "invalid session: access token expired", "error_code": "InvalidSession"})
        if path == "/auth/profile":
            return request.answer(200, {"user_id": "u", "roles": [{"role_name": "GROUP_OWNER", "group_id": GROUP}]})
        if path == f"/groups/{GROUP}/apps":
            if method == "POST":
                return request.answer(201, self.add_app(body["name"], body.get("client_app_id")).object())
            return request.answer(200, [] if "product" in query else [app.object() for app in self.apps])
        match = re.fullmatch(rf"/groups/{GROUP}/apps/(\w+)(/.*)?", path)
        app = next((app for app in self.apps if match and app.id == match[1]), None)
        if app is None:
            return request.answer(404, {"error": "app not found"})
        return self.handle_app(request, app, method, match[2] or "", query, body)

    def handle_app(self, request, app, method, path, query, body):
        if path == "" and method == "GET":
            return request.answer(200, app.object())
        if path == "" and method == "DELETE":
            self.apps.remove(app)
            return request.answer(204)
        if path == "/import" and "diff" in query:
            return request.answer(200, [] if app.document == body else ["--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n"])
        if path == "/import":
            if app.draft and self.wait_in_import:
                self.import_started.set()
                self.wait_in_import.wait(20)
            if app.draft:
                app.draft_document = body
            else:
                app.document = body
            return request.answer(204)
        if path == "/drafts" and method == "GET":
            return request.answer(200, [{"_id": app.draft, "user_id": "u", "app": app.object()}] if app.draft else [])
        if path == "/drafts":
            if app.draft:
                return request.answer(409, {"error": "a draft already exists", "error_code": "DraftAlreadyExists"})
            app.draft = "5d0000000000000000000001"
            return request.answer(201, {"_id": app.draft, "user_id": "u", "app": app.object()})
        if path.startswith("/drafts/") and method == "DELETE":
            app.draft = app.draft_document = None
            return request.answer(204)
        if path.endswith("/diff"):
            return request.answer(200, {"diffs": ["something"]})
        if path.endswith("/deployment"):
            app.document, app.draft = app.draft_document, None
            app.deployments.insert(0, {"_id": f"5c{len(app.deployments):022x}", "status": "created",
                                       "deployed_at": 1700000000, "origin": "CLI", "name": (body or {}).get("name", "")})
            return request.answer(201, app.deployments[0])
        if path.startswith("/deployments/") and method == "GET":
            return request.answer(200, {**app.deployments[0], "status": "successful"})
        if path == "/deployments":
            return request.answer(200, app.deployments)
        if path == "/secrets" and method == "GET":
            return request.answer(200, [{"_id": str(i), "name": name} for i, name in enumerate(app.secrets)])
        if path == "/secrets":
            app.secrets[body["name"]] = body["value"]
            return request.answer(201, {"_id": str(len(app.secrets) - 1), "name": body["name"]})
        if path == "/logs":
            return request.answer(200, {"logs": app.logs})
        if path == "/debug/execute_function":
            return request.answer(200, {"result": body["arguments"], "logs": ["said"], "error_logs": None,
                                        "stats": {"execution_time": "3ms"}})
        return request.answer(404, {"error": f"the stand-in has no {method} {path}"})
