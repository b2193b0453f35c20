#!/usr/bin/env python3
"""Black-box tests of `restitch backup`, `restore` and `validate` against the real binary."""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from python_packages import provide_packages  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402

KILL_POINTS = ["restore.staged", "restore.decided", "restore.between:1", "restore.between:2", "restore.between:3",
               "restore.exchanged"]


class Failed(AssertionError):
    pass


def wait_until(holds, what, seconds=10):
    """The server learns that the command has ended when its connection does."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise Failed(what)
        time.sleep(0.02)


def expect(holds, what):
    if not holds:
        raise Failed(what)


class Server:
    """A server with its driver's client."""

    def __init__(self, binary, data, **options):
        import pymongo
        self.process = RestitchProcess(binary, str(data), [], ["--wire", "127.0.0.1:0"], **options).wait_until_ready()
        self.client = pymongo.MongoClient("127.0.0.1", self.process.wire_port, serverSelectionTimeoutMS=3000,
                                          retryWrites=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        if self.process.is_running():
            code = self.process.stop()
            expect(code == 0, f"the server stopped with {code}\n{self.process.log_tail()}")


class Load:
    """Writers that know what was acknowledged. Each inserts 1, 2, 3, …; in a transaction it also sets a document of
    another collection to the same number; and it notes the newest number that its left neighbour had acknowledged."""

    WRITERS = 4

    def __init__(self, client):
        self._db = client.backup
        self._stopping = threading.Event()
        self.acknowledged = [0] * self.WRITERS
        self.attempted = [0] * self.WRITERS
        self.failures = []
        self._db.heads.insert_many([{"_id": writer, "n": 0} for writer in range(self.WRITERS)])
        self._db.rows.create_index([("writer", 1), ("n", 1)], unique=True)
        self._threads = [threading.Thread(target=self._run, args=(writer,)) for writer in range(self.WRITERS)]
        for thread in self._threads:
            thread.start()

    def _run(self, writer):
        try:
            while not self._stopping.is_set():
                self._write(writer)
        except Exception as error:  # told by the main thread
            self.failures.append(f"writer {writer}: {error!r}")

    def _write(self, writer):
        number = self.attempted[writer] = self.attempted[writer] + 1
        seen = self.acknowledged[writer - 1]
        row = {"writer": writer, "n": number, "seen": seen, "text": "x" * (number % 700)}
        with self._db.client.start_session() as session, session.start_transaction():
            self._db.rows.insert_one(row, session=session)
            self._db.heads.update_one({"_id": writer}, {"$set": {"n": number}}, session=session)
        self.acknowledged[writer] = number

    def wait_for(self, number):
        give_up = time.monotonic() + 60
        while min(self.acknowledged) < number and not self.failures and time.monotonic() < give_up:
            time.sleep(0.01)
        expect(not self.failures and min(self.acknowledged) >= number, f"the writers do not get on: {self.failures}")

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        expect(not self.failures, f"{self.failures}")


def check_state(db, least, most):
    """The rows of each writer are 1…k with least ≤ k ≤ most, its head is k, and nobody saw what is not there."""
    lasts = []
    for writer in range(Load.WRITERS):
        rows = list(db.rows.find({"writer": writer}).sort("n"))
        numbers = [row["n"] for row in rows]
        expect(numbers == list(range(1, len(numbers) + 1)), f"rows of writer {writer} have gaps: {numbers[:50]}…")
        expect(least[writer] <= len(numbers) <= most[writer],
               f"writer {writer} has {len(numbers)} rows, wanted {least[writer]} to {most[writer]}")
        expect(all(len(row["text"]) == row["n"] % 700 for row in rows), f"a row of writer {writer} is torn")
        head = db.heads.find_one({"_id": writer})["n"]
        expect(head == len(numbers), f"a transaction is there in part: {len(numbers)} rows, head {head}")
        lasts.append((len(numbers), max((row["seen"] for row in rows), default=0)))
    for writer, (_, seen) in enumerate(lasts):
        expect(seen <= lasts[writer - 1][0], f"not of one moment: {seen} was seen, {lasts[writer - 1][0]} are there")
    for name in db.list_collection_names():
        reply = db.command("validate", name, full=True)
        expect(reply["valid"], f"{name} is not valid: {reply}")


class Suite:
    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = pathlib.Path(folder)

    def run_command(self, *arguments, code=0, **options):
        run = subprocess.run([self.binary, *map(str, arguments)], stdin=options.pop("stdin", subprocess.DEVNULL),
                             stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, timeout=300, **options)
        expect(run.returncode == code,
               f"{arguments} ended with {run.returncode}, wanted {code}: {run.stdout} {run.stderr.decode()}")
        return run.stderr.decode()

    def filled(self, name, value):
        """A closed data directory with one document."""
        data = self.folder / name
        with Server(self.binary, data) as server:
            server.client.shop.items.insert_one({"_id": 1, "value": value})
        return data

    def value_in(self, data):
        with Server(self.binary, data) as server:
            return server.client.shop.items.find_one({"_id": 1})["value"]

    # ---- tests

    def a_backup_under_load_restores_to_one_moment_between_its_begin_and_its_end(self):
        data = self.folder / "load"
        targets = [self.folder / "first", self.folder / "second.tar"]
        bounds = []
        with Server(self.binary, data) as server:
            load = Load(server.client)
            load.wait_for(50)
            for target in targets:
                least = list(load.acknowledged)
                self.run_command("backup", "--data", data, target)
                bounds.append((least, list(load.attempted)))
                load.wait_for(max(load.acknowledged) + 20)
            with open(self.folder / "third", "wb") as archive:
                least = list(load.acknowledged)
                self.run_command("backup", "--data", data, "-", stdout=archive)
                bounds.append((least, list(load.attempted)))
            targets.append(self.folder / "third")
            load.stop()
            wait_until(lambda: not (data / "cluster.frozen").exists(), "the frozen copy is gone")
            term = server.client.admin.command("replSetGetStatus")["term"]
        for target, (least, most) in zip(targets, bounds):
            restored = self.folder / (target.name + "-restored")
            self.run_command("restore", "--data", restored, target)
            self.run_command("validate", "--data", restored)
            with Server(self.binary, restored) as server:
                check_state(server.client.backup, least, most)
                expect(server.client.admin.command("replSetGetStatus")["term"] > term, "the term has grown")
                server.client.backup.rows.insert_one({"writer": 99, "n": 1})

    def a_stopped_server_is_backed_up_from_its_directory(self):
        data = self.filled("stopped", "kept")
        self.run_command("backup", "--data", data, self.folder / "stopped.tar")
        self.run_command("restore", "--data", self.folder / "restored", self.folder / "stopped.tar")
        expect(self.value_in(self.folder / "restored") == "kept", "the document")
        expect(self.value_in(data) == "kept", "the document where it was")
        for name in ("secret.key", "admin.json"):
            expect((data / name).read_bytes() == (self.folder / "restored" / name).read_bytes(), f"{name} is restored")

    def a_backup_without_keys_leaves_them_out(self):
        data = self.filled("keys", 1)
        self.run_command("backup", "--without-keys", "--data", data, self.folder / "bare")
        expect(sorted(entry.name for entry in (self.folder / "bare").iterdir()) == ["backup.json", "cluster"], "content")
        said = self.run_command("restore", "--data", self.folder / "bare-restored", self.folder / "bare")
        expect("secret.key" in said, said)

    def a_target_that_exists_is_refused(self):
        data = self.filled("exists", 1)
        target = self.folder / "taken"
        target.mkdir()
        (target / "letter").write_text("dear")
        said = self.run_command("backup", "--data", data, target, code=1)
        expect("not an empty directory" in said, said)
        expect((target / "letter").read_text() == "dear", "what was there stays")

    def a_damaged_backup_is_refused_with_file_and_reason_and_nothing_is_touched(self):
        data = self.filled("sound", 1)
        sound = self.folder / "sound-backup"
        self.run_command("backup", "--data", data, sound)
        table = next(path for path in sorted((sound / "cluster").iterdir()) if path.suffix == ".sst").name

        def flip(path):
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)

        damages = [
            (f"cluster/{table}", "checksum", flip),
            ("secret.key", "checksum", flip),
            ("backup.json", "checksum", flip),
            (f"cluster/{table}", "bytes instead of", lambda path: path.write_bytes(path.read_bytes()[:-1])),
            (f"cluster/{table}", "missing", lambda path: path.unlink()),
            ("backup.json", "not complete", lambda path: path.unlink()),
            ("cluster/000000.sst", "does not belong", lambda path: path.write_text("x")),
        ]
        for number, (name, reason, damage) in enumerate(damages):
            copy = self.folder / f"damaged{number}"
            shutil.copytree(sound, copy)
            damage(copy / name)
            empty = self.folder / f"empty{number}"
            said = self.run_command("restore", "--data", empty, copy, code=1)
            expect(name in said and reason in said, f"{name}, {reason}: {said}")
            expect(list(empty.iterdir()) == [], f"{empty} stays empty")
            used = self.filled(f"used{number}", "old") if number == 0 else None
            if used:
                self.run_command("restore", "--replace", "--data", used, copy, code=1)
                expect(self.value_in(used) == "old", "the old data stay")

    def a_truncated_or_foreign_archive_is_refused(self):
        data = self.filled("archived", 1)
        archive = self.folder / "archive.tar"
        self.run_command("backup", "--data", data, archive)
        content = archive.read_bytes()
        for size in (0, 100, 512, 5000, len(content) // 2, len(content) - 1024):
            archive.write_bytes(content[:size])
            said = self.run_command("restore", "--data", self.folder / "nowhere", archive, code=1)
            expect("early" in said or "not complete" in said, said)
        evil = self.folder / "evil"
        (evil / "sub").mkdir(parents=True)
        (evil / "escaped").write_text("x")
        subprocess.run(["tar", "-cf", archive, "-C", evil / "sub", "-P", "../escaped"], check=True)
        said = self.run_command("restore", "--data", self.folder / "nowhere", archive, code=1)
        expect("does not belong" in said, said)

    def a_directory_in_use_is_not_restored_and_not_validated(self):
        data = self.filled("busy", 1)
        self.run_command("backup", "--data", data, self.folder / "busy.tar")
        with Server(self.binary, data):
            said = self.run_command("restore", "--replace", "--data", data, self.folder / "busy.tar", code=1)
            expect("in use" in said, said)
            said = self.run_command("validate", "--data", data, code=2)
            expect("in use" in said, said)

    def a_directory_with_content_is_restored_only_when_told(self):
        data = self.filled("new", "new")
        self.run_command("backup", "--data", data, self.folder / "new.tar")
        other = self.filled("old", "old")
        said = self.run_command("restore", "--data", other, self.folder / "new.tar", code=1)
        expect("not empty" in said and "--replace" in said, said)
        expect(self.value_in(other) == "old", "it is as it was")
        self.run_command("restore", "--replace", "--data", other, self.folder / "new.tar")
        expect(self.value_in(other) == "new", "it holds the backup")

    def a_restore_killed_at_any_point_leaves_the_old_or_the_new_state(self):
        backed_up = self.filled("backed-up", "new")
        backup = self.folder / "killed.tar"
        self.run_command("backup", "--data", backed_up, backup)
        new_key = (backed_up / "secret.key").read_bytes()
        before = self.filled("before", "old")
        old_key = (before / "secret.key").read_bytes()
        for number, point in enumerate(KILL_POINTS):
            data = self.folder / f"killed{number}"
            shutil.copytree(before, data)
            self.run_command("restore", "--replace", "--data", data, backup, code=-signal.SIGKILL,
                             env={**os.environ, "RESTITCH_KILL_POINT": point})
            wanted = ("old", old_key) if point == "restore.staged" else ("new", new_key)
            expect(self.value_in(data) == wanted[0], f"killed at {point}: the documents")
            expect((data / "secret.key").read_bytes() == wanted[1], f"killed at {point}: the key")
            expect(not (data / "restore.staged").exists(), f"killed at {point}: nothing is left")

    def a_backup_whose_server_dies_leaves_no_target(self):
        data = self.folder / "dying"
        with Server(self.binary, data) as server:
            server.client.shop.items.insert_one({"_id": 1, "value": 1})
            os.kill(server.process.pid, signal.SIGSTOP)
            backup = subprocess.Popen([self.binary, "backup", "--data", str(data), str(self.folder / "none")],
                                      stderr=subprocess.PIPE)
            time.sleep(0.3)
            server.process.kill()
            said = backup.communicate(timeout=30)[1].decode()
            expect(backup.returncode == 2 and "hung up" in said, f"{backup.returncode} {said}")
            expect(not (self.folder / "none").exists(), "there is no target")


def tests_of(suite):
    return [getattr(suite, name) for name, value in vars(Suite).items()
            if callable(value) and name.startswith("a_")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(HERE.parents[1] / "build/release/restitch"))
    parser.add_argument("--only", default="", help="only tests whose name holds this")
    options = parser.parse_args()
    provide_packages()
    passed = failed = 0
    for number in range(len(tests_of(Suite("", "")))):
        folder = tempfile.mkdtemp(prefix="restitch-backup-")
        test = tests_of(Suite(options.binary, folder))[number]
        started = time.monotonic()
        try:
            if options.only not in test.__name__:
                continue
            test()
            passed += 1
            print(f"ok   {test.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
        except Exception:  # a failed test must not end the others
            failed += 1
            print(f"FAIL {test.__name__}\n{traceback.format_exc(limit=-4)}", flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
