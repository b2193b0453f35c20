"""RocksDB's own group commit: as many writing threads as the servers have connections."""

from harness import load
from harness.documents import DOCUMENT_BYTES
from peers.system import System


class RawRocksDb(System):
    name = "raw-rocksdb"
    workloads = {"write"}
    durability = "WAL synced before every write returns"

    def __init__(self, context):
        super().__init__(context)
        self._version = "unknown"

    def start(self, documents):
        self.data_dir.mkdir(parents=True, exist_ok=True)

    def measure(self, case, seconds):
        result = load.raw_put(
            self.context.programs,
            self.context.server_core,
            self.data_dir,
            case.connections,
            DOCUMENT_BYTES,
            seconds,
        )
        self._version = f"RocksDB {result['version']}"
        return load.Sample.of(result, result["cpu_seconds"], result["resident_bytes"])

    def version(self):
        return self._version
