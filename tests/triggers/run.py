#!/usr/bin/env python3
"""Triggers against the real binary on 127.0.0.1: what fires, with what, in which order, and what happens after trouble."""

import json
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from bench import APP, Bench, wait_for  # noqa: E402
from black_box import Refused, Tally, suite_options  # noqa: E402

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
    app.trigger("database", {"database": "level", "collection": "", "operation_types": [
        "INSERT", "CREATE_COLLECTION", "RENAME_COLLECTION", "DROP_COLLECTION", "CREATE_INDEXES"]})
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
    app.trigger("bridge", {"collection": "bridge"}, event_processors={
        "AWS_EVENTBRIDGE": {"config": {"account_id": "1", "region": "us-east-1"}}})
    for operation in ("LOGIN", "CREATE", "DELETE"):
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
    started = time.monotonic()
    bench.mongo["shop"]["unordered"].insert_many([{"_id": number} for number in range(60)])
    events = bench.wait_for_seen("unordered", 60)
    assert time.monotonic() - started < 60 * 0.3 / 3
    assert sorted(event["documentKey"]["_id"] for event in events) == list(range(60))


def test_a_trigger_of_a_database_sees_its_collections_come_and_go(bench):
    level = bench.mongo["level"]
    level["a"].insert_one({"_id": 1})
    level["a"].create_index("x")
    level["a"].rename("b")
    level["b"].drop()
    level["c"].insert_one({"_id": 2})
    events = bench.wait_for_seen("database", 7)
    assert [(event["operationType"], event["ns"]["coll"]) for event in events] == [
        ("create", "a"), ("insert", "a"), ("createIndexes", "a"), ("rename", "a"), ("drop", "b"),
        ("create", "c"), ("insert", "c")]


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
    assert "FUNCTION" in bench.wait_for_state("bridge", "suspended")["reason"]


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


def test_linking_an_identity_tells_of_it(bench):
    session = bench.client(f"{ROOT}/auth/providers/anon-user/login", {})
    login = {"username": "link@example.org", "password": "corr3ct-horse"}
    bench.client(f"{ROOT}/auth/providers/local-userpass/register",
                 {"email": login["username"], "password": login["password"]})
    bench.client(f"{ROOT}/auth/providers/local-userpass/login?link=true", login, session["access_token"])
    event = wait_for(lambda: next((e for e in bench.seen("user_create") if e["user"]["id"] == session["user_id"]), None))
    assert [one["provider_type"] for one in event["user"]["identities"]] == ["anon-user", "local-userpass"]


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


def main():
    options = suite_options(__doc__)
    bench = Bench(options.binary)
    tally = Tally()
    try:
        prepare(bench.app)
        bench.start()
        tally.run(globals(), options.only, bench)
    finally:
        bench.stop()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
