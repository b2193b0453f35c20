#!/usr/bin/env python3
"""Triggers against the real binary on 127.0.0.1: what fires, with what, in which order, and what happens after trouble."""

import datetime
import json
import pathlib
import sys
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from bench import APP, Bench, wait_for  # noqa: E402
from black_box import Refused, Tally, suite_options  # noqa: E402
from gateway import Gateway  # noqa: E402

import bson  # noqa: E402

ROOT = f"/app/{APP}"


def prepare(app):
    """Each test has a trigger of its own, so that all share one server."""
    every = {"operation_types": ["INSERT", "UPDATE", "REPLACE", "DELETE"]}
    app.trigger("plain", {"collection": "plain", **every})
    app.trigger("full", {"collection": "full", "full_document": True, "full_document_before_change": True, **every})
    app.trigger("chosen", {"collection": "chosen", "operation_types": ["INSERT", "UPDATE"], "match": {
        "$or": [{"fullDocument.size": {"$gt": {"$numberInt": "5"}}},
                {"updateDescription.updatedFields.state": {"$exists": True}}]},
        "project": {"operationType": 1, "fullDocument.size": 1}})
    app.trigger("ordered", {"collection": "ordered"}, then="await new Promise((r) => setTimeout(r, 3 * Math.random()));")
    app.trigger("unordered", {"collection": "unordered", "unordered": True},
                then="await new Promise((r) => setTimeout(r, 300));")
    app.trigger("wide", {"collection": "wide", "unordered": True, "maximum_throughput": True},
                then="await new Promise((r) => setTimeout(r, 300));")
    app.trigger("database", {"database": "level", "collection": "", "operation_types": [
        "INSERT", "CREATE_COLLECTION", "MODIFY_COLLECTION", "RENAME_COLLECTION", "DROP_COLLECTION", "CREATE_INDEXES",
        "DROP_INDEXES"]})
    app.trigger("deployment", {"database": "", "collection": "", "operation_types": ["INSERT", "DROP_DATABASE"],
                               "match": {"ns.db": {"$nin": ["shop", "log"]}}})
    app.trigger("failing", {"collection": "failing"}, then='if (event.fullDocument.bad) throw new Error("no");')
    app.trigger("handled", {"collection": "handled"}, then='throw new Error("no");',
                error_handler={"config": {"enabled": True, "function_name": "onError"}})
    app.function("onError", """exports = async (error, event) => {
  await context.services.get("main").db("log").collection("errors").insertOne({ error, id: event.documentKey._id });
  if (event.fullDocument.fatal) throw new Error("no more");
};
""")
    app.trigger("dropped", {"collection": "dropped"})
    app.trigger("paused", {"collection": "paused"})
    app.trigger("replayed", {"collection": "replayed"},
                then='if (!(await log.collection("gate").findOne({ open: true }))) throw new Error("not yet");')
    app.trigger("off", {"collection": "off"}, disabled=True)
    app.trigger("skipping", {"collection": "skipping", "skip_catchup_events": True}, disabled=True)
    app.trigger("elsewhere", {"service_name": "nowhere"})
    app.trigger("talking", {"collection": "talking"}, then='for (let i = 0; i < 30; ++i) console.log(`line ${i}`);')
    app.function("onBusError", """exports = async (error, event) => {
  await context.services.get("main").db("log").collection("bus_errors").insertOne({ error, id: event.documentKey._id });
  if (event.fullDocument.fatal) throw new Error("no more");
};
""")
    bus_handler = {"error_handler": {"config": {"enabled": True, "function_name": "onBusError"}}}
    app.bus_trigger("bus", {"collection": "bus"}, "000000000001")
    app.bus_trigger("bus_extended", {"collection": "bus_extended"}, "000000000002", extended=True)
    app.bus_trigger("bus_ordered", {"collection": "bus_ordered"}, "000000000003")
    app.bus_trigger("bus_away", {"collection": "bus_away"}, "000000000004")
    app.bus_trigger("bus_handled", {"collection": "bus_handled"}, "000000000005", **bus_handler)
    app.bus_trigger("bus_unhandled", {"collection": "bus_unhandled"}, "000000000006")
    app.bus_trigger("bus_sign_in", {"operation_type": "LOGIN", "providers": ["local-userpass"]}, "000000000007",
                    kind="AUTHENTICATION")
    app.bus_trigger("bus_shaped", {"database": "shaped", "collection": "", "unordered": True,
                                   "project": {"operationType": 1, "fullDocument.a": 1}}, "000000000008")
    for operation in ("LOGIN", "CREATE", "DELETE", "LOGOUT"):
        app.trigger(f"user_{operation.lower()}", {"operation_type": operation, "providers": ["local-userpass"]},
                    kind="AUTHENTICATION")
    app.trigger("every_minute", {"schedule": "* * * * *"}, kind="SCHEDULED")
    app.trigger("legacy", {"collection": "legacy"}, event_processors=None, function_name="on_legacy")


