"""Streams of changes: one user watches while the system changes documents. Every event must be one that the evaluator lets
the user see, as it lets it be seen, and none may be missing."""

import copy
import json
import queue
import re

from access import Collection
from expressions import walk
from mongo import is_replacement, matches, put
from values import MISSING, from_json, identical, texts, to_json

PATIENCE = 10  # seconds for an event that must come
SILENCE = 0.03  # seconds without one that must not


class Watch:
    """What one user has to see of some changes."""

    def __init__(self, world, space, user, arguments, before, after):
        self._world, self._space, self._user, self._arguments = world, space, user, arguments
        self._before = {one["_id"]: one for one in before}
        self._after = {one["_id"]: one for one in after}

    def shown(self, document):
        """The document as a read of it shows it, or None."""
        space = self._space
        collection = Collection(self._world, space["roles"], space["filters"], None, [document])
        return next(iter(collection.run(self._user, "find", {"query": {}})), None)

    def expected(self):
        """Of the events with a document: (operationType, the document as it is shown), in order."""
        events = []
        for model in self._arguments["models"]:
            event = self._event_of(model)
            if event and self._is_wanted(*event):
                events.append(event)
        return events

    def _event_of(self, model):
        (name, what), = model.items()
        identity = what["document"]["_id"] if name == "insertOne" else what["filter"]["_id"]
        before, after = self._before.get(identity, MISSING), self._after.get(identity, MISSING)
        if after is MISSING:
            return None
        replaces = "update" in what and is_replacement(what["update"])
        # A replacement is written even when nothing differs.
        if before is not MISSING and not replaces and identical(before, after):
            return None
        kind = "insert" if before is MISSING else "replace" if replaces else "update"
        shown = self.shown(after)
        return None if shown is None else (kind, shown)

    def _is_wanted(self, kind, shown):
        ids = self._arguments.get("ids")
        if ids is not None and shown.get("_id", MISSING) not in ids:
            return False
        return matches({"operationType": kind, "fullDocument": shown}, self._arguments.get("filter", {}))

    def problem_of(self, event, kind, shown):
        """None, or what is wrong with an event that must show this."""
        if event["operationType"] != kind or not identical(event.get("fullDocument", MISSING), shown):
            return f"expected {kind} of {plain(shown)}"
        key = {"_id": shown["_id"]} if "_id" in shown else {}
        if not identical(event["documentKey"], key):
            return f"the document's key must be {plain(key)}"
        changes = event.get("updateDescription", {"updatedFields": {}, "removedFields": []})
        for path, value in changes["updatedFields"].items():
            if not any(identical(value, one) for one in walk(shown, path.split("."))):
                return f"the change of {path} is not in what may be seen"
        for path in changes["removedFields"]:
            if not self._would_show(shown, path):
                return f"nothing tells that {path} may be seen"
        return None

    def _would_show(self, shown, path):
        for document in self._after.values():
            with_null = copy.deepcopy(document)
            put(with_null, path, None)
            part = self.shown(with_null)
            if part is not None and walk(part, path.split(".")):
                return True
        return False

    def may_see_deletions(self):
        """Only who sees something of every document may learn that one is gone."""
        return all(self.shown(document) is not None for document in [*self._before.values(), *self._after.values()])

    def visible_texts(self):
        return {text for document in self._after.values() for text in texts(self.shown(document) or {})}


def plain(value):
    return json.dumps(to_json(value))


def compare(stream, watch, mark):
    """None, or what differs."""
    allowed = watch.visible_texts()
    expected = watch.expected()
    while True:
        try:
            data = stream.next(PATIENCE if expected else SILENCE)
        except queue.Empty:
            return f"no event came for {expected[0][0]} of {plain(expected[0][1])}" if expected else None
        if data is None:
            return "the stream ended"
        text = json.dumps(data)
        leaked = set(re.findall(mark, text)) - allowed
        if leaked:
            return f"the event holds what the user may not see: {sorted(leaked)}\n  {text}"
        event = from_json(data)
        if event["operationType"] == "delete":
            if not watch.may_see_deletions():
                return f"a deletion that the user must not learn of\n  {text}"
            continue
        if not expected:
            return f"an event too many\n  {text}"
        problem = watch.problem_of(event, *expected.pop(0))
        if problem:
            return f"{problem}\n  answered {text}"
