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


@needs("concurrent writes")
def test_increments_left_to_the_source_all_count(bench):
    bench.fill("open", {"_id": "sum", "n": 0})

    def work(_):
        for _ in range(ROUNDS):
            assert bench.alice.data("updateOne", "open", query={"_id": "sum"}, update={"$inc": {"n": 1}})["modifiedCount"] == 1
    at_once(work)
    assert bench.stored("open")["sum"]["n"] == THREADS * ROUNDS


@needs("decided writes", "concurrent writes")
def test_increments_under_a_rule_that_reads_the_document_all_count(bench):
    bench.fill("counters", {"_id": "sum", "n": 0})

    def work(_):
        for _ in range(ROUNDS):
            assert bench.alice.data("updateOne", "counters", query={"_id": "sum"}, update={"$inc": {"n": 1}})["modifiedCount"] == 1
    at_once(work)
    assert bench.stored("counters")["sum"]["n"] == THREADS * ROUNDS


@needs("decided writes", "concurrent writes")
def test_different_fields_of_one_document_all_stay(bench):
    bench.fill("counters", {"_id": "fields"})

    def work(number):
        for round in range(ROUNDS):
            bench.alice.data("updateOne", "counters", query={"_id": "fields"}, update={"$set": {f"f{number}_{round}": 1}})
    at_once(work)
    assert len(bench.stored("counters")["fields"]) == 1 + THREADS * ROUNDS


@needs("decided writes", "concurrent writes")
def test_no_write_comes_after_the_rule_forbids_it(bench):
    """A system function locks the document while users write it: from then on nothing may change."""
    for turn in range(4):
        bench.fill("counters", {"_id": "door", "n": 0})
        refusals = []

        def write():
            while not refusals:
                try:
                    bench.alice.data("updateOne", "counters", query={"_id": "door"}, update={"$inc": {"n": 1}})
                except Refused as refused:
                    refusals.append(str(refused))

        writers = [threading.Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        time.sleep(0.05 * turn)
        locked = bench.alice.system("counters", "findOneAndUpdate", {"_id": "door"}, {"$set": {"locked": True}},
                                    {"returnNewDocument": True})
        for writer in writers:
            writer.join()
        assert all("update not permitted" in refusal for refusal in refusals), refusals
        assert bench.stored("counters")["door"] == locked