# ---- Database triggers


def test_a_trigger_sees_every_kind_of_change(bench):
    items = bench.mongo["shop"]["plain"]
    items.insert_one({"_id": 1, "a": 1})
    items.update_one({"_id": 1}, {"$set": {"a": 2}})
    items.replace_one({"_id": 1}, {"b": 1})
    items.delete_one({"_id": 1})
    events = bench.wait_for_seen("plain", 4)
    assert [event["operationType"] for event in events] == ["insert", "update", "replace", "delete"]
    assert events[0]["fullDocument"] == {"_id": 1, "a": 1}
    assert events[1]["updateDescription"]["updatedFields"] == {"a": 2}
    assert "fullDocument" not in events[1] and "fullDocument" not in events[3]
    assert events[2]["fullDocument"] == {"_id": 1, "b": 1}
    assert all(event["ns"] == {"db": "shop", "coll": "plain"} and event["documentKey"] == {"_id": 1}
               and event["_id"]["_data"] and event["clusterTime"] for event in events)
    note = bench.notes("plain")[0]
    assert note["system"] and note["userType"] == "system" and note["arguments"] == 1


def test_documents_and_former_states_come_where_they_are_asked_for(bench):
    items = bench.mongo["shop"]["full"]
    items.insert_one({"_id": 1, "a": 1})
    items.update_one({"_id": 1}, {"$set": {"a": 2}})
    items.delete_one({"_id": 1})
    events = bench.wait_for_seen("full", 3)
    assert "fullDocumentBeforeChange" not in events[0]
    assert events[1]["fullDocumentBeforeChange"] == {"_id": 1, "a": 1}
    # The document is looked up when the event is read: it may be gone already.
    assert events[1]["fullDocument"] in ({"_id": 1, "a": 2}, None)
    assert events[2]["fullDocumentBeforeChange"] == {"_id": 1, "a": 2}


def test_match_and_project_choose_and_shape_events(bench):
    items = bench.mongo["shop"]["chosen"]
    items.insert_many([{"_id": 1, "size": 3}, {"_id": 2, "size": 9, "other": 1}])
    items.update_one({"_id": 1}, {"$set": {"size": 4}})
    items.update_one({"_id": 1}, {"$set": {"state": "new"}})
    events = bench.wait_for_seen("chosen", 2)
    time.sleep(0.3)
    assert len(bench.seen("chosen")) == 2
    assert sorted(events[0]) == ["_id", "fullDocument", "operationType"]
    assert events[0]["operationType"] == "insert" and events[0]["fullDocument"] == {"size": 9}
    assert sorted(events[1]) == ["_id", "operationType"]


def test_an_ordered_trigger_runs_one_event_after_the_other(bench):
    bench.mongo["shop"]["ordered"].insert_many([{"_id": number} for number in range(150)])
    events = bench.wait_for_seen("ordered", 150)
    assert [event["documentKey"]["_id"] for event in events] == list(range(150))


