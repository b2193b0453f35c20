"""The embedded cluster in process, and RocksDB with the same options, keys and values."""

from dataclasses import dataclass

from harness import load
from harness.restitch import Restitch
from peers.installer import program_version
from peers.system import System

WARM_UP_SECONDS = 1.5


@dataclass(frozen=True)
class EngineCase:
    """A workload on a number of documents, by so many callers at once; 0: no stored documents."""

    workload: str
    connections: int
    documents: int

    @property
    def name(self):
        size = f", {self.documents:,} documents" if self.documents else ""
        return f"{self.workload} @{self.connections}{size}"


class EngineSystem(System):
    system = ""

    def __init__(self, context):
        super().__init__(context)
        self._version = "unknown"

    def prepare(self, case):
        """Fills a store of the case's size, when there is none."""
        directory = self._directory(case)
        if case.documents and not directory.exists():
            directory.mkdir(parents=True)
            load.fill_engine(self.context, self.system, directory, case.documents)

    def measure(self, case, seconds):
        warm_up = min(seconds, WARM_UP_SECONDS)
        directory = self._directory(case)
        result = load.run_engine(self.context, self.system, directory, case, seconds, warm_up)
        self._version = f"RocksDB {result['version']}"
        return load.Sample.of(result, result["cpu_seconds"], result["resident_bytes"])

    def version(self):
        return self._version

    def _directory(self, case):
        return self.data_dir / str(case.documents)


class EmbeddedCluster(EngineSystem):
    name = Restitch.name
    system = "restitch"
    workloads = frozenset(
        ["get", "range", "scan", "insert", "insert buffered", "insert many", "match", "group"]
    )
    durability = "log synced before the reply; insert buffered: not synced"

    def version(self):
        return f"{program_version([self.context.programs.restitch, '--version'])}, {self._version}"


class RocksDbAlone(EngineSystem):
    name = "raw-rocksdb"
    system = "raw"
    workloads = EmbeddedCluster.workloads - {"match", "group"}
    durability = "WAL synced before the write returns; insert buffered: not synced"
