"""What drivers do, by unmodified pymongo."""

import datetime
import threading
import time
import uuid

import pymongo
from bson import DBRef, Decimal128, Int64, ObjectId, Regex, Timestamp, encode
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteMany, DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne, monitoring
from pymongo.errors import (BulkWriteError, DuplicateKeyError, ExecutionTimeout, OperationFailure,
                            WriteError)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from checks import equal, fails, test, true


def collection_of(context):
    return context.client[context.name].things


class Commands(monitoring.CommandListener):
    """Records what the driver sends and gets."""

    def __init__(self):
        self.started_events, self.replies = [], []

    def started(self, event):
        self.started_events.append(event)

    def succeeded(self, event):
        self.replies.append(event.reply)

    def failed(self, event):
        self.replies.append(event.failure)

    def named(self, name):
        return [event.command for event in self.started_events if event.command_name == name]


@test
def a_driver_connects_and_finds_a_primary(context):
    equal(context.client.admin.command("ping")["ok"], 1.0)
    equal(context.client.address, ("127.0.0.1", context.wire_port))
    true(context.client.is_primary, "a primary")
    info = context.client.server_info()
    equal(info["versionArray"][:2], [7, 0])
    with context.connect(replicaSet="restitch") as client:
        equal(client.admin.command("ping")["ok"], 1.0)
        equal(client.primary, ("127.0.0.1", context.wire_port))
    with context.connect(directConnection=True) as client:
        equal(client.admin.command("ping")["ok"], 1.0)


@test
def documents_are_written_and_read(context):
    things = collection_of(context)
    inserted = things.insert_one({"name": "a", "n": 1}).inserted_id
    true(isinstance(inserted, ObjectId), "an ObjectId was made")
    equal(things.find_one({"_id": inserted}), {"_id": inserted, "name": "a", "n": 1})
    equal(things.insert_many([{"_id": number, "n": number} for number in range(10)]).inserted_ids, list(range(10)))
    equal(things.count_documents({}), 11)
    equal(things.estimated_document_count(), 11)
    changed = things.update_many({"n": {"$gte": 5}}, {"$inc": {"n": 100}})
    equal((changed.matched_count, changed.modified_count), (5, 5))
    upserted = things.update_one({"_id": "new"}, {"$set": {"n": 0}}, upsert=True)
    equal((upserted.matched_count, upserted.upserted_id), (0, "new"))
    replaced = things.replace_one({"_id": 0}, {"other": True})
    equal((replaced.matched_count, replaced.modified_count), (1, 1))
    equal(things.find_one({"_id": 0}), {"_id": 0, "other": True})
    equal(things.delete_one({"_id": 0}).deleted_count, 1)
    equal(things.delete_many({"n": {"$gt": 100}}).deleted_count, 5)
    equal(sorted(things.distinct("n")), [0, 1, 2, 3, 4])
    equal([document["_id"] for document in things.find({"_id": {"$in": [3, 1]}}).sort("_id", -1)], [3, 1])
    equal(list(things.find({"_id": 2}, {"n": 1, "_id": 0})), [{"n": 2}])


@test
def values_of_every_type_survive(context):
    things = collection_of(context)
    document = {
        "_id": 1, "double": 1.5, "string": "häß\0lich", "object": {"a": {}}, "array": [1, [2], {}],
        "binary": b"\0\1", "uuid": uuid.uuid4().bytes, "id": ObjectId(), "bool": True, "null": None,
        "date": datetime.datetime(2024, 2, 29, 1, 2, 3, 456000), "regex": Regex("a+", "i"), "int": 5, "long": Int64(2**40),
        "timestamp": Timestamp(5, 6), "decimal": Decimal128("1.500"), "ref": DBRef("c", 1)}
    things.insert_one(document)
    equal(things.find_one(), document)
    raw = things.with_options(codec_options=things.codec_options.with_options(document_class=RawBSONDocument))
    equal(raw.find_one().raw, encode(document))


@test
def find_and_modify_returns_the_document_asked_for(context):
    things = collection_of(context)
    things.insert_one({"_id": 1, "n": 1})
    equal(things.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}}), {"_id": 1, "n": 1})
    after = pymongo.ReturnDocument.AFTER
    equal(things.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}}, return_document=after), {"_id": 1, "n": 3})
    equal(things.find_one_and_replace({"_id": 2}, {"n": 7}, upsert=True, return_document=after), {"_id": 2, "n": 7})
    equal(things.find_one_and_delete({"_id": 1}), {"_id": 1, "n": 3})
    equal(things.find_one_and_delete({"_id": 1}), None)