def test_an_unordered_trigger_runs_many_events_at_once(bench):
    for name in ("unordered", "wide"):
        started = time.monotonic()
        bench.mongo["shop"][name].insert_many([{"_id": number} for number in range(60)])
        events = bench.wait_for_seen(name, 60)
        assert time.monotonic() - started < 60 * 0.3 / 3
        assert sorted(event["documentKey"]["_id"] for event in events) == list(range(60))


def test_a_trigger_of_a_database_sees_its_collections_come_and_go(bench):
    level = bench.mongo["level"]
    level["a"].insert_one({"_id": 1})
    level["a"].create_index("x")
    level["a"].drop_index("x_1")
    level.command("collMod", "a", changeStreamPreAndPostImages={"enabled": True})
    level["a"].rename("b")
    level["b"].drop()
    level["c"].insert_one({"_id": 2})
    events = bench.wait_for_seen("database", 9)
    assert [(event["operationType"], event["ns"]["coll"]) for event in events] == [
        ("create", "a"), ("insert", "a"), ("createIndexes", "a"), ("dropIndexes", "a"), ("modify", "a"), ("rename", "a"),
        ("drop", "b"), ("create", "c"), ("insert", "c")]


def test_a_trigger_of_the_deployment_does_not_see_the_servers_own_databases(bench):
    bench.mongo["one"]["x"].insert_one({"_id": 1})
    bench.mongo["two"]["y"].insert_one({"_id": 2})
    bench.mongo["__realm_sync_0123456789abcdef01234567"]["z"].insert_one({"_id": 3})
    bench.mongo.drop_database("one")
    bench.wait_for_seen("deployment", 3)
    wait_for(lambda: any(event["operationType"] == "dropDatabase" for event in bench.seen("deployment")))
    events = [event for event in bench.seen("deployment") if event["ns"]["db"] not in ("level",)]
    assert [(event["operationType"], event["ns"]["db"]) for event in events] == [
        ("insert", "one"), ("insert", "two"), ("dropDatabase", "one")]


def test_a_failed_function_is_noted_and_the_trigger_goes_on(bench):
    bench.mongo["shop"]["failing"].insert_many([{"_id": 1}, {"_id": 2, "bad": True}, {"_id": 3}])
    bench.wait_for_seen("failing", 3)
    letter = wait_for(lambda: bench.state["trigger_failures"].find_one({"trigger": "failing"}))
    assert letter["event"]["documentKey"] == {"_id": 2}
    assert letter["error"] == '{"message":"no","name":"Error"}' and letter["attempts"] == 1
    record = wait_for(lambda: (lambda r: r if r.get("delivered") == 3 else None)(bench.record("failing")))
    assert record["failed"] == 1 and record["state"] == "running" and record["cluster_time"]
    entry = wait_for(lambda: bench.state["logs"].find_one({"type": "DB_TRIGGER", "error": {"$exists": True},
                                                           "event_subscription_name": "failing"}))
    assert entry["co_id"] == letter["co_id"] and entry["function_name"] == "on_failing"
    known = {one["_id"]: one["name"] for one in bench.administrator().ask("GET", "/triggers")}
    assert known[entry["event_subscription_id"]] == "failing", (entry, known)


def test_an_error_handler_decides_whether_the_trigger_goes_on(bench):
    items = bench.mongo["shop"]["handled"]
    items.insert_many([{"_id": 1}, {"_id": 2}])
    errors = bench.mongo["log"]["errors"]
    wait_for(lambda: errors.count_documents({}) == 2)
    assert errors.find_one({"id": 1})["error"] == {"code": "OTHER", "message": '{"message":"no","name":"Error"}'}
    items.insert_one({"_id": 3, "fatal": True})
    record = bench.wait_for_state("handled", "suspended")
    assert record["reason"] == "the error handler failed"
    entry = wait_for(lambda: bench.state["logs"].find_one({"type": "TRIGGER_ERROR_HANDLER"}))
    assert entry["parent_co_id"]


