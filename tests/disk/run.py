#!/usr/bin/env python3
"""The server on a disk that runs full: reads go on, writes are refused with a clear error, and go on by themselves when
space returns. The disk is a small tmpfs in a mount namespace of the server's own; the test reaches it over /proc."""

import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from python_packages import provide_packages  # noqa: E402

provide_packages()

import pymongo  # noqa: E402
import pymongo.errors  # noqa: E402
from restitch_process import RestitchProcess, free_port  # noqa: E402

OUT_OF_DISK_SPACE = 14031
DISK = 400 << 20
RESERVE = 160 << 20
ABRUPT_DISK = 1500 << 20
NAMESPACE = ["unshare", "--map-root-user", "--mount", "--propagation", "private"]
passed = failed = 0


def expect(holds, what):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {what}", flush=True)


class SmallDisk:
    """The server's disk, seen from outside."""

    def __init__(self, server, data):
        self.folder = pathlib.Path(f"/proc/{server.pid}/root{data}")
        self.filler = self.folder / "filler"

    def free(self):
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def fill(self, left):
        """Until about so many bytes are free."""
        with open(self.filler, "ab", buffering=0) as file:
            while self.free() > left + (1 << 20):
                file.write(b"\1" * min(1 << 20, self.free() - left))
            if left == 0:
                try:
                    while True:
                        file.write(b"\1" * 4096)
                except OSError:
                    pass

    def take_all(self):
        with open(self.filler, "ab") as file:
            while self.free() > 0:
                try:
                    os.posix_fallocate(file.fileno(), file.tell(), self.free())
                except OSError:
                    continue  # what was free is taken meanwhile
                file.seek(0, os.SEEK_END)

    def clear(self):
        try:
            self.filler.unlink()
        except FileNotFoundError:
            pass


def refused_with(collection, seconds=10):
    """The code of the first write that fails, within so long."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            collection.insert_one({"refused": True})
        except pymongo.errors.OperationFailure as error:
            return error.code
        time.sleep(0.05)
    return None


def writes_again(collection, key, seconds=10):
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            collection.insert_one({"_id": key})
            return True
        except pymongo.errors.OperationFailure:
            time.sleep(0.1)
    return False


# As a service manager does it: the server is started again unless it ended in order. RocksDB of Debian is built with
# its assertions, one of which ends the process now and then when an append fails.
SUPERVISOR = """
trap 'stopping=1; kill $server' TERM
while :; do
  "$0" "$@" & server=$!
  wait $server; code=$?
  while kill -0 $server 2>/dev/null; do wait $server; code=$?; done
  [ -n "$stopping" ] && exit $code
  echo "ended by itself: $code"
done
"""


def start(binary, data, size=DISK, port=0, wire_port=0, run='exec "$0" "$@"'):
    wrapper = NAMESPACE + ["sh", "-c", f"mount -t tmpfs -o size={size} none {data} || exit\n{run}", binary]
    return RestitchProcess(wrapper, data, [], ["--wire", f"127.0.0.1:{wire_port}"], port=port).wait_until_ready()


def insist(action, attempts=20):
    """The answer of a server that may start anew meanwhile."""
    for attempt in range(attempts):
        try:
            return action()
        except (pymongo.errors.AutoReconnect, pymongo.errors.OperationFailure):
            if attempt == attempts - 1:
                raise
            time.sleep(0.5)


class Writer(threading.Thread):
    """Writes as fast as it can and keeps what was acknowledged."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.name, self.acknowledged, self.stopped = port, name, [], False

    def run(self):
        rows = pymongo.MongoClient("127.0.0.1", self.port, retryWrites=False).disk.rows
        number = 0
        while not self.stopped:
            number += 1
            key = f"{self.name}/{number}"
            try:
                rows.insert_one({"_id": key, "text": "x" * random.choice((100, 10_000, 100_000))})
                self.acknowledged.append(key)
            except pymongo.errors.PyMongoError:
                time.sleep(0.01)


