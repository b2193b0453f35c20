"""Concurrent writers that use a MongoDB driver. As in writers.py each knows outside of the server what was acknowledged
and what was under way at the kill; `prepare` and `check` get a pymongo client, `write` the writer's own."""

import time
import uuid

import bson
import pymongo
import pymongo.errors
import raw_client
from bson.int64 import Int64

from writers import Writer

# What a driver says when the server is gone: the outcome of what it did is unknown.
GONE = (pymongo.errors.ConnectionFailure, raw_client.Closed, OSError)


class DriverWriter(Writer):
    def __init__(self, name, random):
        super().__init__(name, None, random)
        self.pending = None

    def run(self, port, stopping):
        client = connect(port)
        try:
            self.begin(port)
            while not stopping.is_set():
                self.write(client.crash_driver)
                self.acknowledged += 1
        except GONE:
            pass
        except pymongo.errors.OperationFailure as error:
            # A server that dies in order does not exist here, one that is killed may still have answered this.
            if not error.has_error_label("TransientTransactionError") or not stopping.is_set():
                raise
        finally:
            client.close()

    def begin(self, port):
        pass


def connect(port):
    return pymongo.MongoClient("127.0.0.1", port, retryWrites=False, retryReads=False, directConnection=True,
                               serverSelectionTimeoutMS=2000, heartbeatFrequencyMS=500)


class Transfers(DriverWriter):
    """Transactions over two collections: the balances agree with the list of transfers."""

    ACCOUNTS, START = 4, 1000

    def prepare(self, db):
        self.next = 0
        self.transfers = {}
        self.accounts = [f"{self.name}-{i}" for i in range(self.ACCOUNTS)]
        db.accounts.insert_many([{"_id": account, "owner": self.name, "balance": self.START}
                                 for account in self.accounts])

    def write(self, db):
        self.next += 1
        source, target = self.random.sample(self.accounts, 2)
        amount = self.random.randint(1, 50)
        key = f"{self.name}-{self.next:07}"
        is_aborted = self.random.random() < 0.2
        self.pending = None if is_aborted else (key, (source, target, amount))
        with db.client.start_session() as session:
            session.start_transaction()
            db.accounts.update_one({"_id": source}, {"$inc": {"balance": -amount}}, session=session)
            db.accounts.update_one({"_id": target}, {"$inc": {"balance": amount}}, session=session)
            db.transfers.insert_one({"_id": key, "owner": self.name, "from": source, "to": target, "amount": amount},
                                    session=session)
            if is_aborted:
                session.abort_transaction()
                return
            session.commit_transaction()
        self.transfers[key] = self.pending[1]
        self.pending = None

    def check(self, db):
        stored = {entry["_id"]: (entry["from"], entry["to"], entry["amount"])
                  for entry in db.transfers.find({"owner": self.name})}
        if self.pending and self.pending[0] in stored:
            self.transfers[self.pending[0]] = self.pending[1]
        self.pending = None
        if stored != self.transfers:
            yield f"transfers of {self.name} differ: {sorted(stored.items() ^ self.transfers.items())[:5]}"
        expected = dict.fromkeys(self.accounts, self.START)
        for source, target, amount in stored.values():
            expected[source] -= amount
            expected[target] += amount
        found = {account["_id"]: account["balance"] for account in db.accounts.find({"owner": self.name})}
        if found != expected:
            yield f"balances of {self.name} are {found}, the transfers say {expected}"


