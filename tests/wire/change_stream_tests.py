"""Change streams and tailable cursors, by unmodified pymongo."""

import threading
import time

from bson import Timestamp
from pymongo import CursorType
from pymongo.errors import OperationFailure

from checks import equal, fails, test, true


def next_events(stream, count, seconds=20):
    """`count` events of a stream that waits for them."""
    events, end = [], time.monotonic() + seconds
    while len(events) < count and time.monotonic() < end:
        event = stream.try_next()
        if event is not None:
            events.append(event)
    equal(len(events), count)
    return events


@test
def streams_of_collection_database_and_cluster_give_the_same_events(context):
    database = context.client[context.name]
    with database.things.watch(max_await_time_ms=500) as own, database.watch(max_await_time_ms=500) as whole, \
            context.client.watch([{"$match": {"ns.db": context.name}}], max_await_time_ms=500) as all_of_them:
        database.things.insert_one({"_id": 1, "a": [1]})
        database.things.update_one({"_id": 1}, {"$push": {"a": 2}})
        database.things.delete_one({"_id": 1})
        for stream in own, whole, all_of_them:
            events = next_events(stream, 3)
            equal([event["operationType"] for event in events], ["insert", "update", "delete"])
            equal(events[0]["fullDocument"], {"_id": 1, "a": [1]})
            equal(events[1]["updateDescription"]["updatedFields"], {"a.1": 2})
            equal(events[2]["documentKey"], {"_id": 1})
            true(isinstance(events[0]["clusterTime"], Timestamp), "a cluster time")


@test
def a_stream_resumes_by_itself_and_by_token(context):
    things = context.client[context.name].things
    with things.watch(max_await_time_ms=200) as stream:
        things.insert_many([{"_id": number} for number in range(3)])
        first = next_events(stream, 1)[0]
        context.client.admin.command("killAllSessions", [])
        equal([event["documentKey"]["_id"] for event in next_events(stream, 2)], [1, 2])
        before = stream.resume_token
        context.client[context.name].other.insert_one({})
        equal(stream.try_next(), None)
        true(stream.resume_token["_data"] > before["_data"], "a later token")
    with things.watch(resume_after=first["_id"], max_await_time_ms=200) as stream:
        equal([event["documentKey"]["_id"] for event in next_events(stream, 2)], [1, 2])
    with things.watch(start_at_operation_time=first["clusterTime"], max_await_time_ms=200) as stream:
        equal(next_events(stream, 1)[0]["_id"], first["_id"])


@test
def a_drop_ends_a_stream_and_start_after_goes_on(context):
    things = context.client[context.name].things
    things.insert_one({})
    with things.watch(max_await_time_ms=200) as stream:
        things.drop()
        events = next_events(stream, 2)
        equal([event["operationType"] for event in events], ["drop", "invalidate"])
        true(not stream.alive, "the cursor's end")
    things.insert_one({"_id": 5})
    with fails(OperationFailure, 260):
        things.watch(resume_after=events[1]["_id"])
    with things.watch(start_after=events[1]["_id"], max_await_time_ms=200) as stream:
        equal(next_events(stream, 1)[0]["documentKey"], {"_id": 5})


@test
def a_blocked_reader_is_woken_at_once(context):
    things = context.client[context.name].things
    with things.watch(max_await_time_ms=30_000) as stream:
        threading.Timer(0.3, lambda: things.insert_one({"_id": 1})).start()
        start = time.monotonic()
        equal(stream.next()["documentKey"], {"_id": 1})
        true(time.monotonic() - start < 10, "an early answer")


@test
def images_are_given_where_they_are_kept(context):
    database = context.client[context.name]
    things = database.create_collection("things", changeStreamPreAndPostImages={"enabled": True})
    with things.watch(full_document="required", full_document_before_change="required",
                      show_expanded_events=True, max_await_time_ms=500) as stream:
        things.insert_one({"_id": 1, "a": 1})
        things.update_one({"_id": 1}, {"$set": {"a": 2}})
        update = next_events(stream, 2)[1]
        equal(update["fullDocumentBeforeChange"], {"_id": 1, "a": 1})
        equal(update["fullDocument"], {"_id": 1, "a": 2})
        equal(update["updateDescription"]["disambiguatedPaths"], {})


@test
def a_transaction_is_one_moment_in_a_stream(context):
    things = context.client[context.name].create_collection("things")
    with things.watch(max_await_time_ms=500) as stream:
        with context.client.start_session() as session, session.start_transaction():
            things.insert_one({"_id": 1}, session=session)
            things.insert_one({"_id": 2}, session=session)
        events = next_events(stream, 2)
        equal(events[0]["clusterTime"], events[1]["clusterTime"])
        equal(events[0]["lsid"]["id"], events[1]["lsid"]["id"])
        true("txnNumber" in events[0], "the transaction's number")


@test
def a_tailable_cursor_follows_a_capped_collection(context):
    log = context.client[context.name].create_collection("log", capped=True, size=1 << 20)
    log.insert_one({"_id": 0})
    cursor = log.find(cursor_type=CursorType.TAILABLE_AWAIT).max_await_time_ms(10_000)
    equal(cursor.next(), {"_id": 0})
    threading.Timer(0.3, lambda: log.insert_one({"_id": 1})).start()
    start = time.monotonic()
    equal(cursor.next(), {"_id": 1})
    true(time.monotonic() - start < 8, "an early answer")
    cursor.close()
