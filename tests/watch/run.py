#!/usr/bin/env python3
"""Streams of changes for app users (GET functions/call with `watch`) against the real binary on 127.0.0.1."""

import base64
import json
import pathlib
import shutil
import socket
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from black_box import Refused, Tally, request_json, suite_options  # noqa: E402
from event_stream import EventStream, watch_path  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402

APP = "watch-aaaaa"


class User:
    def __init__(self, server, body=None, provider="anon-user"):
        self._server = server
        self._app = f"{server.url}/api/client/v2.0/app/{APP}"
        self.token = None
        session = self.post(f"/auth/providers/{provider}/login", body or {})
        self.token, self.id = session["access_token"], session["user_id"]

    def post(self, path, body):
        return request_json("POST", self._app + path, body, self.token)

    def data(self, action, collection, **argument):
        return self.post("/functions/call", {"name": action, "service": "main", "arguments": [
            {"database": "shop", "collection": collection, **argument}]})

    def watch(self, collection, token_in="query", names=("baas_request", "baas_at"), service="main", name="watch",
              **argument):
        body = {"name": name, "service": service, "arguments": [{"database": "shop", "collection": collection, **argument}]}
        headers = [f"Authorization: Bearer {self.token}"] if token_in == "header" else []
        path = watch_path(APP, body, names, self.token if token_in == "query" else None)
        return EventStream(self._server.port, path, headers)

    def delete(self):
        request = urllib.request.Request(f"{self._server.url}/api/client/v2.0/auth/delete", method="DELETE",
                                         headers={"Authorization": f"Bearer {self.token}"})
        urllib.request.urlopen(request, timeout=30).read()


def refused(status, code, action):
    try:
        action()
    except Refused as refusal:
        assert (refusal.status, refusal.body.get("error_code", "")) == (status, code), refusal
        return
    raise AssertionError("not refused")


def nothing_but(stream, marker, write):
    """That no event comes before the one that `write` makes."""
    write()
    event = stream.next()
    assert event["documentKey"]["_id"] == marker, event


