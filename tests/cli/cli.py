"""Runs the command line in a folder of its own."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile


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

    def login(self, server, **more):
        said = self.run("login", "--url", server.url, "--api-key", "key", "--private-api-key", "aaaa-bbbb", **more)
        assert said.code == 0, said


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
