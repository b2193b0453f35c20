#!/usr/bin/env python3
"""Random rules, users, documents and operations against the real server, every answer compared with a naive evaluator.

    python3 tests/oracle/run.py --binary build/release/restitch [--seed N] [--cases 100000 | --seconds 50]

The evaluator is written from the specification of the rules and shares nothing with the server. No answer may differ, no
document may be left in another state, and no answer may hold a text that the evaluator withholds. The first case that fails
is made smaller as long as it still fails, and printed with its seed."""

import argparse
import copy
import json
import pathlib
import random
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

import generate  # noqa: E402
import shrink  # noqa: E402
from access import NEW_ID, Collection, Refused  # noqa: E402
from expressions import Failed  # noqa: E402
from restitch_process import StartFailed  # noqa: E402
from stage import WORLD_FUNCTIONS, Stage, source_of  # noqa: E402
from values import MISSING, Oid, identical, same, texts, to_json  # noqa: E402
from watch_door import Watch, compare  # noqa: E402

SPACES = 60  # collections of one deployment
OPERATIONS = 40  # on each
MARK = re.compile(r"zq\d+z")
READS = ("find", "findOne", "count", "aggregate", "distinct")


def fails():
    raise Failed


WORLD = {"environment": generate.ENVIRONMENT, "values": generate.VALUES,
         "functions": {**WORLD_FUNCTIONS, "fails": fails}}


class Judge:
    """Runs operations on one collection of the stage and compares."""

    def __init__(self, stage, number, space):
        self._stage, self._space = stage, space
        self._source, self._collection = source_of(number, space), f"c{number}"
        self.documents = None

    def _fill(self):
        self.documents = self._stage.named(copy.deepcopy(self._space["documents"]))
        self._stage.fill(self._source, self._collection, self.documents)

    def check(self, operation):
        """None, or what differs."""
        if self.documents is None:
            self._fill()
        if operation["action"] == "watch":
            return self._check_watch(operation)
        space = self._space
        oracle = Collection(WORLD, space["roles"], space["filters"], space["schema"], self.documents)
        user = self._stage.users[operation["user"]]
        allowed = oracle.visible_texts_of(user)
        expected, refusal = None, None
        try:
            self._check_open()
            expected = oracle.run(user, operation["action"], self._stage.named(operation["arguments"]))
        except Refused as refused:
            refusal = refused
        result, error, text = self._stage.run(self._source, self._collection, operation)
        allowed |= oracle.visible_texts_of(user) | set(texts(operation["arguments"]))
        leaked = set(MARK.findall(text)) - allowed
        if leaked:
            return f"the answer holds what the user may not see: {sorted(leaked)}\n  {text}"
        problem = difference(operation, expected, refusal, result, error)
        if problem:
            return problem
        if refusal and refusal.code == "MongoDBError" and operation["action"] in ("updateMany", "bulkWrite"):
            self.documents = None  # as in MongoDB, what came before the document that failed may have been changed
            return None
        return self._check_state(operation, oracle)

    def _check_open(self):
        if self._space["kind"] == "closed":
            raise Refused("NoMatchingRuleFound", "no rule exists for namespace")

    def _check_watch(self, operation):
        space, user = self._space, self._stage.users[operation["user"]]
        refusal = None
        try:
            self._check_open()
            Collection(WORLD, space["roles"], space["filters"], None, []).run(user, "find", {"query": {}})
        except Refused as refused:
            refusal = refused
        stream, error = self._stage.watch(self._source, self._collection, operation)
        if stream is None or refusal:
            return difference(operation, None, refusal, None, error)
        try:
            self._stage.change(self._source, self._collection, operation["arguments"]["models"])
            before, self.documents = self.documents, self._stage.dump(self._source, self._collection)
            arguments = self._stage.named(operation["arguments"])
            return compare(stream, Watch(WORLD, space, user, arguments, before, self.documents), MARK)
        finally:
            stream.close()

    def _check_state(self, operation, oracle):
        if operation["action"] in READS:
            return None
        stored = self._stage.dump(self._source, self._collection)
        changed = not identical(stored, self.documents)
        self.documents = None if changed else self.documents
        if not identical_but_ids(oracle.documents, stored):
            wrong = [one for one in stored if not any(identical(one, other) for other in oracle.documents)]
            missed = [one for one in oracle.documents if not any(identical(one, other) for other in stored)]
            return f"stored afterwards among others: {plain(wrong)}\n  expected: {plain(missed)}"
        return None


