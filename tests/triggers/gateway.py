"""What an operator runs between the server and AWS EventBridge: takes events, or refuses them as a document asks for."""

import http.server
import json
import threading


class Gateway:
    """`events` are the bodies in the order in which they came, refused ones too. A document whose event comes may hold
    `answers`, the statuses of the first, the second … attempt (the last one stays), and `error`, the text beside them."""

    def __init__(self):
        self.events = []
        self._attempts = {}
        self._port = 0
        self.open()

    def open(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._port}/events"

    def of(self, account):
        """Events for one AWS account; each test has its own."""
        return [event for event in list(self.events) if event["account"] == account]

    def answer(self, event):
        document = event["detail"].get("fullDocument") or {}
        attempt = self._attempts.get(event["id"], 0)
        self._attempts[event["id"]] = attempt + 1
        statuses = document.get("answers", [200])
        return statuses[min(attempt, len(statuses) - 1)], {"error": document["error"]} if "error" in document else {}

    def _handler(self):
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.headers["Content-Type"] == "application/json", self.headers
                status, body = gateway.answer(event)
                gateway.events.append(event)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        return Handler

    def close(self):
        self._server.shutdown()
        self._server.server_close()
