"""A small JSON client for set-up and probes; timed load comes from the C++ driver."""

import http.client
import json
import socket

TIMEOUT_SECONDS = 120
EXCERPT_CHARACTERS = 300


class UnexpectedAnswer(Exception):
    """A server answered other than with success."""


class RestClient:
    """Talks to a local server, on a new connection each time because servers close idle ones."""

    def __init__(self, port):
        self._port = port

    def send(self, request):
        """The parsed answer to a request as a workload holds it."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        try:
            body = request.get("body", "").encode()
            connection.request(request["method"], request["path"], body, request.get("headers", {}))
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if not 200 <= response.status < 300:
            what = f"{request['method']} {request['path']}"
            raise UnexpectedAnswer(f"{what}: {response.status} {text[:EXCERPT_CHARACTERS]}")
        return json.loads(text) if text else None

    def post(self, path, value, headers=None):
        return self.send(json_post(path, value, headers))


def json_post(path, value, headers=None):
    return {
        "method": "POST",
        "path": path,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": json.dumps(value, separators=(",", ":")),
    }


def accepts(port):
    """Whether something listens on the port now."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        return True
    except OSError:
        return False


def answers(port, path):
    """Whether a GET of the path is answered with success now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
