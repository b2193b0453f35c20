"""Servers that functions talk to: HTTP that tells what it got, and SMTP that keeps messages."""

import base64
import hashlib
import http.server
import json
import socketserver
import threading


class HttpSink(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _serve(self):
        body = self._body()
        path = self.path.split("?")[0]
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        if path == "/echo":
            told = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body.decode()}
            self._answer(201, json.dumps(told).encode(), [("Content-Type", "application/json")])
        elif path == "/redirect":
            self._answer(302, b"", [("Location", "/echo")])
        elif path == "/cookies":
            self._answer(200, b"{}", [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2")])
        elif path == "/basic":
            wanted = "Basic " + base64.b64encode(b"ada:secret").decode()
            self._answer(200 if self.headers.get("Authorization") == wanted else 401, b"ok")
        elif path == "/digest":
            self._digest()
        elif path == "/gateway":
            self._gateway(json.loads(body))
        elif path == "/files/a.txt" and self.command == "PUT":
            self._answer(200, b"", [("ETag", '"tag"')])
        elif path == "/files/none":
            self._answer(404, b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>none</Message></Error>",
                         [("Content-Type", "application/xml")])
        else:
            self._answer(404, b"nothing here")

    def _digest(self):
        given = self.headers.get("Authorization", "")
        if not given.startswith("Digest "):
            return self._answer(401, b"", [("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')])
        parts = dict(item.strip().split("=", 1) for item in given[7:].split(","))
        parts = {name: value.strip('"') for name, value in parts.items()}
        md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
        wanted = md5(":".join([md5("ada:r:secret"), "n", parts["nc"], parts["cnonce"], "auth",
                               md5(f"{self.command}:{self.path}")]))
        return self._answer(200 if parts["response"] == wanted else 401, b"ok")

    def _gateway(self, call):
        if call["action"] == "Fail":
            return self._answer(400, json.dumps({"error": "the bucket is closed"}).encode())
        return self._answer(200, json.dumps({"did": call["action"], "of": call["service"],
                                             "arguments": call["arguments"]}).encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve


class SmtpSink(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SmtpHandler)
        self.messages = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class SmtpHandler(socketserver.StreamRequestHandler):
    def _say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self._say("220 sink")
        while line := self.rfile.readline():
            verb = line.split(b" ")[0].strip().upper()
            if verb in (b"EHLO", b"HELO"):
                self._say("250 sink")
            elif verb == b"DATA":
                self._say("354 go on")
                lines = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(part)
                self.server.messages.append(b"".join(lines))
                self._say("250 kept")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")