def test_a_trigger_on_a_dropped_collection_is_suspended(bench):
    items = bench.mongo["shop"]["dropped"]
    items.insert_one({"_id": 1})
    bench.wait_for_seen("dropped", 1)
    items.drop()
    record = bench.wait_for_state("dropped", "suspended")
    assert "dropped or renamed" in record["reason"]
    items.insert_one({"_id": 2})
    bench.redeploy()
    events = bench.wait_for_seen("dropped", 2)
    assert [event["documentKey"]["_id"] for event in events] == [1, 2]


def test_what_cannot_run_is_suspended_with_a_reason(bench):
    assert bench.wait_for_state("elsewhere", "suspended")["reason"] == "data source not found: 'nowhere'"


def test_the_form_of_older_layouts_works(bench):
    bench.mongo["shop"]["legacy"].insert_one({"_id": 1})
    bench.wait_for_seen("legacy", 1)


def test_what_happened_while_a_trigger_was_disabled_is_made_up_for_unless_it_skips(bench):
    for name in ("off", "skipping"):
        assert bench.record(name)["state"] == "disabled"
        bench.mongo["shop"][name].insert_one({"_id": 1})
        bench.app.trigger(name, {"collection": name, "skip_catchup_events": name == "skipping"})
    bench.redeploy()
    for name in ("off", "skipping"):
        bench.mongo["shop"][name].insert_one({"_id": 2})
    assert [event["documentKey"]["_id"] for event in bench.wait_for_seen("off", 2)] == [1, 2]
    assert [event["documentKey"]["_id"] for event in bench.wait_for_seen("skipping", 1)] == [2]


def test_a_new_trigger_sees_what_happens_after_its_deployment_and_a_removed_one_nothing(bench):
    items = bench.mongo["shop"]["young"]
    items.insert_one({"_id": 1})
    bench.app.trigger("young", {"collection": "young"})
    bench.redeploy()
    items.insert_one({"_id": 2})
    assert [event["documentKey"]["_id"] for event in bench.wait_for_seen("young", 1)] == [2]
    bench.app.drop_trigger("young")
    bench.redeploy()
    assert bench.record("young") is None
    items.insert_one({"_id": 3})
    time.sleep(0.3)
    assert len(bench.seen("young")) == 1


def test_the_log_keeps_the_first_lines_of_a_triggers_function(bench):
    bench.mongo["shop"]["talking"].insert_one({"_id": 1})
    entry = wait_for(lambda: bench.state["logs"].find_one({"event_subscription_name": "talking"}))
    assert entry["messages"] == [f"line {number}" for number in range(25)]


# ---- Event buses


def wait_for_events(bench, account, count):
    return wait_for(lambda: (lambda found: found if len(found) >= count else None)(bench.gateway.of(account)),
                    what=f"{count} events for {account}, there are {bench.gateway.of(account)}")


def ids_of(events):
    return [event["detail"]["documentKey"]["_id"] for event in events]


def test_an_event_bus_gets_what_its_targets_will_see(bench):
    at = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc)
    bench.mongo["shop"]["bus"].insert_one({"_id": bson.ObjectId("614cab95890e884a9264002a"), "at": at, "n": 1, "half": 0.5})
    event, = wait_for_events(bench, "000000000001", 1)
    shown, = [one for one in bench.administer("GET", "/triggers") if one["name"] == "bus"]
    source = f"aws.partner/mongodb.com/stitch.trigger/{shown['_id']}"
    assert uuid.UUID(event["id"]).version == 8
    detail = event["detail"]
    assert event == {
        "version": "0", "id": event["id"], "detail-type": "MongoDB Database Trigger for shop.bus", "source": source,
        "account": "000000000001", "time": event["time"], "region": "us-east-1",
        "resources": [f"arn:aws:events:us-east-1::event-source/{source}"], "detail": detail}
    assert event["time"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(detail["clusterTime"]["T"]))
    assert detail["_id"]["_data"] and detail["clusterTime"]["I"] > 0 and detail["operationType"] == "insert"
    assert detail["documentKey"] == {"_id": "614cab95890e884a9264002a"} and detail["ns"] == {"db": "shop", "coll": "bus"}
    assert detail["fullDocument"] == {
        "_id": "614cab95890e884a9264002a", "at": "2024-02-29T12:30:00.000Z", "n": 1, "half": 0.5}
    entry = wait_for(lambda: bench.state["logs"].find_one({"event_subscription_name": "bus"}))
    assert entry["type"] == "DB_TRIGGER" and "error" not in entry and entry["event_subscription_id"] == shown["_id"]


