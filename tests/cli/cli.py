"""Runs the command line in a folder of its own."""

import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time


class Cli:
    """A home with profiles and a working folder; `run` gives what the program said."""

    def __init__(self, binary):
        self.binary = str(pathlib.Path(binary).resolve())
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="restitch-cli-"))
        self.folder = self.home / "work"
        self.folder.mkdir()
        self.environment = {**{key: value for key, value in os.environ.items() if not key.startswith("RESTITCH_")},
                            "HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "config")}

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self, *arguments, folder=None, environment=None):
        return subprocess.Popen([self.binary, *map(str, arguments)], cwd=folder or self.folder, text=True,
                                env={**self.environment, **(environment or {})}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments, folder=None, environment=None):
        process = self.start(*arguments, folder=folder, environment=environment)
        out, err = process.communicate(timeout=60)
        return Said(process.returncode, out, err)

    def converse(self, *arguments, answers, folder=None, environment=None):
        """Runs it on a terminal: each answer is typed when its question stands there. What the terminal has shown is `out`."""
        master, terminal = pty.openpty()
        process = subprocess.Popen([self.binary, *map(str, arguments)], cwd=folder or self.folder,
                                   env={**self.environment, "TERM": "xterm", **(environment or {})},
                                   stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
        os.close(terminal)
        shown, seen = "", 0
        deadline = time.monotonic() + 60
        try:
            for question, answer in answers:
                while question not in shown[seen:]:
                    shown += read_terminal(master, deadline, shown, question)
                seen = shown.index(question, seen) + len(question)
                os.write(master, answer.encode() + b"\n")
            while process.poll() is None or select.select([master], [], [], 0.2)[0]:
                try:
                    shown += read_terminal(master, deadline, shown, "its end")
                except EOFError:
                    break
            return Said(process.wait(timeout=30), shown.replace("\r\n", "\n"), "")
        finally:
            process.kill()
            os.close(master)

    def login(self, server, **more):
        said = self.run("login", "--url", server.url, "--api-key", "key", "--private-api-key", "aaaa-bbbb", **more)
        assert said.code == 0, said


def read_terminal(master, deadline, shown, wanted):
    """What came next on a terminal; EOFError when its program has ended."""
    if time.monotonic() > deadline:
        raise AssertionError(f"waited for {wanted!r} in vain:\n{shown}")
    if not select.select([master], [], [], 0.5)[0]:
        return ""
    try:
        data = os.read(master, 65536)
    except OSError:  # how Linux says it
        data = b""
    if not data:
        raise EOFError(f"it ended before {wanted!r}:\n{shown}")
    return data.decode(errors="replace")


class Said:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit code {self.code}\n{self.out}\n{self.err}"

    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


def interrupt(process):
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return Said(process.returncode, out, err)
