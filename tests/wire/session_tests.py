"""Sessions, transactions and running operations, by unmodified pymongo."""

import threading
import time

from pymongo.errors import ExecutionTimeout, OperationFailure
from pymongo.read_concern import ReadConcern

from checks import equal, fails, test, true

SLOW_ID = 51803  # of the log line about a slow command


def block_finds(context, milliseconds, **data):
    context.client.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": {
        "failCommands": ["find"], "blockConnection": True, "blockTimeMS": milliseconds, **data}})


def running(context, name, seconds=10):
    """The entry of currentOp about a command, once it runs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = context.client.admin.command({"currentOp": 1, f"command.{name}": {"$exists": True}})["inprog"]
        if found:
            return found[0]
        time.sleep(0.02)
    raise AssertionError(f"no {name} is running")


class InBackground(threading.Thread):
    """Runs `work` and keeps the exception it ends with."""

    def __init__(self, work):
        super().__init__()
        self.work, self.error = work, None
        self.start()

    def run(self):
        try:
            self.work()
        except Exception as error:
            self.error = error


@test
def current_operations_tell_who_runs_what(context):
    block_finds(context, 5000, appName="watched")
    with context.connect(appname="watched") as client:
        reader = InBackground(lambda: client[context.name].c.find_one({"a": 1}))
        entry = running(context, "find")
        equal(entry["ns"], f"{context.name}.c")
        equal(entry["op"], "query")
        equal(entry["appName"], "watched")
        equal(entry["command"]["filter"], {"a": 1})
        true(entry["client"].startswith("127.0.0.1:"), "client's address")
        equal(entry["clientMetadata"]["application"]["name"], "watched")
        true("id" in entry["lsid"], "session")
        context.client.admin.command({"killOp": 1, "op": entry["opid"]})
        reader.join()
        equal(reader.error.code, 11601)


def endless_stages(things):
    """Stages that compare every pair of documents, many times over: far more work than a test waits for."""
    things.insert_many([{"_id": n, "n": n} for n in range(1000)])
    compare = {"$match": {"$expr": {"$eq": [{"$add": ["$n", "$$me"]}, -1]}}}
    return [{"$lookup": {"from": things.name, "let": {"me": "$n"}, "pipeline": [compare], "as": f"o{n}"}}
            for n in range(20)]


@test
def a_killed_operation_ends_in_the_midst_of_its_work(context):
    things = context.client[context.name].c
    stages = endless_stages(things)
    reader = InBackground(lambda: list(things.aggregate(stages)))
    entry = running(context, "aggregate")
    started = time.monotonic()
    context.client.admin.command({"killOp": 1, "op": entry["opid"]})
    reader.join()
    equal(getattr(reader.error, "code", None), 11601)
    true(time.monotonic() - started < 5, "ends soon")


@test
def a_killed_operation_ends_in_the_midst_of_an_expression(context):
    numbers = {"$range": [0, 100_000]}
    inner = {"$reduce": {"input": numbers, "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}
    outer = {"$reduce": {"input": numbers, "initialValue": 0, "in": {"$add": ["$$value", inner]}}}
    reader = InBackground(lambda: list(context.client[context.name].aggregate(
        [{"$documents": [{"n": 1}]}, {"$project": {"sum": outer}}])))
    entry = running(context, "aggregate")
    started = time.monotonic()
    for _ in range(6):  # more than there are threads for connections
        with context.connect() as other:
            other.admin.command("ping")
    true(time.monotonic() - started < 5, "others are served")
    context.client.admin.command({"killOp": 1, "op": entry["opid"]})
    reader.join()
    equal(getattr(reader.error, "code", None), 11601)
    true(time.monotonic() - started < 10, "ends soon")


@test
def long_expressions_take_effect_once_wherever_they_stand(context):
    count = 1000  # far more steps than a connection's own thread does
    total = {"$reduce": {"input": {"$range": [0, count]}, "initialValue": "$start",
                         "in": {"$add": ["$$value", "$$this"]}}}
    sum_of = count * (count - 1) // 2
    things = context.client[context.name].c
    things.insert_one({"_id": 1, "start": 1, "n": 0})
    equal(things.count_documents({"$expr": {"$eq": [total, sum_of + 1]}}), 1)
    equal(list(things.find({}, {"x": total})), [{"_id": 1, "x": sum_of + 1}])
    things.insert_one({"_id": 2, "start": 2, "n": 0})
    add = [{"$set": {"n": {"$add": ["$n", total]}}}]
    equal(things.update_many({}, add).modified_count, 2)
    equal([thing["n"] for thing in things.find(sort=[("_id", 1)])], [sum_of + 1, sum_of + 2])
    made = things.find_one_and_update({"_id": 3}, {"$inc": {"n": 1}, "$set": {"start": 3}}, {"x": total}, upsert=True,
                                      return_document=True)
    equal(made, {"_id": 3, "x": sum_of + 3})
    equal(things.find_one({"_id": 3})["n"], 1)
    with things.watch([{"$set": {"x": {"$let": {"vars": {"start": "$fullDocument.start"}, "in": {
            "$reduce": {"input": {"$range": [0, count]}, "initialValue": "$$start",
                        "in": {"$add": ["$$value", "$$this"]}}}}}}}]) as stream:
        things.insert_many([{"_id": number, "start": number} for number in (10, 11, 12)])
        equal([next(stream)["x"] for _ in range(3)], [sum_of + number for number in (10, 11, 12)])
        things.drop()
        equal([event["operationType"] for event in stream], ["drop", "invalidate"])


@test
def killing_all_sessions_ends_operations_cursors_and_transactions(context):
    things = context.client[context.name].c
    things.insert_many([{"_id": n} for n in range(5)])
    cursor = things.find(batch_size=2)
    next(cursor)
    block_finds(context, 10000)
    reader = InBackground(lambda: context.client[context.name].other.find_one())
    running(context, "find")
    with context.client.start_session() as session:
        session.start_transaction()
        things.insert_one({"_id": 10}, session=session)
        context.client.admin.command({"killAllSessions": []})
        reader.join()
        equal(reader.error.code, 11601)
        with fails(OperationFailure, code=251, label="TransientTransactionError"):
            things.insert_one({"_id": 11}, session=session)
        session.abort_transaction()
    with fails(OperationFailure, code=43):
        list(cursor)
    equal(things.count_documents({}), 5)


@test
def a_snapshot_session_reads_one_state(context):
    things = context.client[context.name].c
    things.insert_many([{"_id": 1}, {"_id": 2}])
    with context.client.start_session(snapshot=True) as session:
        equal(len(list(things.find(session=session))), 2)
        things.insert_one({"_id": 3})
        equal(len(list(things.find(session=session))), 2)
        equal(list(things.aggregate([{"$count": "n"}], session=session)), [{"n": 2}])
        equal(things.distinct("_id", session=session), [1, 2])
    equal(things.count_documents({}), 3)


@test
def a_causally_consistent_session_reads_its_own_writes(context):
    things = context.client[context.name].c
    with context.client.start_session(causal_consistency=True) as session:
        for number in range(50):
            things.insert_one({"_id": number}, session=session)
            equal(things.with_options(read_concern=ReadConcern("majority")).count_documents(
                {}, session=session), number + 1)
    with context.client.start_session(causal_consistency=True) as ahead:
        # A time that another server has told: nothing here is as late yet.
        last = context.client.admin.command("ping")["operationTime"]
        later = type(last)(last.time + 30, 1)
        ahead.advance_cluster_time({"clusterTime": later, "signature": {"hash": b"\0" * 20, "keyId": 0}})
        ahead.advance_operation_time(later)
        equal(things.find_one({"_id": 0}, session=ahead), {"_id": 0})
        true(ahead.operation_time >= later, "time")


@test
def a_transaction_creates_collections_or_leaves_none(context):
    database = context.client[context.name]
    with context.client.start_session() as session:
        session.start_transaction()
        database.create_collection("a", session=session)
        database.b.create_index("x", session=session)
        database.b.insert_one({"_id": 1, "x": 1}, session=session)
        equal(database.list_collection_names(), [])
        session.abort_transaction()
        equal(database.list_collection_names(), [])
        session.start_transaction()
        database.create_collection("a", session=session)
        database.b.create_index("x", session=session)
        database.b.insert_one({"_id": 1, "x": 1}, session=session)
        session.commit_transaction()
    equal(sorted(database.list_collection_names()), ["a", "b"])
    equal(list(database.b.index_information()), ["_id_", "x_1"])
    equal(database.b.find_one({"x": 1}), {"_id": 1, "x": 1})


@test
def time_limits_end_reads_and_writes(context):
    things = context.client[context.name].c
    with fails(ExecutionTimeout, code=50):
        list(things.aggregate(endless_stages(things), maxTimeMS=100))
    with context.client.start_session() as session:
        session.start_transaction()
        things.update_one({"_id": 1}, {"$set": {"x": 1}}, session=session)
        with fails(OperationFailure, code=50):
            context.client[context.name].command(
                {"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"x": 2}}}], "maxTimeMS": 100})
        session.abort_transaction()


@test
def an_overlong_transaction_is_ended(context):
    things = context.client[context.name].c
    things.insert_one({"_id": 0})
    admin = context.client.admin
    admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": 1})
    try:
        with context.client.start_session() as session:
            session.start_transaction()
            things.update_one({"_id": 0}, {"$set": {"x": 1}}, session=session)
            # The write of others waits for the transaction, which is ended.
            equal(things.update_one({"_id": 0}, {"$set": {"y": 1}}).modified_count, 1)
            with fails(OperationFailure, code=251):
                session.commit_transaction()
    finally:
        admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": 60})
    equal(things.find_one(), {"_id": 0, "y": 1})


@test
def a_slow_command_leaves_a_line_without_values(context):
    from restitch_process import parse_log_line
    things = context.client[context.name].slow
    things.insert_many([{"_id": n, "secret": "hush"} for n in range(10)])
    things.create_index("secret")
    admin = context.client.admin
    was = admin.command({"setParameter": 1, "slowms": 0})["was"]
    try:
        equal(len(list(things.find({"secret": "hush"}))), 10)
    finally:
        admin.command({"setParameter": 1, "slowms": was})
    end = time.monotonic() + 10
    while time.monotonic() < end:
        lines = [entry["attr"] for entry in map(parse_log_line, list(context.process.log))
                 if entry and entry.get("id") == SLOW_ID and entry["attr"]["ns"] == f"{context.name}.slow"
                 and entry["attr"]["command"] == "find"]
        if lines:
            break
        time.sleep(0.05)
    equal({name: lines[0][name] for name in ("planSummary", "keysExamined", "docsExamined", "nreturned", "ok")},
          {"planSummary": 'IXSCAN { secret: 1 }', "keysExamined": 10, "docsExamined": 10, "nreturned": 10, "ok": True})
    true("hush" not in str(lines[0]), "no values in the log")


@test
def server_status_counts_connections_and_bytes(context):
    before = context.client.admin.command("serverStatus")
    true(before["connections"]["current"] >= 1, "connections")
    true(before["network"]["bytesIn"] > 0 and before["network"]["bytesOut"] > 0, "bytes")
    context.client[context.name].c.insert_one({})
    after = context.client.admin.command("serverStatus")
    equal(after["opcounters"]["insert"] - before["opcounters"]["insert"], 1)
    true(after["network"]["numRequests"] > before["network"]["numRequests"], "requests")
