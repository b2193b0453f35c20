"""What the cases work with: the server under test on one source, its users, and a look at what is really stored."""

import contextlib
import functools
import json
import pathlib
import queue
import shutil
import tempfile
import time

from black_box import Refused, request_json
from event_stream import EventStream, watch_path
from python_packages import provide_packages
from restitch_process import RestitchProcess, parse_log_line

provide_packages()

import pymongo  # noqa: E402
from bson import json_util  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
APP = "foreign-aaaaa"
DATABASE = "shop"
AWARE = json_util.JSONOptions(tz_aware=True)


def needs(*capabilities):
    """Marks a case that works only where the source has these."""
    def mark(case):
        case.needs = capabilities
        return case
    return mark


def outside(case):
    """Marks a case for sources that are servers of their own."""
    case.is_for_outside = True
    return case


class User:
    """An app user, signed in anonymously. Values come back as Python's."""

    def __init__(self, server):
        self._server = server
        self._url = f"{server.url}/api/client/v2.0/app/{APP}"
        self._token = None
        session = self._post("/auth/providers/anon-user/login", {})
        self._token, self.id = session["access_token"], session["user_id"]

    def _post(self, path, body):
        answer = request_json("POST", self._url + path, json.loads(json_util.dumps(body)), self._token)
        return json_util.loads(json.dumps(answer), json_options=AWARE)

    def call(self, function, *arguments):
        return self._post("/functions/call", {"name": function, "arguments": list(arguments)})

    def data(self, action, collection, **argument):
        """An action of the client API."""
        argument = {"database": DATABASE, "collection": collection, **argument}
        return self._post("/functions/call", {"name": action, "service": "main", "arguments": [argument]})

    def code(self, collection, method, *arguments):
        """A collection's method in function code under the user's rules."""
        return self.call("asUser", collection, method, *arguments)

    def system(self, collection, method, *arguments):
        """The same without rules."""
        return self.call("asSystem", collection, method, *arguments)

    def watch(self, collection, **argument):
        argument = {"database": DATABASE, "collection": collection, **argument}
        path = watch_path(APP, {"name": "watch", "service": "main", "arguments": [argument]}, token=self._token)
        return EventStream(self._server.port, path, [])


class Bench:
    def __init__(self, binary, source):
        self.source = source
        self._binary = binary
        self._folder = tempfile.mkdtemp(prefix="restitch-foreign-server-")
        self.source.start()
        self.server = RestitchProcess(binary, self._folder, [str(HERE / "app")], source.options()).wait_until_ready()
        self.mongo = pymongo.MongoClient(source.uri, serverSelectionTimeoutMS=20000, tz_aware=True)
        self.alice, self.bob = User(self.server), User(self.server)

    def collection(self, name):
        return self.mongo[DATABASE][name]

    def fill(self, name, *documents):
        """Makes these all that the collection holds, past the server under test."""
        self.collection(name).delete_many({})
        if documents:
            self.collection(name).insert_many(documents)

    def stored(self, name):
        """What is stored, by _id; an _id that is a document counts as its text."""
        found = self.collection(name).find()
        return {str(key) if isinstance(key := document["_id"], dict) else key: document for document in found}

    @contextlib.contextmanager
    def all_or_nothing(self, name):
        """What is refused in the block must have changed nothing."""
        before = self.stored(name)
        try:
            yield
        except Refused as refused:
            after = self.stored(name)
            assert after == before, f"half applied before {refused}: {before} became {after}"
            raise

    def log_entries(self, number):
        entries = (parse_log_line(line) for line in list(self.server.log))
        return [entry["attr"] for entry in entries if entry and entry.get("id") == number]

    def close(self):
        self.mongo.close()
        code = self.server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        assert code == 0, self.server.log_tail()

    def kill(self):
        self.server.kill()
        self.source.close()


def refused(status, code, text, action):
    """That `action` is answered by this error."""
    try:
        answer = action()
    except Refused as error:
        assert (error.status, error.body.get("error_code")) == (status, code), error
        assert text in error.body["error"], error
        return
    raise AssertionError(f"not refused but answered {answer}")


def denied(bench, collection, kind, action):
    """That the rules refuse the write and that nothing was written."""
    before = bench.stored(collection)
    refused(400, "NoMatchingRuleFound", f"{kind} not permitted", action)
    assert bench.stored(collection) == before


def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)


def judged(case, source):
    """The case as a test: what the source lacks must show, and in the declared way."""
    lacking = {name: source.lacks[name] for name in getattr(case, "needs", ()) if name in source.lacks}
    is_certain = not set(lacking) <= source.unreliable
    expected = [text for name, text in lacking.items() if not is_certain or name not in source.unreliable]

    @functools.wraps(case)
    def test(bench):
        if not lacking:
            return case(bench)
        try:
            case(bench)
        except (Refused, AssertionError, queue.Empty) as failure:
            found = f"{type(failure).__name__} {failure}"
            assert any(text in found for text in expected), f"not as declared: {failure!r}"
            return
        assert not is_certain, f"passes, so it is no longer lacking: {sorted(lacking)}"
    return test
