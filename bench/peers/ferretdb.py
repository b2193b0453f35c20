"""FerretDB 1.24 on SQLite and on PostgreSQL."""

from peers.postgres import PORT, SUPERUSER, Postgres
from peers.wire_servers import FerretDbProgram
from peers.wire_system import WireSystem


class FerretDb(WireSystem):
    handler = ""

    def __init__(self, context):
        super().__init__(context)
        self._program = FerretDbProgram()

    def install(self):
        self._program.install()

    def url(self):
        raise NotImplementedError

    def command(self):
        return self._program.command(self.handler, self.url(), self.port), {}

    def version(self):
        return self._program.version()


class FerretDbOnSqlite(FerretDb):
    name = "ferretdb-sqlite"
    durability = "SQLite WAL, synchronous=FULL (its default): synced before the answer"
    handler = "sqlite"

    def can_run(self, case):
        """Its concurrent updates wait for each other's scans and fail as busy."""
        updates = case.workload in {"update", "ycsb a", "ycsb b"}
        return super().can_run(case) and not (updates and case.connections > 1)

    def url(self):
        return f"file:{self.data_dir}/"


class FerretDbOnPostgres(FerretDb):
    name = "ferretdb-postgresql"
    durability = "PostgreSQL, fsync=on, synchronous_commit=on"
    handler = "postgresql"

    def __init__(self, context):
        super().__init__(context)
        self._postgres = None

    def install(self):
        super().install()
        self._postgres = Postgres(self.data_dir / "postgres", self.context.server_core)

    def url(self):
        socket_dir = self._postgres.socket_dir
        return f"postgres://{SUPERUSER}@/postgres?host={socket_dir}&port={PORT}"

    def start(self, documents):
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._postgres.start()
        super().start(documents)

    def root_pids(self):
        return [self.server.pid, self._postgres.pid]

    def stop(self):
        super().stop()
        if self._postgres is not None:
            self._postgres.stop()

    def version(self):
        return f"{super().version()}, {self._postgres.version()}"