def test_an_event_bus_gets_types_where_it_asks_for_them(bench):
    bench.mongo["shop"]["bus_extended"].insert_one({"_id": 1, "half": 0.5})
    event, = wait_for_events(bench, "000000000002", 1)
    assert event["detail"]["fullDocument"] == {"_id": {"$numberInt": "1"}, "half": {"$numberDouble": "0.5"}}
    assert event["detail"]["clusterTime"]["$timestamp"]["t"] > 0 and event["account"] == "000000000002"


def test_an_event_bus_gets_what_project_leaves(bench):
    bench.mongo["shaped"]["items"].insert_one({"_id": 1, "a": 2, "b": 3})
    event, = wait_for_events(bench, "000000000008", 1)
    assert event["detail-type"] == "MongoDB Database Trigger for shaped"
    assert event["detail"] == {
        "_id": event["detail"]["_id"], "operationType": "insert", "fullDocument": {"a": 2}}, event


def test_an_ordered_event_bus_waits_for_a_gateway_that_is_busy(bench):
    items = bench.mongo["shop"]["bus_ordered"]
    items.insert_many([{"_id": 1, "answers": [503, 429, 200]}, {"_id": 2}, {"_id": 3}])
    events = wait_for_events(bench, "000000000003", 5)
    assert ids_of(events) == [1, 1, 1, 2, 3] and len({event["id"] for event in events}) == 3
    record = wait_for(lambda: (lambda r: r if r.get("delivered") == 3 else None)(bench.record("bus_ordered")))
    assert record["failed"] == 0 and record["state"] == "running"


def test_events_wait_for_a_gateway_that_does_not_answer(bench):
    bench.gateway.close()
    try:
        bench.mongo["shop"]["bus_away"].insert_many([{"_id": 1}, {"_id": 2}])
        record = wait_for(lambda: (lambda r: r if r["reason"] else None)(bench.record("bus_away")))
        assert record["reason"] == "no answer from 127.0.0.1" and record["state"] == "running"
    finally:
        bench.gateway.open()
    assert ids_of(wait_for_events(bench, "000000000004", 2)) == [1, 2]
    wait_for(lambda: bench.record("bus_away")["reason"] == "")
    assert bench.administer("GET", "/triggers/bus_away/failed") == []