class Retries(DriverWriter):
    """Retryable writes, sent again with the same transaction number when no answer came: each happens exactly once."""

    def prepare(self, db):
        self.session = {"id": bson.Binary(uuid.uuid4().bytes, 4)}
        self.number = 0
        self.count = 0
        db.counters.insert_one({"_id": self.name, "n": 0})

    def begin(self, port):
        self.raw = raw_client.RawClient(port)

    def _command(self, number):
        common = {"$db": "crash_driver", "lsid": self.session, "txnNumber": Int64(number)}
        kind = number % 3
        if kind == 0:
            return {"findAndModify": "counters", "query": {"_id": self.name}, "update": {"$inc": {"n": 1}}, "new": True,
                    **common}
        if kind == 1:
            return {"insert": "retried", "documents": [{"_id": f"{self.name}-{number}"}], **common}
        return {"update": "counters", "updates": [{"q": {"_id": self.name}, "u": {"$inc": {"n": 1}}}], **common}

    def write(self, _db):
        if self.pending is None:
            self.number += 1
            self.pending = self.number
        reply = self.raw.command(self._command(self.pending)).document
        kind = self.pending % 3
        count = self.count + (1 if kind != 1 else 0)
        if reply.get("ok") != 1 or reply.get("writeErrors"):
            raise AssertionError(f"{self.name}, write {self.pending}: {reply}")
        if kind == 0 and reply["value"]["n"] != count:
            raise AssertionError(f"{self.name} counted to {reply['value']}, expected {count}")
        if kind != 0 and reply["n"] != 1:
            raise AssertionError(f"{self.name}, write {self.pending}: {reply}")
        self.count = count
        self.pending = None

    def check(self, db):
        """What was under way is sent again by the next write()."""
        found = db.counters.find_one({"_id": self.name})["n"]
        if found != self.count and not (self.pending and self.pending % 3 != 1 and found == self.count + 1):
            yield f"counter {self.name} is {found}, acknowledged was {self.count}"
        inserted = db.retried.count_documents({"_id": {"$gte": f"{self.name}-", "$lt": f"{self.name}."}})
        expected = sum(1 for number in range(1, self.number + 1) if number % 3 == 1 and number != self.pending)
        if inserted != expected and not (self.pending and self.pending % 3 == 1 and inserted == expected + 1):
            yield f"{self.name} has {inserted} documents, acknowledged were {expected}"


class Schema(DriverWriter):
    """Builds and drops indexes, makes, renames and drops collections: each is there as a whole or not at all."""

    DOCUMENTS = 700

    def prepare(self, db):
        self.rows = f"{self.name}_rows"
        db[self.rows].insert_many([{"_id": i, "a": i % 37, "b": [i, i + 1], "c": f"text {i}"}
                                   for i in range(self.DOCUMENTS)])
        self.indexes = set()
        self.collections = {}  # suffix to the number of documents
        self.next = 0

    INDEXES = {"a_1": [("a", 1)], "b_1": [("b", 1)], "c_-1_a_1": [("c", -1), ("a", 1)], "a_1_b_1": [("a", 1), ("b", 1)]}

    def write(self, db):
        kind = self.random.choice(["index", "index", "collection", "change"])
        if kind == "index":
            name = self.random.choice(list(self.INDEXES))
            self.pending = ("index", name)
            if name in self.indexes:
                db[self.rows].drop_index(name)
                self.indexes.discard(name)
            else:
                db[self.rows].create_index(self.INDEXES[name])
                self.indexes.add(name)
        elif kind == "change":
            document = self.random.randrange(self.DOCUMENTS)
            self.pending = ("change", document)
            db[self.rows].update_one({"_id": document}, {"$inc": {"a": 1}, "$push": {"b": {"$each": [0], "$slice": -4}}})
        elif len(self.collections) > 3:
            self._rename_or_drop(db)
        else:
            self.next += 1
            self.pending = ("made", self.next)
            made = db[f"{self.name}_{self.next}"]
            made.create_index("n")
            made.insert_many([{"n": i} for i in range(20)])
            self.collections[self.next] = 20
        self.pending = None

    def _rename_or_drop(self, db):
        source, target = self.random.sample(list(self.collections), 2)
        if self.random.random() < 0.5:
            self.pending = ("renamed", source, target)
            db[f"{self.name}_{source}"].rename(f"{self.name}_{target}", dropTarget=True)
        else:
            self.pending = ("dropped", source)
            db.drop_collection(f"{self.name}_{source}")
        del self.collections[source]

    def check(self, db):
        found = set(db[self.rows].index_information()) - {"_id_"}
        differing = found ^ self.indexes
        if not differing <= ({self.pending[1]} if self.pending and self.pending[0] == "index" else set()):
            yield f"{self.name} has the indexes {found}, acknowledged were {self.indexes}"
        self.indexes = found
        if db[self.rows].count_documents({}) != self.DOCUMENTS:
            yield f"{self.name}: documents are lost or doubled"
        prefix = f"{self.name}_"
        stored = {int(name[len(prefix):]): db[name].count_documents({}) for name in db.list_collection_names()
                  if name.startswith(prefix) and name != self.rows}
        unknown = set(self.pending[1:]) if self.pending and self.pending[0] in ("made", "renamed", "dropped") else set()
        for number in stored.keys() | self.collections.keys():
            if number in unknown:
                if self.pending[0] == "renamed" and number == self.pending[2] and number not in stored:
                    yield f"{self.name}: the target {number} of a renaming is gone"
                if self.pending[0] != "made" and stored.get(number, 20) != 20:
                    yield f"{self.name}: collection {number} is there in part"
            elif stored.get(number) != self.collections.get(number):
                yield f"{self.name}: collection {number} has {stored.get(number)} documents"
        if self.pending and self.pending[0] == "made" and self.pending[1] in stored:
            db.drop_collection(f"{prefix}{self.pending[1]}")
            stored.pop(self.pending[1])
        self.collections = dict.fromkeys(stored, 20)
        self.pending = None