@test
def bulk_writes_report_each_kind(context):
    things = collection_of(context)
    result = things.bulk_write([
        InsertOne({"_id": 1}), InsertOne({"_id": 2}), InsertOne({"_id": 3}),
        UpdateOne({"_id": 1}, {"$set": {"a": 1}}), UpdateMany({}, {"$set": {"b": 1}}),
        UpdateOne({"_id": 9}, {"$set": {"a": 9}}, upsert=True), ReplaceOne({"_id": 2}, {"c": 1}),
        DeleteOne({"_id": 3}), DeleteMany({"a": 9})])
    equal((result.inserted_count, result.matched_count, result.modified_count, result.deleted_count,
           result.upserted_ids), (3, 5, 5, 2, {5: 9}))
    equal(list(things.find().sort("_id", 1)), [{"_id": 1, "a": 1, "b": 1}, {"_id": 2, "c": 1}])


@test
def bulk_writes_stop_or_go_on_after_an_error(context):
    things = collection_of(context)
    writes = [InsertOne({"_id": 1}), InsertOne({"_id": 1}), InsertOne({"_id": 2})]
    with fails(BulkWriteError, 65):
        things.bulk_write(writes)
    equal(things.count_documents({}), 1)
    things.delete_many({})
    try:
        things.bulk_write(writes, ordered=False)
        raise AssertionError("a duplicate key is an error")
    except BulkWriteError as error:
        equal([(entry["index"], entry["code"]) for entry in error.details["writeErrors"]], [(1, 11000)])
        equal(error.details["nInserted"], 2)
    equal(things.count_documents({}), 2)


@test
def large_bulks_are_split_and_stored(context):
    things = collection_of(context)
    equal(len(things.insert_many([{"n": number} for number in range(20000)]).inserted_ids), 20000)
    equal(things.count_documents({}), 20000)
    equal(things.update_many({}, {"$set": {"seen": True}}).modified_count, 20000)
    equal(things.delete_many({"n": {"$lt": 1000}}).deleted_count, 1000)


@test
def unique_indexes_refuse_duplicates_and_tell_the_key(context):
    things = collection_of(context)
    equal(things.create_index([("a", 1), ("b", -1)], unique=True), "a_1_b_-1")
    things.insert_one({"a": "x", "b": 1})
    try:
        things.insert_one({"a": "x", "b": 1})
        raise AssertionError("a duplicate key is an error")
    except DuplicateKeyError as error:
        equal(error.code, 11000)
        equal(error.details["keyPattern"], {"a": 1, "b": -1})
        equal(error.details["keyValue"], {"a": "x", "b": 1})
        equal(error.details["errmsg"], f"E11000 duplicate key error collection: {things.full_name} index: a_1_b_-1 "
                                       'dup key: { a: "x", b: 1 }')
    things.insert_one({"a": "y", "b": 1})
    with fails(DuplicateKeyError, 11000):
        things.update_one({"a": "y"}, {"$set": {"a": "x"}})
    with fails(DuplicateKeyError, 11000):
        things.find_one_and_update({"a": "y"}, {"$set": {"a": "x"}})
    equal(things.count_documents({}), 2)


@test
def indexes_are_made_listed_and_dropped(context):
    things = collection_of(context)
    names = things.create_indexes([pymongo.IndexModel("a"), pymongo.IndexModel(
        [("b", -1)], name="second", sparse=True, expireAfterSeconds=3600)])
    equal(names, ["a_1", "second"])
    information = things.index_information()
    equal(sorted(information), ["_id_", "a_1", "second"])
    equal((information["second"]["sparse"], information["second"]["expireAfterSeconds"]), (True, 3600))
    things.create_index("a")
    with fails(OperationFailure, 85):
        things.create_index("a", name="other")
    with fails(OperationFailure, 86):
        things.create_index("c", name="a_1")
    things.drop_index("a_1")
    with fails(OperationFailure, 27):
        things.drop_index("a_1")
    with fails(OperationFailure):
        things.drop_index("_id_")
    things.drop_indexes()
    equal(list(things.index_information()), ["_id_"])


@test
def collections_and_databases_are_made_listed_renamed_and_dropped(context):
    database = context.client[context.name]
    database.create_collection("first")
    database.create_collection("log", capped=True, size=4096)
    equal(sorted(database.list_collection_names()), ["first", "log"])
    equal(database.log.options()["capped"], True)
    database.first.rename("renamed")
    with fails(OperationFailure, 26):
        database.first.rename("again")
    true(context.name in context.client.list_database_names(), "the database is listed")
    database.drop_collection("renamed")
    database.drop_collection("renamed")
    equal(database.list_collection_names(), ["log"])
    context.client.drop_database(context.name)
    equal(database.list_collection_names(), [])


