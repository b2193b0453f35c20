"""A small JSON client for set-up and probes; timed load comes from the C++ driver."""

import http.client
import json

TIMEOUT_SECONDS = 120


class UnexpectedAnswer(Exception):
    """A server answered other than with success."""


class RestClient:
    """Keeps one connection to a server on the loopback address."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def send(self, request):
        """The parsed answer to a request as a workload holds it."""
        body = request.get("body", "").encode()
        self._connection.request(request["method"], request["path"], body, request.get("headers", {}))
        response = self._connection.getresponse()
        text = response.read().decode()
        if not 200 <= response.status < 300:
            raise UnexpectedAnswer(f"{request['method']} {request['path']}: {response.status} {text[:500]}")
        return json.loads(text) if text else None

    def post(self, path, value, headers=None):
        return self.send(json_post(path, value, headers))

    def close(self):
        self._connection.close()


def json_post(path, value, headers=None):
    return {
        "method": "POST",
        "path": path,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": json.dumps(value, separators=(",", ":")),
    }


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
