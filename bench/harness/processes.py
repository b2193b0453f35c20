"""Starting servers on one core, and reading what their process trees use from /proc."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 30
POLL_SECONDS = 0.002
LOG_TAIL_CHARACTERS = 1500


class ServerFailed(Exception):
    """A server ended, or did not become ready."""


@dataclass(frozen=True)
class Usage:
    cpu_seconds: float
    resident_bytes: int


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _parent_and_cpu(pid):
    """(parent id, CPU seconds of the process and of its children that have ended)."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()
    return int(fields[1]), sum(int(ticks) for ticks in fields[11:15]) / TICKS_PER_SECOND


def _resident_bytes(pid):
    """Proportional set size, so that memory shared inside the tree counts once."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _all_processes():
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found[int(entry)] = _parent_and_cpu(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def usage_of_trees(roots):
    """CPU time and memory of the given processes with all their descendants."""
    processes = _all_processes()
    members = {pid for pid in roots if pid in processes}
    grown = True
    while grown:
        children = {pid for pid, (parent, _) in processes.items() if parent in members} - members
        members |= children
        grown = bool(children)
    resident = 0
    for pid in members:
        try:
            resident += _resident_bytes(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return Usage(sum(processes[pid][1] for pid in members), resident)


class Server:
    """One server process, pinned to a core; its output goes to a log file."""

    def __init__(
        self, command, core, log_file, env=None, user=None, stop_signal=signal.SIGTERM, cwd=None
    ):
        self._stop_signal = stop_signal
        self._log_file = Path(log_file)
        with open(log_file, "ab") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                user=user,
                extra_groups=[] if user else None,
                start_new_session=True,
            )

    @property
    def pid(self):
        return self._process.pid

    def wait_until(self, is_ready, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                status = self._process.returncode
                raise ServerFailed(f"ended with status {status}: {self._log_tail()}")
            if is_ready():
                return
            time.sleep(POLL_SECONDS)
        self.stop()
        raise ServerFailed(f"not ready after {seconds} s: {self._log_tail()}")

    def stop(self):
        """Ends the server orderly, then whatever is left of its process group."""
        if self._process.poll() is None:
            self._process.send_signal(self._stop_signal)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"{self._log_file.stem} had to be killed", file=sys.stderr)
        self._kill_group()
        self._process.wait()

    def _kill_group(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _log_tail(self):
        return self._log_file.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:].strip()
