"""A server with its endpoint, and what a test works with."""

import dataclasses

from restitch_process import RestitchProcess


@dataclasses.dataclass
class Context:
    """What a test works with: the server, a client of its own, and the name of its own database."""

    process: RestitchProcess
    wire_port: int
    name: str = ""
    client: object = None

    def connect(self, **options):
        import pymongo
        return pymongo.MongoClient("127.0.0.1", self.wire_port, serverSelectionTimeoutMS=10000,
                                   **{"socketTimeoutMS": 60000, **options})


def start(binary, data, options):
    process = RestitchProcess(binary, data, [], ["--wire", "127.0.0.1:0", *options]).wait_until_ready()
    if process.wire_port is not None:
        return Context(process, process.wire_port)
    process.kill()
    raise SystemExit("the server does not tell the port of its endpoint\n" + process.log_tail())