class Capped(DriverWriter):
    """A collection that keeps its newest documents."""

    MOST = 50

    def prepare(self, db):
        self.last = 0
        db.create_collection(self.name, capped=True, size=1 << 20, max=self.MOST)

    def write(self, db):
        self.pending = self.last + 1
        db[self.name].insert_one({"n": self.last + 1, "text": "x" * self.random.randrange(500)})
        self.last += 1
        self.pending = None

    def check(self, db):
        numbers = [document["n"] for document in db[self.name].find()]
        last = numbers[-1] if numbers else 0
        if last != self.last and not (self.pending and last == self.last + 1):
            yield f"{self.name} ends with {last}, acknowledged was {self.last}"
        if numbers != list(range(last - min(last, self.MOST) + 1, last + 1)):
            yield f"{self.name} holds {numbers}"
        self.last = last
        self.pending = None


class Expiring(DriverWriter):
    """Documents that a TTL index removes, and their neighbours that it must not touch."""

    def prepare(self, db):
        self.next = 0
        self.kept = set()
        db[self.name].create_index("at", expireAfterSeconds=0)

    def write(self, db):
        import datetime
        now = datetime.datetime.now(datetime.timezone.utc)
        self.next += 1
        # The pause of the thread that deletes is one second.
        soon = now + datetime.timedelta(milliseconds=self.random.randrange(1500))
        self.pending = self.next
        db[self.name].insert_many([{"_id": -self.next, "at": soon}] + ([{"_id": self.next, "at": "never"}]
                                                                       if self.next % 5 == 0 else []))
        if self.next % 5 == 0:
            self.kept.add(self.next)
        self.pending = None

    def check(self, db):
        import datetime
        found = list(db[self.name].find())
        kept = {document["_id"] for document in found if document["_id"] > 0}
        if not (kept ^ self.kept) <= {self.pending}:
            yield f"{self.name} keeps {sorted(kept ^ self.kept)[:5]} wrongly"
        self.kept = kept
        limit = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=60)
        old = [document["_id"] for document in found
               if document["_id"] < 0 and document["at"].replace(tzinfo=datetime.timezone.utc) < limit]
        if old:
            yield f"{self.name} holds expired documents: {old[:5]}"
        self.pending = None


KINDS = [Transfers, Retries, Schema, Capped, Expiring]


def validate_all(client):
    """Every collection of the server: documents, index entries and counters agree."""
    for database in client.list_database_names():
        for entry in client[database].list_collections():
            if entry["type"] == "view":
                continue
            yield from validate(client[database], entry["name"])


def validate(db, name):
    """The counter is asked for by another command: a document may expire in between, but not between all of the pairs."""
    for pause in (0.1, 0.3, 0.9, 0):
        reply = db.command("validate", name, full=True)
        if not reply["valid"]:
            yield f"{db.name}.{name} is not valid: {reply}"
            return
        counted = db.command("count", name)["n"]
        if counted == reply["nrecords"]:
            return
        time.sleep(pause)
    yield f"{db.name}.{name} counts {counted} documents and has {reply['nrecords']}"