@test
def pipelines_run(context):
    things = collection_of(context)
    things.insert_many([{"_id": number, "kind": number % 3, "n": number} for number in range(30)])
    sums = list(things.aggregate([{"$match": {"n": {"$gte": 3}}}, {"$group": {"_id": "$kind", "sum": {"$sum": "$n"}}},
                                  {"$sort": {"_id": 1}}]))
    equal(sums, [{"_id": 0, "sum": 135}, {"_id": 1, "sum": 144}, {"_id": 2, "sum": 153}])
    other = context.client[context.name].other
    other.insert_one({"_id": 1, "label": "one"})
    joined = list(things.aggregate([{"$match": {"_id": 1}}, {"$lookup": {
        "from": "other", "localField": "kind", "foreignField": "_id", "as": "found"}}]))
    equal(joined, [{"_id": 1, "kind": 1, "n": 1, "found": [{"_id": 1, "label": "one"}]}])
    with fails(OperationFailure, 40324):
        things.aggregate([{"$nonsense": {}}])


@test
def cursors_give_every_document_once(context):
    things = collection_of(context)
    things.insert_many([{"_id": number} for number in range(1000)])
    for batch in (1, 2, 7, 101, 999, 1000, 1001):
        equal([document["_id"] for document in things.find(batch_size=batch).sort("_id", 1)], list(range(1000)),
              f"batches of {batch}")
    equal(len(list(things.aggregate([{"$match": {}}], batchSize=13))), 1000)
    equal(len(list(things.find().skip(5).limit(20).batch_size(3))), 20)
    cursor = things.find(batch_size=2)
    next(cursor)
    cursor_id = cursor.cursor_id
    true(cursor_id != 0, "the cursor is open")
    cursor.close()
    with fails(OperationFailure, 43):
        context.client[context.name].command({"getMore": Int64(cursor_id), "collection": "things"})


@test
def cursors_outlive_their_connection(context):
    things = collection_of(context)
    things.insert_many([{"_id": number} for number in range(10)])
    first = context.client[context.name].command({"find": "things", "batchSize": 3, "sort": {"_id": 1}})["cursor"]
    with context.connect() as other:
        with fails(OperationFailure):  # it belongs to the session of the first client
            other[context.name].command({"getMore": first["id"], "collection": "things"})
    more = context.client[context.name].command(
        {"find": "things", "filter": {"_id": {"$gt": 2}}, "batchSize": 100})["cursor"]
    equal(len(more["firstBatch"]), 7)


@test
def killed_cursors_are_gone(context):
    things = collection_of(context)
    things.insert_many([{"_id": number} for number in range(10)])
    database = context.client[context.name]
    cursor = database.command({"find": "things", "batchSize": 1})["cursor"]
    reply = database.command({"killCursors": "things", "cursors": [cursor["id"], Int64(12345)]})
    equal((reply["cursorsKilled"], reply["cursorsNotFound"]), ([cursor["id"]], [12345]))


@test
def a_transaction_is_all_or_nothing(context):
    things = collection_of(context)
    things.insert_one({"_id": 0, "n": 0})
    with context.client.start_session() as session:
        with session.start_transaction():
            things.insert_one({"_id": 1}, session=session)
            things.update_one({"_id": 0}, {"$set": {"n": 1}}, session=session)
            equal(things.count_documents({}, session=session), 2)
            equal(things.count_documents({}), 1)
        equal(things.count_documents({}), 2)
        session.start_transaction(read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority"))
        things.delete_many({}, session=session)
        equal(things.count_documents({}, session=session), 0)
        session.abort_transaction()
        equal(things.count_documents({}), 2)
        try:
            with session.start_transaction():
                things.insert_one({"_id": 2}, session=session)
                raise KeyError()
        except KeyError:
            pass
    equal(things.count_documents({}), 2)


@test
def conflicting_transactions_fail_at_once_and_may_be_retried(context):
    things = collection_of(context)
    things.insert_one({"_id": 0, "n": 0})
    with context.client.start_session() as one, context.client.start_session() as two:
        one.start_transaction()
        two.start_transaction()
        things.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=one)
        with fails(OperationFailure, 112, label="TransientTransactionError"):
            things.update_one({"_id": 0}, {"$inc": {"n": 10}}, session=two)
        with fails(OperationFailure, 251, label="TransientTransactionError"):
            things.find_one(session=two)
        one.commit_transaction()
        two.abort_transaction()
    equal(things.find_one()["n"], 1)


