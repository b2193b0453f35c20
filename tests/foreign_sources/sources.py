"""The deployments behind the data source, each with what it lacks.

`lacks` names capabilities (see `needs` in bench.py) and for each the text of the error that must come instead, or of the
difference that the case finds. What is declared here stands in docs/compatibility/data-sources.md with the reason."""

import shutil
import tempfile

from foreign_servers import FerretDbOnPostgres, FerretDbOnSqlite, MongoJavaServer
from posing import PosingProxy
from restitch_process import RestitchProcess, free_port

CLUSTER = "Cluster0"
SELECTION = "serverSelectionTimeoutMS=1500"  # so that an absence shows soon
UNAVAILABLE = "data source 'main' is not available"


class Source:
    name = ""
    lacks = {}
    unreliable = set()  # of those, what may go well by chance
    is_outside = True  # a server of its own, which can go away
    wanted = None  # only cases that need one of these; None: all

    def start(self):
        """Starts it, also once more after kill()."""

    def kill(self):
        pass

    def close(self):
        pass

    def options(self):
        """Those that make the server under test use it."""
        return ["--cluster", f"{CLUSTER}={self.uri}{'&' if '?' in self.uri else '/?'}{SELECTION}"]


class Embedded(Source):
    """The cluster in the server itself; its endpoint is for looking at what is stored."""

    name = "embedded"
    is_outside = False

    def __init__(self, binary):
        self._port = free_port()
        self.uri = f"mongodb://127.0.0.1:{self._port}/?replicaSet=restitch"
        self.version = "embedded cluster"

    def options(self):
        return ["--wire", f"127.0.0.1:{self._port}"]


class Restitch(Source):
    """Another server's endpoint: a replica set with transactions and change streams."""

    name = "restitch"

    def __init__(self, binary):
        self._binary = binary
        self._port = free_port()
        self._data = tempfile.mkdtemp(prefix="restitch-foreign-")
        self._process = None
        self.uri = f"mongodb://127.0.0.1:{self._port}/?replicaSet=restitch"
        self.version = "a second Restitch"

    def start(self):
        self._process = RestitchProcess(self._binary, self._data, [],
                                        ["--wire", f"127.0.0.1:{self._port}"]).wait_until_ready()

    def kill(self):
        self._process.kill()

    def close(self):
        self.kill()
        shutil.rmtree(self._data, ignore_errors=True)


class Foreign(Source):
    server = None

    def __init__(self, binary):
        self._server = type(self).server()
        self.version = self._server.version
        self.uri = self._server.uri

    def start(self):
        self._server.start()

    def kill(self):
        self._server.kill()

    def close(self):
        self._server.close()


class MongoJava(Foreign):
    name = "mongo-java-server"
    server = MongoJavaServer
    lacks = {
        "binary subtypes": "AssertionError {'own': (b'x', Binary(b'x', 128))}",
        "collation": "AssertionError found [{'_id': 2, 'name': 'ann'}]",
        "comparable empty arrays": "a write that depends on the stored document is not possible on the data source 'main'",
        "comparable patterns": "can't compare class de.bwaldvogel.mongo.bson.BsonRegularExpression",
        "events of updates": "AssertionError {'_id': {'_data': ",
        "number types": "AssertionError 1 is no 1.0",
        "transactions": "data source 'main' has no transactions",
        "update pipelines": "class java.util.ArrayList cannot be cast to",
    }


class FerretDb(Foreign):
    name = "ferretdb-sqlite"
    server = FerretDbOnSqlite
    unreliable = {"concurrent writes"}
    lacks = {
        "array filters": 'support for field "arrayFilters"',
        "change streams": "watch is not possible on the data source 'main'",
        "collation": 'find: support for field "collation"',
        "computed fields": "The operator $multiply is not implemented yet",
        "concurrent writes": "",
        "decided writes": "a write that depends on the stored document is not possible on the data source 'main'",
        "decimals": UNAVAILABLE,  # it ends the connection
        "joins": '`aggregate` stage "$lookup" is not implemented yet',
        "least and most": UNAVAILABLE,
        "nested arrays": "nested arrays are not supported",
        "transactions": "data source 'main' has no transactions",
        "triggers": "the data source has no change streams",
        "update pipelines": "BSON field 'update.updates.u' is the wrong type 'array'",
    }


class FerretDbPostgres(FerretDb):
    """Where the distribution's PostgreSQL server is installed."""

    name = "ferretdb-postgresql"
    server = FerretDbOnPostgres
    lacks = {**FerretDb.lacks, "NUL in texts": "unsupported Unicode escape sequence"}


class PosingFerretDb(FerretDb):
    """FerretDB that calls itself a replica set: it takes the fields of a transaction and ignores them."""

    name = "ferretdb-posing"
    wanted = {"transactions", "decided writes"}

    def start(self):
        super().start()
        self._proxy = PosingProxy(self._server.port)

    def options(self):
        return ["--cluster", f"{CLUSTER}={self._proxy.uri}&{SELECTION}"]

    def close(self):
        self._proxy.close()
        super().close()


ALL = [Embedded, Restitch, MongoJava, FerretDb, FerretDbPostgres, PosingFerretDb]