def test_an_error_handler_decides_about_events_that_a_bus_refuses(bench):
    items = bench.mongo["shop"]["bus_handled"]
    items.insert_many([
        {"_id": 1, "answers": [400], "error": "total size of the entries in the request is over the limit"},
        {"_id": 2, "answers": [413]}, {"_id": 3, "answers": [400, 200], "error": "no"}, {"_id": 4, "text": "x" * 300_000},
        {"_id": 5, "answers": [500]}, {"_id": 6}])
    assert ids_of(wait_for_events(bench, "000000000005", 5)) == [1, 2, 3, 5, 6]
    errors = {one["id"]: one["error"] for one in bench.mongo["log"]["bus_errors"].find()}
    gateway = "the gateway of AWS_EVENTBRIDGE answered"
    assert errors == {
        1: {"code": "DOCUMENT_TOO_LARGE", "message": "total size of the entries in the request is over the limit"},
        2: {"code": "DOCUMENT_TOO_LARGE", "message": f"{gateway} 413"}, 3: {"code": "OTHER", "message": "no"},
        4: {"code": "DOCUMENT_TOO_LARGE", "message": "the event is larger than the limit of 256 KB"},
        5: {"code": "OTHER", "message": f"{gateway} 500"}}
    entry = wait_for(lambda: bench.state["logs"].find_one({"event_subscription_name": "bus_handled", "error": "no"}))
    assert entry["type"] == "DB_TRIGGER" and entry["error_code"] == "AWSError"
    handled = wait_for(lambda: bench.state["logs"].find_one({"parent_co_id": entry["co_id"]}))
    assert handled["type"] == "TRIGGER_ERROR_HANDLER"
    letter, = [one for one in bench.administer("GET", "/triggers/bus_handled/failed") if one["co_id"] == entry["co_id"]]
    result = bench.administer("POST", f"/triggers/bus_handled/failed/{letter['_id']}/replay")
    assert result == {"succeeded": 1, "failed": 0, "has_more": False}
    items.insert_one({"_id": 7, "fatal": True, "answers": [400]})
    assert bench.wait_for_state("bus_handled", "suspended")["reason"] == "the error handler failed"


def test_a_bus_that_refuses_an_event_suspends_a_trigger_without_error_handler(bench):
    items = bench.mongo["shop"]["bus_unhandled"]
    items.insert_many([{"_id": 1, "answers": [400], "error": "no such bus"}, {"_id": 2}])
    record = bench.wait_for_state("bus_unhandled", "suspended")
    assert record["reason"] == "an event could not be put: no such bus"
    letter, = bench.administer("GET", "/triggers/bus_unhandled/failed")
    assert json.loads(letter["event"])["documentKey"] == {"_id": {"$numberInt": "1"}}
    assert ids_of(bench.gateway.of("000000000006")) == [1]
    bench.administer("PUT", "/triggers/bus_unhandled/resume", {"disable_token": False})
    assert ids_of(wait_for_events(bench, "000000000006", 2)) == [1, 2]


def test_an_event_bus_needs_a_gateway(bench):
    bench.server.stop()
    options, bench.options = bench.options, []
    bench.start()
    record = bench.wait_for_state("bus", "suspended")
    assert record["reason"] == "AWS_EVENTBRIDGE needs a gateway: serve --service-gateway AWS_EVENTBRIDGE=URL"
    bench.mongo["shop"]["bus"].insert_one({"_id": 2})
    bench.server.stop()
    bench.options = options
    bench.start()
    assert ids_of(wait_for_events(bench, "000000000001", 2))[1] == 2


# ---- Administration


def test_administrators_see_pause_and_resume_triggers(bench):
    items = bench.mongo["shop"]["paused"]
    items.insert_one({"_id": 1})
    bench.wait_for_seen("paused", 1)
    wait_for(lambda: bench.administer("GET", "/triggers/paused/status")["delivered"] == 1)
    bench.administer("PUT", "/triggers/paused/suspend")
    status = bench.administer("GET", "/triggers/paused/status")
    assert status["state"] == "paused" and status["type"] == "DATABASE"
    time.sleep(0.3)
    items.insert_one({"_id": 2})
    time.sleep(0.3)
    assert len(bench.seen("paused")) == 1
    shown, = [one for one in bench.administer("GET", "/triggers") if one["name"] == "paused"]
    bench.administer("PUT", f"/triggers/{shown['_id']}/resume", {"disable_token": False})
    bench.wait_for_seen("paused", 2)
    bench.administer("PUT", "/triggers/paused/suspend")
    time.sleep(0.3)
    items.insert_one({"_id": 3})
    bench.administer("PUT", f"/triggers/{shown['_id']}/resume", {"disable_token": True})
    items.insert_one({"_id": 4})
    events = bench.wait_for_seen("paused", 3)
    assert [event["documentKey"]["_id"] for event in events] == [1, 2, 4]
    statuses = {one["name"]: one["state"] for one in bench.administer("GET", "/trigger_status")}
    assert statuses["paused"] == "running" and statuses["elsewhere"] == "suspended"
    execution = bench.administer("GET", f"/event_subscriptions/{shown['_id']}/execution")
    assert execution["data"] == "running" and execution["cluster_time"] > 0


