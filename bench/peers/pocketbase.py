"""PocketBase, built from its Go module, as it comes and with durable commits."""

import json
import subprocess
from urllib.parse import urlencode

from harness.documents import fields_of
from harness.rest import json_post
from harness.trigger import Triggered
from peers.installer import install_once
from peers.system import LISTED, HttpSystem

# As in peers/pocketbase/main.go.
OWNER_ID = "benchowner00000"
OWNER_EMAIL = "owner@bench.example"
OWNER_PASSWORD = "bench-password"


def _item_id(number):
    return f"item{number:011d}"


class PocketBase(HttpSystem):
    name = "pocketbase"
    workloads = {"read", "list", "write"}
    durability = "SQLite WAL, synchronous=NORMAL (default): acknowledged before it is durable"
    health_path = "/api/health"
    environment = {}

    def install(self):
        source = self.context.bench_dir / "peers" / "pocketbase"
        folder = install_once(source, ["go", "build", "-trimpath", "-o", "pocketbase", "."])
        self._binary = folder / "pocketbase"
        self._module_file = folder / "go.mod"

    def command(self):
        arguments = ["serve", f"--http=127.0.0.1:{self.port}", f"--dir={self.data_dir}"]
        return [self._binary, *arguments], self.environment

    def start(self, documents):
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._seed(documents)
        super().start(documents)

    def _seed(self, documents):
        items = self.context.work_dir / f"{self.name}.items.ndjson"
        with open(items, "w") as out:
            for number in range(documents):
                out.write(
                    json.dumps({"id": _item_id(number), **fields_of(number, OWNER_ID)}) + "\n"
                )
        command = [self._binary, "seed", items, f"--dir={self.data_dir}"]
        subprocess.run(command, check=True, capture_output=True)

    def sign_in(self):
        credentials = {"identity": OWNER_EMAIL, "password": OWNER_PASSWORD}
        answer = self.client.post("/api/collections/users/auth-with-password", credentials)
        self._headers = {"Authorization": answer["token"]}

    def read_request(self, number):
        return {
            "method": "GET",
            "path": f"/api/collections/items/records/{_item_id(number)}",
            "headers": self._headers,
            "expect": _item_id(number),
        }

    def list_request(self, amount):
        query = {
            "filter": f"amount>={amount}",
            "sort": "amount",
            "perPage": LISTED,
            "skipTotal": 1,
            "fields": "id,title,amount",
        }
        return {
            "method": "GET",
            "path": f"/api/collections/items/records?{urlencode(query)}",
            "headers": self._headers,
            "expect": '"amount"',
        }

    def write_request(self, number):
        path = "/api/collections/writes/records"
        fields = fields_of(number, OWNER_ID)
        return {**json_post(path, fields, self._headers), "expect": fields["title"]}

    def version(self):
        for line in self._module_file.read_text().splitlines():
            if "pocketbase/pocketbase " in line:
                return "PocketBase " + line.split()[1]
        return "unknown"


class DurablePocketBase(PocketBase):
    name = "pocketbase-full"
    durability = "SQLite WAL, synchronous=FULL: synced before the answer"
    environment = {"POCKETBASE_SYNCHRONOUS": "FULL"}


class TriggeredPocketBase(Triggered, DurablePocketBase):
    """A hook in Go, in the server's own process."""

    name = "pocketbase-full"

    def trigger_write(self, title):
        fields = {**fields_of(0, OWNER_ID), "title": title}
        return json_post("/api/collections/triggered/records", fields, self._headers)

    def take_times(self):
        return self.client.send({"method": "GET", "path": "/bench/times"})
