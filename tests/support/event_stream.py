"""A stream of changes (GET functions/call with `watch`), read as clients do."""

import base64
import json
import queue
import socket
import threading
import urllib.parse

from black_box import Refused


class EventStream:
    """An open stream; events are read by a thread."""

    def __init__(self, port, path, headers):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Accept: text/event-stream", *headers, "", ""]
        self._socket.sendall("\r\n".join(lines).encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = {}
        for line in iter(self._file.readline, b"\r\n"):
            name, value = line.decode().rstrip().split(": ", 1)
            self.headers[name.lower()] = value
        if self.status != 200:
            raise Refused(self.status, json.loads(self._file.read(int(self.headers["content-length"]))))
        assert self._chunk() == ":\n\n"
        self.events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _chunk(self):
        size = int(self._file.readline(), 16)
        data = self._file.read(size + 2)[:-2]
        return data.decode() if size else None

    def _read(self):
        try:
            for text in iter(self._chunk, None):
                if not text.startswith(":"):
                    self.events.put(text)
        except (OSError, ValueError):
            pass
        self.events.put(None)

    def next(self, seconds=15):
        """The next event's data, unescaped; None at the end of the stream."""
        text = self.events.get(timeout=seconds)
        if text is None:
            return None
        assert text.endswith("\n\n"), text
        name = ""
        for line in text.split("\n"):
            if line.startswith("event: "):
                name = line[7:]
            if line.startswith("data: "):
                data = line[6:].replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
        return {"event": name, **json.loads(data)} if name else json.loads(data)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def watch_path(app, body, names=("baas_request", "baas_at"), token=None):
    """The path of the stream that a call's body asks for."""
    query = {names[0]: base64.b64encode(json.dumps(body).encode()).decode()}
    if token:
        query[names[1]] = token
    return f"/api/client/v2.0/app/{app}/functions/call?{urllib.parse.urlencode(query)}"