def test_administrators_replay_failed_events(bench):
    items = bench.mongo["shop"]["replayed"]
    items.insert_many([{"_id": 1}, {"_id": 2}])
    failed = wait_for(lambda: (lambda f: f if len(f) == 2 else None)(
        bench.administer("GET", "/triggers/replayed/failed")))
    assert json.loads(failed[0]["event"])["documentKey"] == {"_id": {"$numberInt": "2"}}
    assert failed[0]["error"] == '{"message":"not yet","name":"Error"}' and failed[0]["co_id"]
    bench.mongo["log"]["gate"].insert_one({"open": True})
    result = bench.administer("POST", f"/triggers/replayed/failed/{failed[0]['_id']}/replay")
    assert result == {"succeeded": 1, "failed": 0, "has_more": False}
    result = bench.administer("POST", "/triggers/replayed/failed/replay")
    assert result == {"succeeded": 1, "failed": 0, "has_more": False}
    assert bench.administer("GET", "/triggers/replayed/failed") == []
    assert [event["documentKey"]["_id"] for event in bench.seen("replayed")] == [1, 2, 2, 1]
    try:
        bench.administer("PUT", "/triggers/nobody/suspend")
    except Refused as refused:
        assert refused.status == 404 and "trigger not found: 'nobody'" in refused.body["error"]
    else:
        raise AssertionError("a trigger that is not there was paused")


def test_the_command_line_does_the_same(bench):
    assert "paused" in bench.command_line("list")
    bench.command_line("pause", "plain")
    assert bench.record("plain")["state"] == "paused"
    assert "paused by an administrator" in bench.command_line("describe", "plain")
    bench.command_line("resume", "plain", "--from-now")
    assert bench.record("plain")["state"] == "running"
    assert '{"message":"no","name":"Error"}' in bench.command_line("failed", "failing").replace('\\"', '"')
    assert "0 succeeded, 1 failed again" in bench.command_line("replay", "failing")


# ---- Authentication triggers


def test_users_are_told_of_when_they_come_sign_in_and_go(bench):
    login = {"username": "ann@example.org", "password": "corr3ct-horse"}
    bench.client(f"{ROOT}/auth/providers/local-userpass/register",
                 {"email": login["username"], "password": login["password"]})
    session = bench.client(f"{ROOT}/auth/providers/local-userpass/login", login)
    bench.client(f"{ROOT}/auth/providers/local-userpass/login", login)
    bench.client(f"{ROOT}/auth/providers/anon-user/login", {})
    bench.client("/auth/delete", None, session["access_token"], "DELETE")
    deleted, = bench.wait_for_seen("user_delete", 1)
    created, = bench.wait_for_seen("user_create", 1)
    logins = bench.wait_for_seen("user_login", 2)
    assert created["operationType"] == "CREATE" and created["providers"] == ["local-userpass"] and created["time"]
    assert created["user"]["id"] == session["user_id"] and created["user"]["type"] == "normal"
    assert created["user"]["data"] == {"email": "ann@example.org"}
    identity, = created["user"]["identities"]
    assert identity["provider_type"] == "local-userpass"
    assert len(logins) == 2 and all(event["operationType"] == "LOGIN" for event in logins)
    assert deleted["operationType"] == "DELETE" and deleted["user"]["id"] == session["user_id"]
    wait_for(lambda: bench.state["trigger_events"].count_documents({}) == 0)
    entry = wait_for(lambda: bench.state["logs"].find_one({"event_subscription_name": "user_create"}))
    assert entry["type"] == "AUTH_TRIGGER" and entry["function_name"] == "on_user_create"