@test
def transactions_of_many_clients_lose_nothing(context):
    things = collection_of(context)
    things.insert_one({"_id": 0, "n": 0})
    problems = []

    def work():
        try:
            with context.client.start_session() as session:
                for _ in range(20):
                    session.with_transaction(
                        lambda inner: things.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=inner))
        except Exception as error:  # told by the main thread
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(problems, [])
    equal(things.find_one()["n"], 80)


@test
def errors_in_a_transaction_end_it(context):
    things = collection_of(context)
    things.insert_one({"_id": 0})
    with context.client.start_session() as session:
        session.start_transaction()
        things.insert_one({"_id": 1}, session=session)
        with fails(DuplicateKeyError, 11000):
            things.insert_one({"_id": 0}, session=session)
        with fails(OperationFailure, 251):
            session.commit_transaction()
        session.start_transaction()
        with fails(OperationFailure, 263):
            context.client[context.name].command("count", "things", session=session)
        session.abort_transaction()
    equal(things.count_documents({}), 1)


@test
def reads_follow_the_session(context):
    things = collection_of(context)
    with context.client.start_session(causal_consistency=True) as session:
        for number in range(20):
            things.insert_one({"_id": number}, session=session)
            with context.connect() as other, other.start_session() as reader:
                reader.advance_cluster_time(session.cluster_time)
                reader.advance_operation_time(session.operation_time)
                equal(other[context.name].things.count_documents({}, session=reader), number + 1)
        true(session.operation_time is not None, "operationTime is known")


@test
def retryable_writes_carry_a_number_and_run_once(context):
    commands = Commands()
    with context.connect(event_listeners=[commands], retryWrites=True) as client:
        client[context.name].things.insert_one({"_id": "a"})
        true("txnNumber" in commands.named("insert")[0], "a retryable write")
    with context.connect(event_listeners=[commands], retryWrites=False) as client:
        client[context.name].things.insert_one({"_id": "b"})
        true("txnNumber" not in commands.named("insert")[1], "no retryable write")
    database = context.client[context.name]
    with context.client.start_session() as session:
        lsid = session.session_id
        command = {"update": "things", "lsid": lsid, "txnNumber": Int64(1),
                   "updates": [{"q": {"_id": "a"}, "u": {"$inc": {"n": 1}}}]}
        first = raw_command(context, database.name, command)
        second = raw_command(context, database.name, command)
        equal((first["n"], first["nModified"]), (1, 1))
        equal((second["n"], second["nModified"], second["retriedStmtIds"]), (1, 1, [0]))
        older = raw_command(context, database.name, {**command, "txnNumber": Int64(0)})
        equal(older["code"], 225)
        other = raw_command(context, database.name, {"find": "things", "lsid": lsid, "txnNumber": Int64(2)})
        equal(other["code"], 50768)
    equal(database.things.find_one({"_id": "a"}), {"_id": "a", "n": 1})


def raw_command(context, database, command):
    import raw_client
    with raw_client.RawClient(context.wire_port) as client:
        return client.command({**command, "$db": database}).document


@test
def unacknowledged_writes_arrive(context):
    things = collection_of(context)
    unacknowledged = things.with_options(write_concern=WriteConcern(w=0))
    for number in range(100):
        unacknowledged.insert_one({"_id": number})
    deadline = time.monotonic() + 10
    while things.count_documents({}) < 100 and time.monotonic() < deadline:
        time.sleep(0.02)
    equal(things.count_documents({}), 100)


@test
def write_concerns_are_checked(context):
    things = collection_of(context)
    for concern in (WriteConcern(1), WriteConcern("majority"), WriteConcern(1, j=True)):
        things.with_options(write_concern=concern).insert_one({})
    equal(things.count_documents({}), 3)
    with fails(pymongo.errors.WriteConcernError, 100):
        things.with_options(write_concern=WriteConcern(3)).insert_one({})
    equal(things.count_documents({}), 4)