def abrupt_scenario(binary, data, rounds):
    """Other programs take all the space from one moment to the next, and give it back: RocksDB itself meets the full
    disk, in whatever it is doing."""
    server = start(binary, data, ABRUPT_DISK, free_port(), wire_port := free_port(), SUPERVISOR)
    try:
        client = pymongo.MongoClient("127.0.0.1", wire_port, retryWrites=False)
        disk = SmallDisk(server, data)
        for round_number in range(rounds):
            writers = [Writer(wire_port, f"{round_number}/{i}") for i in range(4)]
            for writer in writers:
                writer.start()
            time.sleep(random.uniform(0.05, 0.4))
            print(f"round {round_number}: {disk.free() >> 20} MiB were free", flush=True)
            disk.take_all()
            time.sleep(random.uniform(0.0, 0.6))
            disk.clear()
            insist(lambda: client.disk.rows.insert_one({}), attempts=200)
            for writer in writers:
                writer.stopped = True
            for writer in writers:
                writer.join()
            acknowledged = {key for writer in writers for key in writer.acknowledged}
            found = insist(lambda: {row["_id"] for row in client.disk.rows.find({}, {"_id": 1})})
            expect(acknowledged <= found, f"round {round_number}: lost {len(acknowledged - found)}")
            validated = insist(lambda: client.disk.command("validate", "rows"))
            expect(validated["valid"], f"round {round_number}: the collection is valid")
            insist(lambda: client.disk.drop_collection("rows"))
        client.close()
        expect(server.stop() == 0, "the server stops in order")
        began_anew = sum("Starting anew" in line for line in server.log)
        ended = sum("ended by itself" in line for line in server.log)
        print(f"{rounds} times without space from one moment to the next, {began_anew} new starts by the server "
              f"itself, {ended} by its supervisor")
    except Exception:
        print(server.log_tail())
        raise
    finally:
        if server.is_running():
            server.kill()


def scenario(binary, data):
    server = start(binary, data)
    try:
        client = pymongo.MongoClient("127.0.0.1", server.wire_port, retryWrites=False)
        disk = SmallDisk(server, data)
        rows = client.disk.rows
        rows.insert_many([{"_id": i, "text": "x" * 500} for i in range(1000)])
        client.disk.scratch.insert_many([{"_id": i} for i in range(100)])

        disk.fill(RESERVE // 2)
        expect(refused_with(rows) == OUT_OF_DISK_SPACE, "below the reserve writes are refused with OutOfDiskSpace")
        expect(rows.count_documents({"text": {"$exists": True}}) == 1000, "reads go on")
        try:
            with client.start_session() as session, session.start_transaction():
                rows.insert_one({"_id": "never"}, session=session)
            expect(False, "a transaction was committed on a full disk")
        except pymongo.errors.OperationFailure as error:
            expect(error.code == OUT_OF_DISK_SPACE, f"a commit is refused: {error}")
        client.disk.drop_collection("scratch")
        expect("scratch" not in client.disk.list_collection_names(), "a drop goes on")
        disk.clear()
        expect(writes_again(rows, "after the reserve"), "writes go on when there is space")

        disk.fill(0)
        expect(refused_with(rows) == OUT_OF_DISK_SPACE, "on a full disk writes are refused with OutOfDiskSpace")
        try:
            client.disk.rows.create_index("text")
            expect(False, "an index was built on a full disk")
        except pymongo.errors.OperationFailure as error:
            expect(error.code == OUT_OF_DISK_SPACE, f"an index build is refused: {error}")
        client.disk.command("validate", "rows")
        time.sleep(2.5)  # several rounds of repair find the disk still full
        expect(rows.find_one({"_id": 500})["text"] == "x" * 500, "reads go on on a full disk")
        disk.clear()
        expect(writes_again(rows, "after the full disk"), "writes go on after a full disk")
        expect(rows.count_documents({"_id": {"$type": "string"}}) == 2, "what was acknowledged is there, and no more")
        expect(client.disk.command("validate", "rows")["valid"], "the collection is valid")
        expect(rows.find_one({"_id": "never"}) is None, "what was refused is not there")
        expect(server.is_running(), "the server lives")
        client.close()
        expect(server.stop() == 0, "the server stops in order")
    finally:
        if server.is_running():
            server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(HERE.parents[1] / "build/release/restitch"))
    parser.add_argument("--abrupt-rounds", type=int, default=0, metavar="N",
                        help="take all space from one moment to the next N times; about once in 50 times RocksDB needs "
                             "longer to come back than this waits")
    options = parser.parse_args()
    if subprocess.run(NAMESPACE + ["true"], capture_output=True).returncode != 0:
        print("0 passed, 0 failed, 1 skipped: this machine allows no mount namespaces")
        return 0
    with tempfile.TemporaryDirectory(prefix="restitch-disk-") as data:
        scenario(options.binary, data)
    if options.abrupt_rounds > 0:
        with tempfile.TemporaryDirectory(prefix="restitch-disk-") as data:
            abrupt_scenario(options.binary, data, options.abrupt_rounds)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
