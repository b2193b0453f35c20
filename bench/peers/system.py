"""What a benchmark needs of a system, and the part that all HTTP servers share."""

from dataclasses import dataclass
from pathlib import Path

from harness import load
from harness.documents import shuffled_numbers
from harness.processes import Server, free_port, usage_of_trees
from harness.rest import RestClient, accepts, answers

DISTINCT_WRITES = 1000
DISTINCT_SUMS = 1000
LISTED = 20  # documents in a page
LISTED_FROM = range(9000)  # amounts with a page of documents behind each


@dataclass(frozen=True)
class Context:
    """Where and on what a benchmark runs."""

    programs: load.Programs
    bench_dir: Path
    work_dir: Path
    server_core: int
    driver_core: int


@dataclass(frozen=True)
class Case:
    """One measurement of a benchmark: a workload at a number of connections."""

    workload: str
    connections: int

    @property
    def name(self):
        return f"{self.workload} @{self.connections}"


class System:
    """A system under test. The order of calls: install, start, then measure at will, stop."""

    name = ""
    workloads = frozenset()
    durability = "holds no data"

    def __init__(self, context):
        self.context = context
        self.data_dir = context.work_dir / self.name

    def can_run(self, case):
        return case.workload in self.workloads

    def install(self):
        """Makes the system ready to start; raises Unavailable."""

    def start(self, documents):
        """Starts on an empty data directory and loads so many documents."""

    def prepare(self, case):
        """Everything for a case that is not timed; raises when the system answers wrongly."""

    def measure(self, case, seconds):
        """One timed run: a load.Sample."""
        raise NotImplementedError

    def stop(self):
        pass

    def version(self):
        raise NotImplementedError

    def disk_bytes(self):
        files = (file for file in self.data_dir.rglob("*") if file.is_file())
        return sum(file.stat().st_blocks * 512 for file in files)


class ServerSystem(System):
    """A system that is one server process with a port. Subclasses give its command line."""

    def __init__(self, context):
        super().__init__(context)
        self.port = free_port()
        self.server = None
        self.documents = 0

    def command(self):
        """(command line, extra environment) of the server."""
        raise NotImplementedError

    def is_ready(self):
        return accepts(self.port)

    def launch(self):
        command, env = self.command()
        log_file = self.context.work_dir / f"{self.name}.log"
        work_dir = self.context.work_dir  # some servers write logs where they start
        self.server = Server(command, self.context.server_core, log_file, env, cwd=work_dir)
        self.server.wait_until(self.is_ready)

    def restart(self):
        """Stops and starts the server on its data."""
        self.server.stop()
        self.launch()

    def root_pids(self):
        return [self.server.pid]

    def stop(self):
        if self.server is not None:
            self.server.stop()

    def sampled(self, drive):
        """The Sample of what `drive` measures while the server's use of resources is watched."""
        before = usage_of_trees(self.root_pids())
        result = drive()
        after = usage_of_trees(self.root_pids())
        return load.Sample.of(result, after.cpu_seconds - before.cpu_seconds, after.resident_bytes)


class HttpSystem(ServerSystem):
    """A server that the HTTP load driver talks to. Subclasses give its requests."""

    health_path = None  # none: ready as soon as it accepts connections

    def __init__(self, context):
        super().__init__(context)
        self.client = RestClient(self.port)

    def sign_in(self):
        """Called when the server is ready for the first time."""

    def load_documents(self, count):
        """Called after sign_in."""

    def start(self, documents):
        self.documents = documents
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.launch()
        self.sign_in()
        if documents:
            self.load_documents(documents)

    def is_ready(self):
        return answers(self.port, self.health_path) if self.health_path else super().is_ready()

    def prepare(self, case):
        requests = self.requests(case.workload)
        self.probe(requests[0])
        load.write_workload(self.workload_file(case.workload), requests)

    def probe(self, request):
        """Sends one request and looks at the answer before any load does."""
        self.client.send(request)

    def measure(self, case, seconds):
        def drive():
            file = self.workload_file(case.workload)
            return load.drive(self.context, self.port, file, case.connections, seconds)

        return self.sampled(drive)

    def requests(self, workload):
        makers = {
            "read": self._read_requests,
            "list": self._list_requests,
            "write": self._write_requests,
            "sum": self._sum_requests,
            "read in function": self._function_read_requests,
        }
        return makers[workload]()

    def read_request(self, number):
        raise NotImplementedError

    def list_request(self, amount):
        """The first LISTED documents by amount, from this amount on, with two of their fields."""
        raise NotImplementedError

    def write_request(self, number):
        raise NotImplementedError

    def sum_request(self, a, b):
        raise NotImplementedError

    def function_read_request(self, number):
        raise NotImplementedError

    def _read_requests(self):
        return [self.read_request(number) for number in shuffled_numbers(self.documents)]

    def _list_requests(self):
        return [self.list_request(amount) for amount in LISTED_FROM]

    def _write_requests(self):
        return [self.write_request(number) for number in range(DISTINCT_WRITES)]

    def _sum_requests(self):
        return [self.sum_request(number, number * 3 + 1) for number in range(DISTINCT_SUMS)]

    def _function_read_requests(self):
        return [self.function_read_request(number) for number in shuffled_numbers(self.documents)]

    def workload_file(self, workload):
        return self.context.work_dir / f"{self.name}.{workload.replace(' ', '-')}.ndjson"
