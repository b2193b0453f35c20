"""Servers of the MongoDB wire protocol that others wrote, as deployments behind a data source. The benchmarks install and
start the same ones."""

import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from restitch_process import free_port

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
START_SECONDS = 60


def _programs():
    if str(BENCH) not in sys.path:
        sys.path.insert(0, str(BENCH))
    from peers import wire_servers
    return wire_servers


class NotInstalled(Exception):
    """The text says what is missing."""


class ForeignServer:
    """One server process on a port of its own, which it keeps when it is started again. Subclasses give the command."""

    def __init__(self):
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="restitch-foreign-"))
        self._log = self.folder / "log"
        self._process = None

    @property
    def uri(self):
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self):
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen([str(part) for part in self.command()], stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=subprocess.STDOUT, cwd=self.folder)
        deadline = time.monotonic() + START_SECONDS
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{type(self).__name__} did not start\n{self.log_tail()}")
            time.sleep(0.02)

    def _accepts(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self):
        return self._log.read_text(errors="replace")[-2000:]


class MongoJavaServer(ForeignServer):
    """Its data are gone when it ends."""

    def __init__(self):
        super().__init__()
        self._program = _programs().MongoJavaServerProgram()
        self._program.install()
        self.version = self._program.version()

    def command(self):
        return self._program.command(self.port, has_change_streams=True)


class FerretDbOnSqlite(ForeignServer):
    def __init__(self):
        super().__init__()
        self._program = _programs().FerretDbProgram()
        self._program.install()
        self.version = self._program.version() + " on SQLite"
        (self.folder / "data").mkdir()

    def command(self):
        return self._program.command("sqlite", f"file:{self.folder}/data/", self.port)


class FerretDbOnPostgres(ForeignServer):
    """With a PostgreSQL server of its own, the distribution's; NotInstalled where there is none."""

    def __init__(self):
        super().__init__()
        self._program = _programs().FerretDbProgram()
        self._program.install()
        from peers.installer import Unavailable
        from peers.postgres import Postgres
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="restitch-postgres-"))
        self._folder.chmod(0o755)  # an unprivileged server works below it
        try:
            self._postgres = Postgres(self._folder / "server", 0)
        except Unavailable as reason:
            shutil.rmtree(self._folder)
            raise NotInstalled(str(reason)) from None
        self._postgres.start()
        self.version = f"{self._program.version()} on {self._postgres.version()}"

    def command(self):
        from peers.postgres import PORT, SUPERUSER
        url = f"postgres://{SUPERUSER}@/postgres?host={self._postgres.socket_dir}&port={PORT}"
        return self._program.command("postgresql", url, self.port)

    def close(self):
        super().close()
        self._postgres.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
