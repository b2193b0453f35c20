#!/usr/bin/env python3
"""Triggers under trouble: random writes while the server, its workers and the source are killed, triggers are switched
off and on, and deployments come in between. Every acknowledged write must reach every trigger at least once, and an
ordered trigger must see first deliveries in the order of the changes."""

import argparse
import os
import pathlib
import random
import signal
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from bench import APP, Bench  # noqa: E402
from gateway import Gateway  # noqa: E402

import pymongo.errors  # noqa: E402

WRITERS = 3
ACCOUNT = "123456789012"
QUIET = 45  # seconds without a new event after which what has not come is lost
EVERY = ["INSERT", "UPDATE", "DELETE"]
TRIGGERS = {
    "ordered": {"operation_types": EVERY},
    "unordered": {"operation_types": EVERY, "unordered": True},
    "database": {"collection": "", "operation_types": EVERY},
    "bus": {"operation_types": EVERY},
}


class Writer(threading.Thread):
    """Changes documents of its own; `acknowledged` holds what the source has confirmed."""

    def __init__(self, bench, number, seed, pause):
        super().__init__(daemon=True)
        self._items = bench.mongo.get_database("shop").items
        self._name = f"w{number}"
        self._random = random.Random(f"{seed}-{number}")
        self._pause = pause
        self._ids = []
        self._count = 0
        self.acknowledged = []
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            try:
                self._write()
            except pymongo.errors.PyMongoError:
                time.sleep(0.2)  # it may have happened, it may not
            time.sleep(self._pause * 2 * self._random.random())

    def _write(self):
        self._count += 1
        kind = self._random.random()
        if kind < 0.5 or not self._ids:
            key = f"{self._name}-{self._count}"
            self._items.insert_one({"_id": key, "v": 0})
            self._ids.append(key)
            self.acknowledged.append(("insert", key))
            return
        key = self._random.choice(self._ids)
        if kind < 0.9:
            value = f"{self._name}-{self._count}"
            if self._items.update_one({"_id": key}, {"$set": {"v": value}}).modified_count:
                self.acknowledged.append(("update", value))
        else:
            self._ids.remove(key)
            if self._items.delete_one({"_id": key}).deleted_count:
                self.acknowledged.append(("delete", key))


def change_of(event):
    kind = event["operationType"]
    if kind == "update":
        return kind, event["updateDescription"]["updatedFields"].get("v")
    return kind, event["documentKey"]["_id"]


class Chaos:
    """One kind of trouble at a time; what it did is counted."""

    def __init__(self, bench, seed):
        self._bench = bench
        self._random = random.Random(f"{seed}-chaos")
        self.done = {}
        self._version = 0

    def act(self):
        acts = [self.kill_server, self.kill_worker, self.deploy, self.switch, self.restart, self.close_gateway]
        if self._bench.source:
            acts.append(self.kill_source)
        act = self._random.choice(acts)
        act()
        self.done[act.__name__] = self.done.get(act.__name__, 0) + 1

    def kill_server(self):
        self._bench.server.kill()
        time.sleep(self._random.random())
        self._bench.start()

    def restart(self):
        self._bench.server.stop()
        self._bench.start()

    def kill_source(self):
        self._bench.source.kill()
        time.sleep(self._random.random())
        self._bench.start_source()

    def close_gateway(self):
        self._bench.gateway.close()
        time.sleep(self._random.random())
        self._bench.gateway.open()

    def kill_worker(self):
        workers = children_of(self._bench.server.pid)
        if workers:
            os.kill(self._random.choice(workers), signal.SIGKILL)

    def deploy(self):
        """Another configuration of one trigger: it is replaced while it works."""
        self._version += 1
        name = self._random.choice(list(TRIGGERS))
        write_trigger(self._bench, name, match={"fullDocument.never": {"$ne": self._version}})
        self._bench.redeploy()

    def switch(self):
        name = self._random.choice(list(TRIGGERS))
        write_trigger(self._bench, name, disabled=True)
        self._bench.redeploy()
        time.sleep(self._random.random())
        write_trigger(self._bench, name)
        self._bench.redeploy()


def children_of(pid):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text()
        except OSError:
            continue
        name, rest = status[status.index("(") + 1:].rsplit(") ", 1)
        if int(rest.split()[1]) == pid and name.startswith(("node", "MainThread")):
            found.append(int(entry.name))
    return found


