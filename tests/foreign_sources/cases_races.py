"""Writes that meet on one document."""

import concurrent.futures
import threading
import time

from bench import needs
from black_box import Refused

THREADS = 8
ROUNDS = 12


def at_once(work):
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return [future.result() for future in [pool.submit(work, number) for number in range(THREADS)]]


def increments_all_count(bench, collection):
    bench.fill(collection, {"_id": "sum", "n": 0})

    def work(_):
        for _ in range(ROUNDS):
            done = bench.alice.data("updateOne", collection, query={"_id": "sum"}, update={"$inc": {"n": 1}})
            assert done["modifiedCount"] == 1
    at_once(work)
    assert bench.stored(collection)["sum"]["n"] == THREADS * ROUNDS


@needs("concurrent writes")
def test_increments_left_to_the_source_all_count(bench):
    increments_all_count(bench, "open")


@needs("decided writes", "concurrent writes")
def test_increments_under_a_rule_that_reads_the_document_all_count(bench):
    increments_all_count(bench, "counters")


@needs("decided writes", "concurrent writes")
def test_different_fields_of_one_document_all_stay(bench):
    bench.fill("counters", {"_id": "fields"})

    def work(number):
        for round in range(ROUNDS):
            bench.alice.data("updateOne", "counters", query={"_id": "fields"}, update={"$set": {f"f{number}_{round}": 1}})
    at_once(work)
    assert len(bench.stored("counters")["fields"]) == 1 + THREADS * ROUNDS


def nothing_comes_after_the_lock(bench, collection, write):
    """Users write a document by `write`, which tells whether it went, until a system function locks it."""
    for turn in range(4):
        bench.fill(collection, {"_id": "door", "n": 0})
        is_over, failures = threading.Event(), []

        def write_until_locked():
            try:
                while not is_over.is_set() and write():
                    pass
            except Refused as refused:
                failures.append(str(refused))

        writers = [threading.Thread(target=write_until_locked) for _ in range(4)]
        for writer in writers:
            writer.start()
        time.sleep(0.05 * turn)
        locked = bench.alice.system(collection, "findOneAndUpdate", {"_id": "door"}, {"$set": {"locked": True}},
                                    {"returnNewDocument": True})
        deadline = time.monotonic() + 5
        for writer in writers:
            writer.join(max(0, deadline - time.monotonic()))
        has_lost = any(writer.is_alive() for writer in writers)
        is_over.set()
        for writer in writers:
            writer.join()
        assert not failures, "\n".join(failures)
        assert not has_lost, "the lock was lost"
        assert bench.stored(collection)["door"] == locked


INCREMENT = {"query": {"_id": "door"}, "update": {"$inc": {"n": 1}}}


@needs("decided writes", "concurrent writes")
def test_no_write_comes_after_the_rule_forbids_it(bench):
    def write():
        try:
            return bench.alice.data("updateOne", "counters", **INCREMENT)["modifiedCount"] == 1
        except Refused as refused:
            if "update not permitted" not in str(refused):
                raise
            return False
    nothing_comes_after_the_lock(bench, "counters", write)


@needs("concurrent writes")
def test_no_write_left_to_the_source_comes_after_the_role_is_gone(bench):
    """The role's condition goes to the source with the write."""
    nothing_comes_after_the_lock(bench, "doors", lambda: bench.alice.data("updateOne", "doors", **INCREMENT)["matchedCount"])
