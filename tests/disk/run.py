#!/usr/bin/env python3
"""The server on a disk that runs full: reads go on, writes are refused with a clear error, and go on by themselves when
space returns. The disk is a small tmpfs in a mount namespace of the server's own; the test reaches it over /proc."""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from python_packages import provide_packages  # noqa: E402

provide_packages()

import pymongo  # noqa: E402
import pymongo.errors  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402

OUT_OF_DISK_SPACE = 14031
DISK = 400 << 20
RESERVE = 160 << 20
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
        import os
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


def scenario(binary, data):
    wrapper = NAMESPACE + ["sh", "-c", f'mount -t tmpfs -o size={DISK} none {data} && exec "$0" "$@"', binary]
    server = RestitchProcess(wrapper, data, [], ["--wire", "127.0.0.1:0"]).wait_until_ready()
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
    options = parser.parse_args()
    if subprocess.run(NAMESPACE + ["true"], capture_output=True).returncode != 0:
        print("0 passed, 0 failed, 1 skipped: this machine allows no mount namespaces")
        return 0
    with tempfile.TemporaryDirectory(prefix="restitch-disk-") as data:
        scenario(options.binary, data)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
