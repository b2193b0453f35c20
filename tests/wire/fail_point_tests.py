"""Fail points: faults on demand for the tests of drivers."""

import contextlib
import time

from pymongo.errors import AutoReconnect, NetworkTimeout, OperationFailure

import raw_client as raw
from checks import equal, fails, test, true


@contextlib.contextmanager
def fail_command(context, mode, **data):
    admin = context.client.admin
    admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})
    try:
        yield
    finally:
        admin.command({"configureFailPoint": "failCommand", "mode": "off"})


@test
def a_fail_point_ends_the_connection_instead_of_answering(context):
    with context.connect(retryWrites=False, retryReads=False) as client:
        client.admin.command("ping")
        with fail_command(context, {"times": 1}, failCommands=["insert"], closeConnection=True):
            with fails(AutoReconnect):
                client[context.name].c.insert_one({"_id": 1})
        equal(client[context.name].c.count_documents({}), 0)


@test
def a_driver_retries_a_write_whose_connection_was_ended(context):
    things = context.client[context.name].c
    things.insert_one({"_id": 0})
    with fail_command(context, {"times": 1}, failCommands=["insert"], closeConnection=True):
        things.insert_one({"_id": 1})
    with fail_command(context, {"times": 1}, failCommands=["find"], errorCode=11602):
        equal([one["_id"] for one in things.find(sort=[("_id", 1)])], [0, 1])


@test
def a_connection_ended_behind_a_stored_write_does_not_write_twice(context):
    things = context.client[context.name].c
    things.insert_one({"_id": 0, "n": 0})
    context.client.admin.command({"configureFailPoint": "onPrimaryTransactionalWrite", "mode": {"times": 1}})
    equal(things.update_one({"_id": 0}, {"$inc": {"n": 1}}).modified_count, 1)
    equal(things.find_one(), {"_id": 0, "n": 1})
    context.client.admin.command({"configureFailPoint": "onPrimaryTransactionalWrite", "mode": {"times": 1}})
    equal(things.find_one_and_update({"_id": 0}, {"$inc": {"n": 1}}), {"_id": 0, "n": 1})
    equal(things.find_one(), {"_id": 0, "n": 2})


@test
def a_fail_point_of_an_application_leaves_others_alone(context):
    with context.connect(appname="unlucky") as client:
        client.admin.command("ping")
        with fail_command(context, "alwaysOn", failCommands=["ping"], errorCode=8, appName="unlucky"):
            equal(context.client.admin.command("ping")["ok"], 1.0)
            with fails(OperationFailure, code=8):
                client.admin.command("ping")


@test
def a_blocked_command_runs_later(context):
    with fail_command(context, {"times": 1}, failCommands=["find"], blockConnection=True, blockTimeMS=300):
        started = time.monotonic()
        equal(context.client[context.name].c.find_one(), None)
        true(time.monotonic() - started >= 0.3, "time")
    with fail_command(context, {"times": 1}, failCommands=["find"], blockConnection=True, blockTimeMS=700):
        with context.connect(socketTimeoutMS=300, retryReads=False) as client:
            with fails(NetworkTimeout):
                client[context.name].c.find_one()


@test
def a_hello_fails_without_waiting_for_a_change(context):
    hello = {"hello": 1, "$db": "admin"}
    client = raw.RawClient(context.wire_port)
    named = {**hello, "client": {"driver": {"name": "raw", "version": "1"}, "os": {"type": "Linux"},
                                 "application": {"name": "waiter"}}}
    version = client.command(named).document["topologyVersion"]
    with fail_command(context, {"times": 1}, failCommands=["hello", "isMaster"], errorCode=91, appName="waiter"):
        started = time.monotonic()
        reply = client.command({**hello, "topologyVersion": version, "maxAwaitTimeMS": 20000})
        equal(reply.code, 91)
        true(time.monotonic() - started < 10, "no waiting")
    with fail_command(context, {"times": 1}, failCommands=["hello"], closeConnection=True, appName="waiter"):
        client.send(raw.op_msg(raw.body(hello)))
        true(client.is_closed_by_server(), "the connection ends")
