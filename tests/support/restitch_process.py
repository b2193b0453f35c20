"""Starts, stops and kills the server under test. Python standard library only."""

import json
import os
import queue
import random
import signal
import socket
import subprocess
import threading
import time

READY_ID = 1  # of the log line "Server ready", which names the port
WIRE_READY_ID = 1201  # of the log line that names the MongoDB endpoint's port


def free_port():
    """Below those that the system gives to connecting sockets: a client that connects to such a port while the server
    starts anew may be given the same one, and takes it."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


class StartFailed(Exception):
    pass


class RestitchProcess:
    """One run of `restitch serve` on 127.0.0.1. The data directory belongs to the caller. `binary` may be a command with
    arguments that ends by executing the server."""

    def __init__(self, binary, data, apps, options=(), port=0, environment=None):
        program = binary if isinstance(binary, list) else [binary]
        command = [*program, "serve", "--data", data, "--listen", f"127.0.0.1:{port}"]
        for app in apps:
            command += ["--app", app]
        self.log = []
        self._ready = queue.Queue()
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            command + list(options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", env={**os.environ, **(environment or {})})
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        self.port = None

    def wait_until_ready(self, seconds=60):
        """Returns the process itself; StartFailed when it does not get ready in time."""
        try:
            self.port = self._ready.get(timeout=seconds)
        except queue.Empty:
            pass
        if self.port is None:
            self.kill()
            raise StartFailed("the server did not get ready\n" + self.log_tail())
        self.start_seconds = time.monotonic() - self._started
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def _read_output(self):
        for line in self._process.stdout:
            self.log.append(line.rstrip("\n"))
            del self.log[:-2000]
            entry = parse_log_line(line)
            if entry and entry.get("id") == READY_ID and entry.get("c") == "SERVER":
                self._ready.put(entry["attr"]["port"])
        self._ready.put(None)

    @property
    def wire_port(self):
        """Of the MongoDB endpoint, once ready; None when it is off."""
        for line in self.log:
            entry = parse_log_line(line)
            if entry and entry.get("id") == WIRE_READY_ID:
                return entry["attr"]["port"]
        return None

    @property
    def pid(self):
        return self._process.pid

    def is_running(self):
        return self._process.poll() is None

    def wait(self, seconds):
        """For its end by itself. False when it still runs then."""
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def killed_itself(self):
        return self._process.poll() == -signal.SIGKILL

    def stop(self, seconds=40):
        """Stops in order. Returns the exit code, negative for the signal that ended it."""
        if self.is_running():
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL
        self._reader.join(timeout=5)
        return code

    def kill(self):
        """SIGKILL, and waits until the process is gone."""
        self._process.kill()
        self._process.wait()
        self._reader.join(timeout=5)

    def log_tail(self, lines=30):
        return "\n".join(self.log[-lines:])


def parse_log_line(line):
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
