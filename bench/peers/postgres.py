"""A private PostgreSQL server with default settings, reachable through a Unix socket only."""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from harness.processes import Server
from peers.installer import Unavailable, program_version

SUPERUSER = "bench"
PORT = 5432  # only names the socket file
DEBIAN_ROOT = Path("/usr/lib/postgresql")  # one folder per major version
UNPRIVILEGED_USERS = ("postgres", "nobody")


def _find_bin_dir():
    bin_dirs = [path.parent for path in DEBIAN_ROOT.glob("*/bin/postgres")]
    if bin_dirs:
        return max(bin_dirs, key=lambda path: int(path.parent.name))
    found = shutil.which("postgres")
    if found is None:
        raise Unavailable("no PostgreSQL server is installed")
    return Path(found).parent


def _unprivileged_user():
    """The user to run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in UNPRIVILEGED_USERS:
        if name in known:
            return name
    raise Unavailable("PostgreSQL does not run as root, and there is no unprivileged user")


class Postgres:
    def __init__(self, directory, core):
        self._directory = directory
        self._core = core
        self._user = _unprivileged_user()
        self._bin_dir = _find_bin_dir()
        self._server = None

    @property
    def socket_dir(self):
        return self._directory

    @property
    def pid(self):
        return self._server.pid

    def start(self):
        self._directory.mkdir(parents=True, exist_ok=True)
        if self._user:
            shutil.chown(self._directory, self._user)
        data_dir = self._directory / "data"
        self._initialise(data_dir)
        command = [self._bin_dir / "postgres", "-D", data_dir, "-k", self._directory, "-p", PORT]
        self._server = Server(
            [*command, "-c", "listen_addresses="],
            self._core,
            self._directory.parent / "postgres.log",
            user=self._user,
            stop_signal=signal.SIGINT,
            cwd=self._directory,
        )
        self._server.wait_until(self._is_ready)

    def run_sql(self, *statements):
        commands = [part for statement in statements for part in ("-c", statement)]
        subprocess.run(
            [*self._client("psql"), "-q", "-v", "ON_ERROR_STOP=1", *commands], check=True
        )

    def stop(self):
        if self._server is not None:
            self._server.stop()

    def version(self):
        return program_version([self._bin_dir / "postgres", "--version"])

    def _initialise(self, data_dir):
        options = ["--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8"]
        subprocess.run(
            [self._bin_dir / "initdb", "--pgdata", data_dir, *options],
            check=True,
            capture_output=True,
            user=self._user,
            extra_groups=[] if self._user else None,
            cwd=self._directory,
        )

    def _is_ready(self):
        return subprocess.run(self._client("pg_isready"), capture_output=True).returncode == 0

    def _client(self, program):
        address = ["-h", self._directory, "-p", str(PORT), "-U", SUPERUSER, "-d", "postgres"]
        return [self._bin_dir / program, *address]