def expect_metric(server, line, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().split("\n")
        if line in lines:
            return
        time.sleep(0.2)
    raise AssertionError([found for found in lines if found.startswith(line.split()[0])])


# ---- Tests: each takes the server.


def test_inserts_updates_replacements_and_deletions_arrive_in_order(server):
    user = User(server)
    stream = user.watch("open")
    assert stream.headers["content-type"] == "text/event-stream" and "no-cache" in stream.headers["cache-control"]
    text = "50% \r\n off %0A"
    user.data("insertOne", "open", document={"_id": "a", "text": text})
    user.data("updateOne", "open", query={"_id": "a"}, update={"$set": {"n": {"$numberInt": "1"}}, "$unset": {"text": ""}})
    user.data("findOneAndReplace", "open", filter={"_id": "a"}, update={"m": True})
    user.data("deleteOne", "open", query={"_id": "a"})
    insert, update, replace, delete = (stream.next() for _ in range(4))
    assert insert["operationType"] == "insert" and insert["fullDocument"] == {"_id": "a", "text": text}, insert
    assert insert["ns"] == {"db": "shop", "coll": "open"} and insert["documentKey"] == {"_id": "a"}
    assert set(insert["clusterTime"]) == {"$timestamp"} and "_data" in insert["_id"]
    assert update["updateDescription"]["updatedFields"] == {"n": {"$numberInt": "1"}}, update
    assert update["updateDescription"]["removedFields"] == ["text"]
    assert "fullDocument" in update
    assert replace["operationType"] == "replace" and delete["operationType"] == "delete"
    stream.close()


def test_what_happened_before_is_not_given(server):
    user = User(server)
    keep = user.watch("open")  # the shared stream is there already
    user.data("insertOne", "open", document={"_id": "before"})
    stream = user.watch("open")
    nothing_but(stream, "after", lambda: user.data("insertOne", "open", document={"_id": "after"}))
    stream.close()
    keep.close()


def test_ids_and_filters_choose_events(server):
    user = User(server)
    by_id = user.watch("open", ids=["i2", {"$numberInt": "3"}])
    by_filter = user.watch("open", filter={"fullDocument.kind": "good"})
    for document in ({"_id": "i1", "kind": "bad"}, {"_id": "i2", "kind": "bad"}, {"_id": {"$numberInt": "3"}, "kind": "good"}):
        user.data("insertOne", "open", document=document)
    assert [by_id.next()["documentKey"]["_id"] for _ in range(2)] == ["i2", {"$numberInt": "3"}]
    assert by_filter.next()["documentKey"]["_id"] == {"$numberInt": "3"}
    by_id.close()
    by_filter.close()


def test_rules_hide_documents_and_fields(server):
    owner, guest = User(server), User(server)
    stream = guest.watch("mine")
    own = owner.watch("mine")
    document = {"owner": owner.id, "title": "t", "secret": "s", "sub": {"seen": 1, "unseen": 2}}
    owner.data("insertOne", "mine", document={"_id": "hidden", **document})
    owner.data("insertOne", "mine", document={"_id": "shown", "public": True, **document})
    event = stream.next()
    one = {"$numberInt": "1"}
    assert event["fullDocument"] == {"_id": "shown", "title": "t", "sub": {"seen": one}}, event
    owner.data("updateOne", "mine", query={"_id": "shown"}, update={
        "$set": {"title": "t2", "secret": "s2", "sub.seen": 5, "sub.unseen": 6, "new": {"x": 1}}, "$unset": {"gone": ""}})
    event = stream.next()
    changes = event["updateDescription"]
    assert changes["updatedFields"] == {"title": "t2", "sub.seen": {"$numberInt": "5"}}, changes
    owner.data("updateOne", "mine", query={"_id": "shown"}, update={"$unset": {"secret": "", "title": ""}})
    changes = stream.next()["updateDescription"]
    assert changes["removedFields"] == ["title"] and changes["updatedFields"] == {}, changes
    owner.data("updateOne", "mine", query={"_id": "shown"}, update={"$set": {"sub": {"unseen": 7}}})
    changes = stream.next()["updateDescription"]
    assert changes["updatedFields"] == {}, changes
    owner.data("deleteOne", "mine", query={"_id": "shown"})  # whose it was cannot be told: nobody sees it
    owner.data("insertOne", "mine", document={"_id": "marker", "public": True, "owner": owner.id})
    assert stream.next()["documentKey"]["_id"] == "marker"
    assert [own.next()["operationType"] for _ in range(5)] == ["insert", "insert", "update", "update", "update"]
    stream.close()
    own.close()


def test_a_filter_of_the_client_cannot_probe_hidden_fields(server):
    owner, guest = User(server), User(server)
    stream = guest.watch("mine", filter={"$or": [{"fullDocument.secret": "x"}, {"documentKey._id": "p-marker"}]})
    owner.data("insertOne", "mine", document={"_id": "p1", "owner": owner.id, "public": True, "secret": "x"})
    nothing_but(stream, "p-marker", lambda: owner.data(
        "insertOne", "mine", document={"_id": "p-marker", "owner": owner.id, "public": True}))
    stream.close()


def test_filters_of_the_rules_apply(server):
    user = User(server)
    stream = user.watch("filtered")
    user.data("insertOne", "filtered", document={"_id": "f1", "dead": True})
    user.data("insertOne", "filtered", document={"_id": "f2", "secret": "s", "open": "o"})
    assert stream.next()["fullDocument"] == {"_id": "f2", "open": "o"}
    user.data("updateOne", "filtered", query={"_id": "f2"}, update={"$unset": {"secret": "", "open": ""}})
    event = stream.next()  # the document holds nothing more that is hidden, but the change does
    assert (event["fullDocument"], event["updateDescription"]["removedFields"]) == ({"_id": "f2"}, ["open"]), event
    stream.close()


def test_tokens_come_by_header_query_and_former_names(server):
    user = User(server)
    for ways in ({"token_in": "header"}, {"names": ("stitch_request", "stitch_at")}):
        stream = user.watch("open", **ways)
        user.data("insertOne", "open", document={})
        assert stream.next()["operationType"] == "insert"
        stream.close()


def test_what_is_wrong_is_told_before_the_stream(server):
    user = User(server)
    refused(401, "", lambda: user.watch("open", token_in="nowhere"))
    refused(403, "NoMatchingRuleFound", lambda: user.watch("unruled"))
    refused(404, "ServiceNotFound", lambda: user.watch("open", service="other"))
    refused(400, "BadRequest", lambda: user.watch("open", name="find"))
    refused(400, "InvalidParameter", lambda: user.watch("open", ids="x"))
    refused(400, "MongoDBError", lambda: user.watch("open", filter={"a": {"$who": 1}}))
    path = f"/api/client/v2.0/app/{APP}/functions/call?baas_request=%21&baas_at={user.token}"
    refused(400, "BadRequest", lambda: EventStream(server.port, path, []))


def test_many_watchers_share_one_stream(server):
    user = User(server)
    streams = [user.watch("open") for _ in range(200)]
    user.data("insertOne", "open", document={"_id": "for all"})
    for stream in streams:
        assert stream.next()["documentKey"]["_id"] == "for all"
    expect_metric(server, "restitch_change_watchers 200")
    for stream in streams:
        stream.close()
    expect_metric(server, "restitch_change_watchers 0")


def test_a_watcher_that_does_not_read_is_cut_off_and_others_go_on(server):
    user = User(server)
    lazy = socket.create_connection(("127.0.0.1", server.port))
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    body = {"name": "watch", "service": "main", "arguments": [{"database": "shop", "collection": "open"}]}
    query = urllib.parse.urlencode({"baas_request": base64.b64encode(json.dumps(body).encode()).decode(),
                                    "baas_at": user.token})
    lazy.sendall(f"GET /api/client/v2.0/app/{APP}/functions/call?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    stream = user.watch("open")
    text = "x" * 100_000
    for at in range(12):
        user.data("insertMany", "open", documents=[{"text": text} for _ in range(30)])
        for _ in range(30):
            assert stream.next()["operationType"] == "insert"
    expect_metric(server, "restitch_change_watchers_cut_off_total 1")
    stream.close()
    lazy.close()


def test_a_deleted_user_loses_the_stream(server):
    user = User(server)
    stream = user.watch("open")
    user.delete()
    event = stream.next(40)  # told with the next sign of life
    assert event == {"event": "error", "error": "invalid session", "error_code": "InvalidSession"}, event
    assert stream.next() is None


def test_a_deleted_user_gets_no_further_event(server):
    user, other = User(server), User(server)
    stream = user.watch("open")
    other.data("insertOne", "open", document={"_id": "before-leaving"})
    assert stream.next()["documentKey"]["_id"] == "before-leaving"
    user.delete()
    other.data("insertOne", "open", document={"_id": "after-leaving"})
    event = stream.next(5)
    assert event == {"event": "error", "error": "invalid session", "error_code": "InvalidSession"}, event


def test_stopping_the_server_ends_streams_at_once(server):
    stream = User(server).watch("open")
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 10
    last = stream.next()
    assert last is None or last["event"] == "error", last


def main():
    options = suite_options(__doc__)
    tally = Tally()
    data = tempfile.mkdtemp(prefix="restitch-watch-")
    server = RestitchProcess(options.binary, data, [str(HERE / "app")]).wait_until_ready()
    try:
        tally.run(globals(), options.only, server)
    finally:
        server.kill()
        shutil.rmtree(data, ignore_errors=True)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
