"""Parse Server on PostgreSQL: documents protected by ACLs per user and class-level permissions."""

import csv
import json
from urllib.parse import urlencode

from harness.documents import fields_of
from harness.rest import json_post
from peers.installer import npm_install, program_version, require_program
from peers.postgres import PORT, SUPERUSER, Postgres
from peers.system import LISTED, HttpSystem

LOADED_AT = "2026-01-01T00:00:00Z"


def _object_id(number):
    return f"{number:010d}"


class ParseServer(HttpSystem):
    name = "parse"
    workloads = {"read", "list", "write", "sum", "read in function"}
    durability = "PostgreSQL, fsync=on, synchronous_commit=on"
    health_path = "/parse/health"

    def __init__(self, context):
        super().__init__(context)
        self._postgres = None

    def install(self):
        require_program("node")
        self._folder = npm_install(self.context.bench_dir / "peers" / "parse")
        self._postgres = Postgres(self.data_dir / "postgres", self.context.server_core)

    def start(self, documents):
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._postgres.start()
        super().start(documents)

    def command(self):
        env = {
            "PORT": str(self.port),
            "DATABASE_SOCKET": str(self._postgres.socket_dir),
            "DATABASE_PORT": str(PORT),
            "DATABASE_USER": SUPERUSER,
            "NODE_ENV": "production",
        }
        return ["node", self._folder / "server.js"], env

    def sign_in(self):
        headers = {"X-Parse-Application-Id": "bench"}
        credentials = {"username": "owner", "password": "bench-password"}
        user = self.client.post("/parse/users", credentials, headers)
        self._owner = user["objectId"]
        self._headers = {**headers, "X-Parse-Session-Token": user["sessionToken"]}

    def load_documents(self, count):
        """Copies rows as Parse Server stores them: through its API this would take many minutes."""
        file = self.context.work_dir / f"{self.name}.items.csv"
        permission = "{" + self._owner + "}"
        names = list(fields_of(0, self._owner))
        with open(file, "w", newline="") as out:
            rows = csv.writer(out)
            for number in range(count):
                head = [_object_id(number), LOADED_AT, LOADED_AT, permission, permission]
                rows.writerow(head + list(fields_of(number, self._owner).values()))
        columns = ['"objectId"', '"createdAt"', '"updatedAt"', "_rperm", "_wperm", *names]
        self._postgres.run_sql(
            f'\\copy "Item" ({", ".join(columns)}) from \'{file}\' csv',
            'CREATE INDEX ON "Item" (amount)',
            'VACUUM ANALYZE "Item"',
        )

    def root_pids(self):
        return [self.server.pid, self._postgres.pid]

    def stop(self):
        super().stop()
        if self._postgres is not None:
            self._postgres.stop()

    def read_request(self, number):
        return {
            "method": "GET",
            "path": f"/parse/classes/Item/{_object_id(number)}",
            "headers": self._headers,
            "expect": _object_id(number),
        }

    def list_request(self, amount):
        query = {
            "where": json.dumps({"amount": {"$gte": amount}}),
            "order": "amount",
            "limit": LISTED,
            "keys": "title,amount",
        }
        return {
            "method": "GET",
            "path": f"/parse/classes/Item?{urlencode(query)}",
            "headers": self._headers,
            "expect": '"amount"',
        }

    def write_request(self, number):
        document = {
            **fields_of(number, self._owner),
            "ACL": {self._owner: {"read": True, "write": True}},
        }
        return {**json_post("/parse/classes/Write", document, self._headers), "expect": "objectId"}

    def sum_request(self, a, b):
        request = json_post("/parse/functions/sum", {"a": a, "b": b}, self._headers)
        return {**request, "expect": f'{{"result":{a + b}}}'}

    def function_read_request(self, number):
        request = json_post("/parse/functions/readOne", {"id": _object_id(number)}, self._headers)
        return {**request, "expect": _object_id(number)}

    def version(self):
        package = json.loads((self._folder / "node_modules/parse-server/package.json").read_text())
        node = program_version(["node", "--version"])
        return f"Parse Server {package['version']}, Node.js {node}, {self._postgres.version()}"
