"""One HTTP exchange with the server, well-formed or not. Every wait is bounded."""

import base64
import http.client
import json
import socket
import time

SECONDS = 30


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # list of (name, value)
        self.body = body

    def header(self, name):
        """The value, several joined as HTTP allows, or None."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    def json(self):
        return json.loads(self.body.decode("utf-8"))

    def text(self):
        return self.body.decode("utf-8", "replace")


def request(port, method, path, headers, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None and "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        elif body is None and method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", "0")
        connection.endheaders()
        if body:
            try:
                connection.send(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused while sending; the answer tells why
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def raw(port, pieces, half_close, pause):
    """Sends bytes as they are; returns all answers that came until the server closed, or until nothing more comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        try:
            for index, piece in enumerate(pieces):
                if index > 0:
                    time.sleep(pause)
                connection.sendall(piece)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return _read_all(connection)


def _read_all(connection):
    """(bytes, closed by the server)"""
    received = b""
    connection.settimeout(1.5)
    try:
        while True:
            chunk = connection.recv(65536)
            if not chunk:
                return received, True
            received += chunk
    except socket.timeout:
        return received, False
    except ConnectionResetError:
        return received, True


def split_answers(received):
    """The answers in a byte stream; every one has a Content-Length or no body."""
    answers = []
    while received:
        head, mark, rest = received.partition(b"\r\n\r\n")
        if not mark:
            break
        lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        length = int(dict((name.lower(), value) for name, value in headers).get("content-length", 0))
        status = int(lines[0].split(" ")[1])
        if status != 100:
            answers.append(Answer(status, headers, rest[:length]))
            received = rest[length:]
        else:
            received = rest
    return answers


def jwt_claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
