"""Streams of changes and database triggers, transactions, large commands, and a source that goes away."""

import time

from bench import User, needs, outside, refused, wait_for
from black_box import Refused

DOWN_AFTER = 20  # seconds within which an operation on a source that is down must have been answered
SUSPENDED = 2111


@needs("change streams")
def test_a_watcher_sees_insertions_and_deletions(bench):
    bench.fill("open")
    stream = bench.alice.watch("open")
    try:
        bench.alice.data("insertOne", "open", document={"_id": "a", "n": 1})
        bench.alice.data("deleteOne", "open", query={"_id": "a"})
        events = [stream.next() for _ in range(2)]
    finally:
        stream.close()
    assert [(event["operationType"], event["documentKey"]) for event in events] == [
        ("insert", {"_id": "a"}), ("delete", {"_id": "a"})], events
    assert events[0]["fullDocument"] == {"_id": "a", "n": {"$numberInt": "1"}}


@needs("change streams", "events of updates")
def test_a_watcher_sees_updates_and_replacements(bench):
    bench.fill("open", {"_id": "a", "n": 1})
    stream = bench.alice.watch("open")
    try:
        bench.alice.data("updateOne", "open", query={"_id": "a"}, update={"$set": {"n": 2}})
        first = stream.next()
        assert {"ns", "updateDescription"} <= set(first), first
        bench.alice.data("findOneAndReplace", "open", filter={"_id": "a"}, update={"m": 1})
        bench.alice.data("findOneAndUpdate", "open", filter={"_id": "a"}, update={"$unset": {"m": ""}})
        events = [first, stream.next(), stream.next()]
    finally:
        stream.close()
    assert [event["operationType"] for event in events] == ["update", "replace", "update"], events
    assert all(event["documentKey"] == {"_id": "a"} and event["ns"] == {"db": "shop", "coll": "open"} for event in events)
    assert events[0]["updateDescription"]["updatedFields"] == {"n": {"$numberInt": "2"}}
    assert events[2]["updateDescription"]["removedFields"] == ["m"]


@needs("change streams")
def test_a_watcher_sees_what_its_rules_allow(bench):
    bench.fill("notes")
    stream = bench.alice.watch("notes")
    try:
        bench.bob.data("insertOne", "notes", document={"_id": 1, "owner": bench.bob.id, "text": "hidden"})
        bench.bob.data("insertOne", "notes", document={
            "_id": 2, "owner": bench.bob.id, "text": "secret", "public": True, "title": "t"})
        bench.alice.data("insertOne", "notes", document={"_id": 3, "owner": bench.alice.id, "text": "mine"})
        events = [stream.next() for _ in range(2)]
    finally:
        stream.close()
    assert events[0]["fullDocument"] == {"_id": {"$numberInt": "2"}, "title": "t"}, events[0]
    assert events[1]["fullDocument"]["text"] == "mine"


@needs("change streams", "events of updates", "decided writes")
def test_an_update_under_rules_is_an_update_in_the_stream(bench):
    bench.fill("counters", {"_id": "a", "n": 1, "keep": 1})
    stream = bench.alice.watch("counters")
    try:
        bench.alice.data("updateOne", "counters", query={"_id": "a"}, update={"$inc": {"n": 1}, "$set": {"more": 1}})
        event = stream.next()
    finally:
        stream.close()
    assert event["operationType"] == "update" and "updateDescription" in event, event
    assert event["updateDescription"]["updatedFields"] == {"n": {"$numberInt": "2"}, "more": {"$numberInt": "1"}}, event


@needs("triggers")
def test_a_database_trigger_runs(bench):
    suspended = [entry for entry in bench.log_entries(SUSPENDED) if entry.get("trigger") == "onChange"]
    assert not suspended, suspended
    bench.fill("log")
    bench.alice.data("insertOne", "watched", document={"_id": "t", "n": 1})
    bench.alice.data("updateOne", "watched", query={"_id": "t"}, update={"$set": {"n": 2}})
    bench.alice.data("deleteOne", "watched", query={"_id": "t"})
    noted = lambda: [entry["operation"] for entry in bench.collection("log").find()]  # noqa: E731
    wait_for(lambda: len(noted()) == 3, f"three events, {noted()} came", 10)
    assert noted() == ["insert", "update", "delete"]


def amounts(bench, collection):
    stored = bench.stored(collection)
    return [stored[name]["amount"] for name in "ab"]


@needs("transactions")
def test_a_transaction_commits_as_a_whole_and_leaves_nothing_when_aborted(bench):
    for function, collection in (("inTransaction", "open"), ("inTransactionAsUser", "counters")):
        bench.fill(collection, {"_id": "a", "amount": 10}, {"_id": "b", "amount": 0})
        with bench.all_or_nothing(collection):
            bench.alice.call(function, collection, "a", "b", 3, False)
        assert amounts(bench, collection) == [7, 3]
        refused(400, "FunctionExecutionError", "changed my mind",
                lambda: bench.alice.call(function, collection, "a", "b", 3, True))
        assert amounts(bench, collection) == [7, 3]


# ---- More than one command holds.


def test_a_function_inserts_and_finds_more_than_a_command_holds(bench):
    bench.collection("large").drop()
    assert bench.alice.call("insertLarge", 0, 3, 10_000_000) == ["large0", "large1", "large2"]
    assert bench.alice.call("insertLarge", 3, 1, 10_000_000) == ["large3"]
    assert bench.alice.call("findLarge") == {"count": 4, "length": 40_000_000}
    bench.collection("large").drop()


@needs("decided writes")
def test_an_update_under_rules_may_change_more_than_a_command_holds(bench):
    bench.fill("counters", *({"_id": n, "n": 1, "text": str(n) * 6_000_000} for n in range(3)))
    with bench.all_or_nothing("counters"):
        answer = bench.alice.data("updateMany", "counters", query={"n": 1}, update={"$set": {"text": "x" * 6_000_000}})
    assert answer == {"matchedCount": 3, "modifiedCount": 3}, answer
    assert {document["text"][-3:] for document in bench.stored("counters").values()} == {"xxx"}
    bench.fill("counters")


# ---- A source that goes and comes back: last, since data in memory are gone then.


@outside
def test_z_a_source_that_is_down_is_an_error_of_its_own_and_is_found_when_it_returns(bench):
    bench.fill("open", {"_id": "kept"})
    assert bench.alice.data("findOne", "open", query={"_id": "kept"}) == {"_id": "kept"}
    bench.source.kill()
    started = time.monotonic()
    down = (503, "MongoDBError", "data source 'main' is not available")
    refused(*down, lambda: bench.alice.data("findOne", "open", query={"_id": "kept"}))
    refused(*down, lambda: bench.alice.data("insertOne", "open", document={"_id": "lost"}))
    refused(*down, lambda: bench.alice.data("updateOne", "counters", query={"_id": "kept"}, update={"$set": {"n": 1}}))
    assert time.monotonic() - started < DOWN_AFTER
    User(bench.server)  # signing in needs no data source
    bench.source.start()

    def is_back():
        try:
            return bench.alice.data("insertOne", "open", document={"_id": "new"})
        except Refused as refusal:
            assert "is not available" in str(refusal), refusal
            return None
    wait_for(is_back, "the source", 30)
    assert "new" in bench.stored("open")