@test
def errors_have_their_codes(context):
    database = context.client[context.name]
    things = database.things
    things.insert_one({"_id": 1, "text": "a"})
    with fails(OperationFailure, 59, "no such command: 'nonsense'"):
        database.command("nonsense")
    with fails(OperationFailure, 40415):
        database.command("find", "things", nonsense=1)
    with fails(OperationFailure, 2, "unknown operator: $nonsense"):
        things.find_one({"a": {"$nonsense": 1}})
    with fails(WriteError, 9):
        things.update_one({}, {"$nonsense": {"a": 1}})
    with fails(WriteError, 14):
        things.update_one({"_id": 1}, {"$inc": {"text": 1}})
    with fails(WriteError, 66):
        things.update_one({"_id": 1}, {"$set": {"_id": 2}})
    with fails(OperationFailure, 73):
        database.command("find", "")
    with fails(OperationFailure, 13):
        database.command("renameCollection", "a.b", to="a.c")
    with fails(OperationFailure, 43):
        database.command({"getMore": Int64(99), "collection": "things"})
    with fails(OperationFailure, 26):
        database.validate_collection("missing")
    with fails(OperationFailure, 322):
        database.command("ping", apiVersion="2")
    with fails(ExecutionTimeout, 50):
        list(things.aggregate([{"$match": {"$expr": {"$gt": [{"$reduce": {
            "input": {"$range": [0, 5_000_000]}, "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}}, -1]}}}],
            maxTimeMS=5))


@test
def schema_validation_is_told_in_full(context):
    database = context.client[context.name]
    database.create_collection("checked", validator={"$jsonSchema": {"required": ["name"]}})
    with fails(WriteError, 121):
        database.checked.insert_one({"other": 1})
    database.checked.insert_one({"name": 1})


@test
def commands_of_tools_are_answered(context):
    admin = context.client.admin
    for command in ("buildInfo", "hostInfo", "getCmdLineOpts", "serverStatus", "connectionStatus", "replSetGetStatus",
                    "replSetGetConfig", "listCommands", "whatsmyuri", "features"):
        equal(admin.command(command)["ok"], 1.0, command)
    equal(admin.command("getParameter", featureCompatibilityVersion=1)["featureCompatibilityVersion"], {"version": "7.0"})
    equal(admin.command("getLog", "startupWarnings")["ok"], 1.0)
    with fails(OperationFailure, 59):
        admin.command("atlasVersion")
    stats = context.client[context.name].command("dbStats")
    equal(stats["db"], context.name)
    with context.connect(server_api=pymongo.server_api.ServerApi("1")) as client:
        equal(client.admin.command("ping")["ok"], 1.0)


@test
def a_monitor_follows_the_server_without_asking_again(context):
    class Heartbeats(monitoring.ServerHeartbeatListener):
        awaited = 0
        failures = []

        def started(self, event):
            pass

        def succeeded(self, event):
            self.awaited += event.awaited

        def failed(self, event):
            self.failures.append(event.reply)

    heartbeats = Heartbeats()
    with context.connect(event_listeners=[heartbeats], heartbeatFrequencyMS=500, serverMonitoringMode="stream") as client:
        client.admin.command("ping")
        deadline = time.monotonic() + 15
        while heartbeats.awaited < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        true(heartbeats.awaited >= 3, "streamed heartbeats")
        equal(heartbeats.failures, [])


@test
def many_threads_work_at_once(context):
    things = collection_of(context)
    problems = []

    def work(thread):
        try:
            for number in range(50):
                things.insert_one({"_id": f"{thread}-{number}", "thread": thread})
                equal(things.count_documents({"thread": thread}), number + 1)
        except Exception as error:  # told by the main thread
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(problems, [])
    equal(things.count_documents({}), 400)


@test
def a_wrong_password_mechanism_is_told(context):
    with fails(OperationFailure), context.connect(username="u", password="p", authSource="admin") as client:
        client.admin.command("ping")


@test
def each_compressor_carries_small_and_large_messages(context):
    for name in ("snappy", "zstd", "zlib"):
        with context.connect(compressors=name) as client:
            collection = client[context.name][name]
            collection.insert_many([{"_id": number, "text": "word " * 2000} for number in range(500)])
            equal(collection.count_documents({}), 500)
            equal(sum(len(document["text"]) for document in collection.find()), 500 * 10000)
            pool = next(iter(client._topology._servers.values())).pool
            contexts = {type(conn.compression_context).__name__ for conn in pool.conns}
            equal(contexts, {{"snappy": "SnappyContext", "zstd": "ZstdContext", "zlib": "ZlibContext"}[name]})


@test
def exhaust_cursors_read_to_the_end(context):
    collection = collection_of(context)
    collection.insert_many([{"_id": number} for number in range(1000)])
    cursor = collection.find(cursor_type=pymongo.CursorType.EXHAUST, batch_size=10)
    equal([document["_id"] for document in cursor], list(range(1000)))