def write_trigger(bench, name, disabled=False, match=None):
    config = {**TRIGGERS[name], "match": match or {}}
    if name == "bus":
        bench.app.bus_trigger(name, config, ACCOUNT, disabled=disabled)
    else:
        bench.app.trigger(name, config, disabled=disabled)


def seen(bench, trigger):
    """What its function was given, or the bus."""
    return [event["detail"] for event in bench.gateway.of(ACCOUNT)] if trigger == "bus" else bench.seen(trigger)


def sign_in(bench, over, users):
    while not over.is_set():
        try:
            users.append(bench.client(f"/app/{APP}/auth/providers/anon-user/login", {})["user_id"])
        except Exception:
            time.sleep(0.2)
        time.sleep(0.15)


def missing_from(bench, trigger, wanted):
    known = {change_of(event) for event in seen(bench, trigger)}
    return [change for change in wanted if change not in known]


def time_of(event):
    at = event["clusterTime"]
    return (at["T"], at["I"]) if isinstance(at, dict) else (at.time, at.inc)


def first_deliveries(events):
    known = set()
    for event in events:
        token = event["_id"]["_data"]
        if token not in known:
            known.add(token)
            yield event


def check(bench, writers, users):
    wanted = [change for writer in writers for change in writer.acknowledged]
    deadline = time.monotonic() + QUIET
    count = -1
    while time.monotonic() < deadline:
        left = {name: missing_from(bench, name, wanted) for name in TRIGGERS}
        logins = {event["user"]["id"] for event in bench.seen("signed_in")}
        left["signed_in"] = [user for user in users if user not in logins]
        if not any(left.values()):
            break
        now = bench.mongo["log"]["seen"].estimated_document_count() + len(bench.gateway.events)
        if now != count:
            count, deadline = now, time.monotonic() + QUIET
        time.sleep(0.3)
    for name, missing in left.items():
        assert not missing, f"{len(missing)} of {len(wanted)} events never reached {name}, e.g. {missing[:3]}"
    for name in ("ordered", "bus"):
        times = [time_of(event) for event in first_deliveries(seen(bench, name))]
        assert times == sorted(times), f"the ordered trigger {name} saw changes out of order"
    given = {name: len(seen(bench, name)) for name in (*TRIGGERS, "signed_in")}
    return wanted, given


def run(binary, kind, seconds, seed, pause):
    bench = Bench(binary, kind)
    bench.gateway = Gateway()
    bench.options = ["--service-gateway", f"AWS_EVENTBRIDGE={bench.gateway.url}"]
    over = threading.Event()
    users = []
    try:
        for name in TRIGGERS:
            write_trigger(bench, name)
        bench.app.trigger("signed_in", {"operation_type": "LOGIN", "providers": ["anon-user"]}, kind="AUTHENTICATION")
        bench.start()
        chaos = Chaos(bench, seed)
        writers = [Writer(bench, number, seed, pause) for number in range(WRITERS)]
        threads = [*writers, threading.Thread(target=sign_in, args=(bench, over, users), daemon=True)]
        for thread in threads:
            thread.start()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(0.3 + chaos._random.random())
            chaos.act()
        over.set()
        for writer in writers:
            writer.over.set()
        for thread in threads:
            thread.join(timeout=60)
        wanted, given = check(bench, writers, users)
        print(f"{kind}: {len(wanted)} changes and {len(users)} logins, all delivered; deliveries {given}; "
              f"trouble {chaos.done}", flush=True)
    finally:
        bench.stop()
        bench.gateway.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(HERE.parents[1] / "build/release/restitch"))
    parser.add_argument("--seconds", type=float, default=12, help="of trouble, for each kind of source")
    parser.add_argument("--long", action="store_true", help="fifteen minutes for each")
    parser.add_argument("--kind", choices=["embedded", "external"], help="only this source")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--pause", type=float, default=0.03, help="seconds between the writes of a writer")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    for kind in [options.kind] if options.kind else ["embedded", "external"]:
        run(options.binary, kind, 900 if options.long else options.seconds, options.seed, options.pause)
    return 0


if __name__ == "__main__":
    sys.exit(main())
