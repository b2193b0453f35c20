"""A bare Beast server that answers a constant of the size of Restitch's answer."""

import json

from harness.documents import fields_of, readable
from peers.installer import program_version
from peers.system import HttpSystem

OWNER_PLACEHOLDER = "0" * 24


def extended_json_bytes(fields):
    """Size of a document with an ObjectId as the client API sends it: canonical Extended JSON."""
    document = {"_id": {"$oid": "0" * 24}}
    for name, value in fields.items():
        document[name] = {"$numberInt": str(value)} if isinstance(value, int) else value
    return len(json.dumps(document, separators=(",", ":")).encode())


class Floor(HttpSystem):
    name = "floor"
    workloads = {"read"}

    def command(self):
        size = extended_json_bytes(readable(fields_of(0, OWNER_PLACEHOLDER)))
        return [self.context.programs.floor, "--port", self.port, "--body-bytes", size], {}

    def read_request(self, number):
        return {"method": "GET", "path": f"/items/{number}"}

    def version(self):
        version = program_version([self.context.programs.floor, "--version"])
        return "Boost " + version.replace("_", ".")
