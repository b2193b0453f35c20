"""Start and stop of the endpoint. They run last: the final one stops the server."""

import subprocess
import tempfile
import threading
import time

import raw_client as raw
from checks import equal, true
from server import start

HELLO = {"hello": 1, "$db": "admin"}


def only_loopback_addresses_are_listened_on(_context, binary):
    for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
        with tempfile.TemporaryDirectory() as data:
            run = subprocess.run([binary, "serve", "--data", data, "--listen", "127.0.0.1:0", "--wire", address],
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        true(run.returncode != 0, f"serving on {address} is refused")
        true("loopback" in run.stderr, f"the reason is told: {run.stderr}")


def a_stop_tells_monitors_and_answers_commands_in_flight(context, _binary):
    monitor = raw.RawClient(context.wire_port)
    version = monitor.command(HELLO).document["topologyVersion"]
    stream = raw.RawClient(context.wire_port)
    idle = raw.RawClient(context.wire_port)
    equal(idle.command({"ping": 1, "$db": "admin"}).document["ok"], 1.0)
    waiting = {**HELLO, "topologyVersion": version, "maxAwaitTimeMS": 60000}
    monitor.send(raw.op_msg(raw.body(waiting)))
    stream.send(raw.op_msg(raw.body(waiting), flags=raw.EXHAUST_ALLOWED))
    time.sleep(0.3)
    codes = []
    stopping = threading.Thread(target=lambda: codes.append(context.process.stop()))
    started = time.monotonic()
    stopping.start()
    for client in (monitor, stream):
        reply = client.receive()
        equal(reply.code, 91)
        equal(reply.flags, 0)
        true(reply.document["topologyVersion"]["counter"] > version["counter"], "the topology has changed")
        true(client.is_closed_by_server(), "the connection ends")
    true(idle.is_closed_by_server(), "an idle connection ends")
    stopping.join()
    equal(codes, [0], "exit code")
    true(time.monotonic() - started < 20, "nothing was waited for")


def a_restart_is_a_later_election(_context, binary):
    with tempfile.TemporaryDirectory() as data:
        seen = []
        for _ in range(2):
            run = start(binary, data, [])
            with raw.RawClient(run.wire_port) as client:
                hello = client.command(HELLO).document
            seen.append((hello["electionId"], hello["topologyVersion"]["processId"], hello["setVersion"]))
            equal(run.process.stop(), 0)
    true(seen[0][0] < seen[1][0], f"the election ids grow: {seen}")
    true(seen[0][1] != seen[1][1], "another process")
    equal(seen[0][2], seen[1][2])


def the_configured_name_is_told_to_clients(_context, binary):
    with tempfile.TemporaryDirectory() as data:
        run = start(binary, data, ["--wire-advertise", "DB.example.org:27017"])
        with raw.RawClient(run.wire_port) as client:
            hello = client.command(HELLO).document
        run.process.stop()
    equal((hello["hosts"], hello["me"], hello["primary"]), (["db.example.org:27017"],) + ("db.example.org:27017",) * 2)


def fail_points_do_not_exist_unless_asked_for(_context, binary):
    with tempfile.TemporaryDirectory() as data:
        run = start(binary, data, [])
        with raw.RawClient(run.wire_port) as client:
            reply = client.command({"configureFailPoint": "failCommand", "mode": "off", "$db": "admin"})
        run.process.stop()
    equal(reply.code, 59)
    equal(reply.document["errmsg"], "no such command: 'configureFailPoint'")


TESTS = [only_loopback_addresses_are_listened_on, a_restart_is_a_later_election,
         the_configured_name_is_told_to_clients, fail_points_do_not_exist_unless_asked_for,
         a_stop_tells_monitors_and_answers_commands_in_flight]
