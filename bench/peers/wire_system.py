"""What all servers of the MongoDB wire protocol share."""

from harness import load
from peers.system import ServerSystem

WRITING_CASES = {"insert", "insert many", "insert retryable"}


class WireSystem(ServerSystem):
    """A server that the wire driver fills and talks to."""

    workloads = frozenset(
        "ping, find, insert, insert many, update, scan, group, ycsb a, ycsb b, ycsb c, ycsb e".split(
            ", "
        )
    )

    def start(self, documents):
        self.documents = documents
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.launch()
        load.fill_by_wire(self.context, self.port, documents)

    def measure(self, case, seconds):
        if case.workload in WRITING_CASES:
            load.empty_writes_by_wire(self.context, self.port)

        def drive():
            return load.drive_wire(self.context, self.port, case, self.documents, seconds)

        return self.sampled(drive)