def identical_but_ids(expected, found):
    if len(expected) != len(found):
        return False
    return all(identical(a, b) or (isinstance(b, dict) and isinstance(a["_id"], Oid) and a["_id"] == NEW_ID and
                                   identical({**a, "_id": 0}, {**b, "_id": 0}))
               for a, b in zip(expected, found))


def plain(value):
    return json.dumps(to_json(value) if value is not MISSING else "undefined")


def difference(operation, expected, refusal, result, error):
    if refusal:
        if error is None:
            return f"expected a refusal ({refusal}), but the answer is {plain(result)}"
        code, text = error
        if refusal.text not in text or (code is not None and code != refusal.code):
            return f"expected {refusal}, but the error is {code}: {text}"
        return None
    if error is not None:
        return f"expected {plain(expected)}, but the error is {error[0]}: {error[1]}"
    is_exact = operation["door"] == "client" or operation["door"] == "wire" and operation["action"] in (
        "find", "findOne", "aggregate")
    agree = identical if is_exact else same
    if isinstance(expected, list) and not is_ordered(operation):
        key = plain if is_exact else lambda one: re.sub(r"\$number\w+", "", plain(one))
        agree_lists = isinstance(result, list) and len(expected) == len(result) and all(
            agree(a, b) for a, b in zip(sorted(expected, key=key), sorted(result, key=key)))
        return None if agree_lists else f"expected in any order {plain(expected)}\n  answered {plain(result)}"
    if isinstance(expected, dict) and expected.get("upsertedId") == NEW_ID and isinstance(result, dict):
        result = {**result, "upsertedId": NEW_ID if isinstance(result.get("upsertedId"), Oid) else None}
    if isinstance(expected, dict) and expected.get("_id") == NEW_ID and isinstance(result, dict):
        result = {**result, "_id": NEW_ID if isinstance(result.get("_id"), Oid) else None}
    if agree(expected, result) or (expected is None and result in (None, MISSING)):
        return None
    return f"expected {plain(expected)}\n  answered {plain(result)}"


def is_ordered(operation):
    if operation["action"] == "find":
        return "sort" in operation["arguments"]
    return operation["action"] == "insertMany"


def run_spaces(binary, spaces, operations):
    """The number of cases that passed, and the first failure as (space, operation, problem) or None."""
    stage = Stage(binary, spaces)
    passed = 0
    try:
        for number, (space, some) in enumerate(zip(spaces, operations)):
            judge = Judge(stage, number, space)
            for operation in some:
                problem = judge.check(operation)
                if problem:
                    return passed, (space, operation, problem)
                passed += 1
    finally:
        stage.close()
    return passed, None


def first_failing(binary, candidates):
    """The first (space, operation) that still fails with its problem, or None."""
    try:
        stage = Stage(binary, [space for space, _ in candidates])
    except StartFailed as failure:  # some are no rules any more
        refused = {int(number) for number in re.findall(r"data_sources/(?:main/d/c|default)(\d+)/", str(failure))}
        if not refused:
            raise
        return first_failing(binary, [one for number, one in enumerate(candidates) if number not in refused])
    try:
        for number, (space, operation) in enumerate(candidates):
            try:
                problem = Judge(stage, number, space).check(operation)
            except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError):
                continue  # made smaller than the evaluator understands
            if problem:
                return space, operation, problem
    finally:
        stage.close()
    return None


def report(binary, seed, space, operation, problem):
    print(f"FAIL seed {seed}: {problem}\n  operation: {json.dumps(to_json(operation))}\nmaking it smaller …", flush=True)
    space, operation, problem = shrink.smaller(space, operation, problem,
                                               lambda candidates: first_failing(binary, candidates))
    print(f"FAIL with {problem}")
    for name in ("kind", "roles", "filters", "schema", "documents"):
        if space[name]:
            print(f"  {name}: {json.dumps(to_json(space[name]))}")
    print(f"  operation: {json.dumps(to_json(operation))}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(HERE.parents[1] / "build/release/restitch"))
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--cases", type=int, default=None, help="run at least this many")
    parser.add_argument("--seconds", type=float, default=50, help="start no deployment after this time")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}", flush=True)
    generator = generate.Generator(random.Random(seed))
    started, passed = time.monotonic(), 0
    while passed < options.cases if options.cases else time.monotonic() - started < options.seconds:
        spaces = [generator.space() for _ in range(SPACES)]
        operations = [[generator.operation() for _ in range(OPERATIONS)] for _ in spaces]
        done, failure = run_spaces(options.binary, spaces, operations)
        passed += done
        if failure:
            report(options.binary, seed, *failure)
            print(f"{passed} passed, 1 failed")
            return 1
    print(f"{passed} passed, 0 failed ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
