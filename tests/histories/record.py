"""Concurrent clients that write down what they asked for, when, and what they were told."""

import random
import threading
import time

import pymongo
import pymongo.errors
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

TRANSIENT = "TransientTransactionError"


def connect(port):
    return pymongo.MongoClient("127.0.0.1", port, retryWrites=False, retryReads=False, directConnection=True,
                               serverSelectionTimeoutMS=2000)


class Clients:
    """Threads that call `step(client, random, note)` again and again, until stop() or the server is gone."""

    def __init__(self, port, step, count, seed):
        self.history = []
        self.failures = []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(port, step, random.Random(f"{seed}/{i}")))
                         for i in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self, port, step, dice):
        with connect(port) as client:
            try:
                while not self._stopping.is_set():
                    step(client, dice, self.history.append)
            except pymongo.errors.ConnectionFailure:
                pass
            except Exception as error:  # told by the main thread
                self.failures.append(repr(error))

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join()


class Registers:
    """Reads, writes and compare-and-sets of single documents by several kinds of command."""

    def __init__(self, keys):
        self.keys = keys
        self._next = 0
        self._lock = threading.Lock()

    def _fresh(self):
        with self._lock:
            self._next += 1
            return self._next

    def prepare(self, client):
        client.histories.registers.insert_many([{"_id": key, "v": None} for key in self.keys])

    def step(self, client, dice, note):
        key = dice.choice(self.keys)
        kind = dice.choices(["read", "write", "cas"], [5, 2, 4])[0]
        operation = {"key": key, "f": kind, "call": time.monotonic_ns()}
        if kind == "write":
            operation["value"] = self._fresh()
        elif kind == "cas":
            operation.update({"from": self._last_seen(client, key), "to": self._fresh()})
            operation["call"] = time.monotonic_ns()
        try:
            getattr(self, f"_{kind}")(client, dice, operation)
            operation["return"] = time.monotonic_ns()
        finally:
            note(operation)

    def _last_seen(self, client, key):
        return client.histories.registers.find_one({"_id": key})["v"]

    def _read(self, client, dice, operation):
        level = dice.choice(["local", "majority", "linearizable"])
        registers = client.histories.get_collection("registers", read_concern=ReadConcern(level))
        operation["value"] = registers.find_one({"_id": operation["key"]})["v"]

    def _write(self, client, dice, operation):
        registers = client.histories.get_collection(
            "registers", write_concern=WriteConcern(w=dice.choice([1, "majority"])))
        if dice.random() < 0.5:
            registers.update_one({"_id": operation["key"]}, {"$set": {"v": operation["value"]}})
        else:
            registers.replace_one({"_id": operation["key"]}, {"v": operation["value"]})

    def _cas(self, client, dice, operation):
        which = {"_id": operation["key"], "v": operation["from"]}
        change = {"$set": {"v": operation["to"]}}
        if dice.random() < 0.5:
            operation["ok"] = client.histories.registers.update_one(which, change).modified_count == 1
        else:
            operation["ok"] = client.histories.registers.find_one_and_update(which, change) is not None


class Appends:
    """Transactions that read lists and append to them. A list is left for a new one when it is long."""

    LONG = 40

    def __init__(self, lists):
        self._keys = list(range(lists))
        self._counts = {}
        self._lock = threading.Lock()
        self.all_keys = set(self._keys)

    def prepare(self, client):
        client.histories.create_collection("lists")

    def _element(self, index):
        """(key, fresh element)"""
        with self._lock:
            key = self._keys[index]
            self._counts[key] = self._counts.get(key, 0) + 1
            if self._counts[key] >= self.LONG:
                self._keys[index] = max(self.all_keys) + 1
                self.all_keys.add(self._keys[index])
            return key, self._counts[key]

    def step(self, client, dice, note):
        transaction = {"ops": [], "call": time.monotonic_ns(), "status": "aborted"}
        lists = client.histories.lists
        try:
            with client.start_session() as session:
                session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"))
                for _ in range(dice.randint(1, 4)):
                    self._operation(lists, session, dice, transaction["ops"])
                if dice.random() < 0.1:
                    session.abort_transaction()
                else:
                    transaction["status"] = "unknown"
                    session.commit_transaction()
                    transaction["status"] = "ok"
        except pymongo.errors.OperationFailure as error:
            if not error.has_error_label(TRANSIENT):
                raise
            transaction["status"] = "aborted"
        finally:
            if transaction["status"] != "unknown":
                transaction["return"] = time.monotonic_ns()
            note(transaction)

    def _operation(self, lists, session, dice, ops):
        index = dice.randrange(len(self._keys))
        if dice.random() < 0.5:
            key = self._keys[index]
            found = lists.find_one({"_id": key}, session=session)
            ops.append(["r", key, found["v"] if found else []])
            return
        key, element = self._element(index)
        ops.append(["append", key, element])
        try:
            lists.update_one({"_id": key}, {"$push": {"v": element}}, upsert=True, session=session)
        except pymongo.errors.DuplicateKeyError as error:  # two upserts of one key: the second one is told so
            raise pymongo.errors.OperationFailure(
                str(error), 112, {"errorLabels": [TRANSIENT]}) from error

    def final(self, client):
        return {document["_id"]: document["v"] for document in client.histories.lists.find()}