def test_signing_out_is_told_of(bench):
    login = {"username": "out@example.org", "password": "corr3ct-horse"}
    bench.client(f"{ROOT}/auth/providers/local-userpass/register",
                 {"email": login["username"], "password": login["password"]})
    session = bench.client(f"{ROOT}/auth/providers/local-userpass/login", login)
    other = bench.client(f"{ROOT}/auth/providers/anon-user/login", {})
    for one in (session, other):
        bench.client("/auth/session", None, one["refresh_token"], "DELETE")
    event, = bench.wait_for_seen("user_logout", 1)
    assert event["operationType"] == "LOGOUT" and event["providers"] == ["local-userpass"] and event["time"]
    assert event["user"]["id"] == session["user_id"] and event["user"]["data"] == {"email": "out@example.org"}
    time.sleep(0.3)
    assert len(bench.seen("user_logout")) == 1


def test_linking_an_identity_tells_of_it(bench):
    session = bench.client(f"{ROOT}/auth/providers/anon-user/login", {})
    login = {"username": "link@example.org", "password": "corr3ct-horse"}
    bench.client(f"{ROOT}/auth/providers/local-userpass/register",
                 {"email": login["username"], "password": login["password"]})
    bench.client(f"{ROOT}/auth/providers/local-userpass/login?link=true", login, session["access_token"])
    event = wait_for(lambda: next((e for e in bench.seen("user_create") if e["user"]["id"] == session["user_id"]), None))
    assert [one["provider_type"] for one in event["user"]["identities"]] == ["anon-user", "local-userpass"]
    assert event["providers"] == ["local-userpass"]
    bench.client("/auth/delete", None, session["access_token"], "DELETE")
    event = wait_for(lambda: next((e for e in bench.seen("user_delete") if e["user"]["id"] == session["user_id"]), None))
    assert sorted(event["providers"]) == ["anon-user", "local-userpass"]


def test_an_event_bus_gets_sign_ins_too(bench):
    login = {"username": "bus@example.org", "password": "corr3ct-horse"}
    bench.client(f"{ROOT}/auth/providers/local-userpass/register",
                 {"email": login["username"], "password": login["password"]})
    session = bench.client(f"{ROOT}/auth/providers/local-userpass/login", login)
    event = wait_for(lambda: next((one for one in bench.gateway.of("000000000007")
                                   if one["detail"]["user"]["id"] == session["user_id"]), None))
    assert event["detail-type"] == "MongoDB Authentication Trigger for bus_sign_in"
    assert event["detail"]["operationType"] == "LOGIN" and event["detail"]["user"]["data"] == {"email": "bus@example.org"}


# ---- Scheduled triggers


def test_a_missed_run_is_made_up_for(bench):
    """As after a time in which the server was down: the last run lies three minutes back."""
    bench.server.stop()
    other = bench.start_alone()
    minute = int(time.time() // 60)
    other["triggers"].update_one({"name": "every_minute"}, {"$set": {"last_run": minute - 3}})
    bench.stop_alone()
    bench.start()
    bench.wait_for_seen("every_minute", 3)
    assert all(note["arguments"] == 0 for note in bench.notes("every_minute"))
    record = wait_for(lambda: (lambda r: r if r["last_run"] >= minute else None)(bench.record("every_minute")))
    assert record["state"] == "running"
    entry = wait_for(lambda: bench.state["logs"].find_one({"event_subscription_name": "every_minute"}))
    assert entry["type"] == "SCHEDULED_TRIGGER" and entry["function_name"] == "on_every_minute"


def main():
    options = suite_options(__doc__)
    bench = Bench(options.binary)
    bench.gateway = Gateway()
    bench.options = ["--service-gateway", f"AWS_EVENTBRIDGE={bench.gateway.url}"]
    tally = Tally()
    try:
        prepare(bench.app)
        bench.start()
        tally.run(globals(), options.only, bench)
    finally:
        bench.stop()
        bench.gateway.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
