"""What a ruled read costs while the same server does something heavy."""

import subprocess
import time
from dataclasses import dataclass

from harness import load
from harness.documents import shuffled_numbers
from harness.processes import free_port
from harness.rest import json_post
from harness.restitch import API, EMAIL, PASSWORD, Restitch

READS_PER_SECOND = 2000
READING_CONNECTIONS = 8
READ_DOCUMENTS = 10_000
FIRST_READ_NUMBER = 2_000_000  # behind the numbers of the documents that the wire driver loads
SETTLING_SECONDS = 0.5
STORMING_CONNECTIONS = 16
LOOPING_CALLS = 2
LOOP_MILLISECONDS = 500
LONGEST_SECONDS = 600


@dataclass(frozen=True)
class IsolationCase:
    workload: str  # what goes on beside the reads
    connections: int = READING_CONNECTIONS

    @property
    def name(self):
        return f"reads during {self.workload}" if self.workload != "quiet" else "reads, quiet"


class RestitchUnderLoad(Restitch):
    workloads = {"quiet", "login storm", "scan of all documents", "looping function"}

    def __init__(self, context):
        super().__init__(context)
        self.wire_port = free_port()

    def command(self):
        command, env = super().command()
        # Sign-ins that wait count as refused until they are not: the storm is to be one of hashes, not of refusals.
        limits = [f"--attempt-limit=sign-in-{of}=0" for of in ("account", "address")]
        return [*command, "--wire", f"127.0.0.1:{self.wire_port}", *limits], env

    def load_documents(self, count):
        load.fill_by_wire(self.context, self.wire_port, count, with_records=False)
        super().load_documents(READ_DOCUMENTS, FIRST_READ_NUMBER)

    def prepare(self, case):
        numbers = [FIRST_READ_NUMBER + number for number in shuffled_numbers(READ_DOCUMENTS)]
        reads = [self.read_request(number) for number in numbers]
        self.probe(reads[0])
        load.write_workload(self.workload_file("read"), reads)
        login = {"username": EMAIL, "password": PASSWORD}
        path = f"{API}/auth/providers/local-userpass/login"
        login_request = {**json_post(path, login), "expect": "access_token"}
        load.write_workload(self.workload_file("login"), [login_request])
        duration = [{"$numberInt": str(LOOP_MILLISECONDS)}]
        load.write_workload(
            self.workload_file("loop"), [self.call_request({"name": "loop", "arguments": duration})]
        )

    def measure(self, case, seconds):
        disturber = self._disturb(case.workload)
        try:
            time.sleep(SETTLING_SECONDS)
            return self.sampled(lambda: self._read(seconds))
        finally:
            self._end(disturber)

    def _read(self, seconds):
        file = self.workload_file("read")
        return load.drive(
            self.context, self.port, file, READING_CONNECTIONS, seconds, READS_PER_SECOND
        )

    def _disturb(self, workload):
        """A process that keeps the server busy, or nothing."""
        http = [self.context.programs.load, "--port", self.port, "--seconds", LONGEST_SECONDS]
        wire = [self.context.programs.wire, "run", "--port", self.wire_port]
        wire += ["--documents", self.documents, "--seconds", LONGEST_SECONDS]
        commands = {
            "login storm": [*http, "--workload", self.workload_file("login"), "--connections"]
            + [STORMING_CONNECTIONS],
            "looping function": [*http, "--workload", self.workload_file("loop"), "--connections"]
            + [LOOPING_CALLS],
            "scan of all documents": [*wire, "--case", "scan all"],
        }
        if workload not in commands:
            return None
        pinned = ["taskset", "-c", self.context.driver_core, *commands[workload]]
        return subprocess.Popen([str(part) for part in pinned], stdout=subprocess.DEVNULL)

    def _end(self, disturber):
        if disturber is None:
            return
        ended = disturber.poll()
        disturber.kill()
        disturber.wait()
        if ended is not None:
            raise load.RunFailed(f"what was to disturb the reads ended with status {ended}")
