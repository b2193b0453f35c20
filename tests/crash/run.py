#!/usr/bin/env python3
"""Kills the server with SIGKILL at random moments under concurrent writers and checks, after each restart, that every
acknowledged write is there, that nothing is there in part, and that indexes agree with documents.

What was acknowledged is recorded outside of the server's process. The seed is printed first; the same seed gives the
same writes and the same moments, as far as the scheduler lets it.
"""

import argparse
import pathlib
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

sys.path.insert(0, str(HERE.parent / "wire"))  # its raw client

from python_packages import provide_packages  # noqa: E402

provide_packages()

import client  # noqa: E402
import driver_writers  # noqa: E402
import writers  # noqa: E402
from restitch_process import RestitchProcess, StartFailed  # noqa: E402

APP = str(HERE / "app")
OPTIONS = ["--wire", "127.0.0.1:0", "--expiry-seconds", "1"]
AUDITED = ("documents", "counters", "groups", "accounts", "transfers")
# Places in the server at which it kills itself, and up to which visit (base/kill_point.h).
KILL_POINTS = {
    "commit.taken": 600, "commit.written": 600, "commit.published": 600, "commit.acknowledged": 600,
    "index.begun": 6, "index.part": 12, "index.filled": 6, "index.finished": 6,
    "drop.committed": 4, "rename.committed": 4, "reclaim.freeing": 4,
}


class Run:
    def __init__(self, options):
        self._options = options
        self._random = random.Random(options.seed)
        self._data = tempfile.mkdtemp(prefix="restitch-crash-")
        self._server = None
        self._writers = []
        self._driver_writers = []
        self._ready_seconds = []
        self._points_reached = {}
        self.checks = 0
        self.failures = []

    def start(self, kill_point=""):
        self._server = RestitchProcess(self._options.binary, self._data, [APP], OPTIONS,
                                       environment={"RESTITCH_KILL_POINT": kill_point}).wait_until_ready()
        return self._server.start_seconds

    def choose_kill_point(self):
        """Half of the kills happen at a named point, the others at any moment."""
        if self._random.random() < 0.5:
            return ""
        name = self._random.choice(list(KILL_POINTS))
        return f"{name}:{self._random.randint(1, KILL_POINTS[name])}"

    def prepare(self):
        self.start()
        api = client.Client(self._server.port)
        for index in range(self._options.writers):
            kind = writers.KINDS[index % len(writers.KINDS)]
            session = api.sign_in()
            name = f"{kind.__name__.lower()}{index}"
            writer = kind(name, session, random.Random(f"{self._options.seed}/{name}"))
            writer.prepare(api)
            self._writers.append(writer)
        api.close()
        mongo = driver_writers.connect(self._server.wire_port)
        for index, kind in enumerate(driver_writers.KINDS * self._options.driver_rounds):
            name = f"{kind.__name__.lower()}{index}"
            writer = kind(name, random.Random(f"{self._options.seed}/{name}"))
            writer.prepare(mongo.crash_driver)
            self._driver_writers.append(writer)
        mongo.close()

    def write_and_kill(self, number, kill_point):
        stopping = threading.Event()
        threads = [threading.Thread(target=self._write, args=(writer, self._server.port, stopping))
                   for writer in self._writers]
        threads += [threading.Thread(target=self._write, args=(writer, self._server.wire_port, stopping))
                    for writer in self._driver_writers]
        for thread in threads:
            thread.start()
        moment = self._random.uniform(0.02, self._options.seconds)
        if kill_point:
            begun = time.monotonic()
            self._server.wait(2 * self._options.seconds)
            moment = time.monotonic() - begun
        else:
            time.sleep(moment)
        alive = self._server.is_running()
        if kill_point and not alive:
            name = kill_point.partition(":")[0]
            self._points_reached[name] = self._points_reached.get(name, 0) + 1
            alive = self._server.killed_itself()
        self._server.kill()
        stopping.set()
        for thread in threads:
            thread.join(timeout=60)
            self._expect(not thread.is_alive(), "a writer does not end")
        self._expect(alive, f"the server died by itself before kill {number}\n{self._server.log_tail()}")
        return moment

    def _write(self, writer, port, stopping):
        try:
            writer.run(port, stopping)
        except Exception as error:  # a failure of the test, told by the main thread
            self._expect(False, f"{writer.name} while the server ran: {type(error).__name__}: {error}")

    def kill_while_starting(self):
        """Sometimes the server is killed again before it is ready."""
        kills = 0
        while self._random.random() < 0.15:
            process = RestitchProcess(self._options.binary, self._data, [APP], OPTIONS)
            time.sleep(self._random.uniform(0, 0.4))
            process.kill()
            kills += 1
        return kills

    def check(self, whole):
        api = client.Client(self._server.port)
        api.sign_in()
        for writer in self._writers:
            writer.renew(api)
            checker = client.Client(self._server.port, writer.access)
            problems = list(writer.check(checker))
            checker.close()
            self._expect(not problems, "; ".join(problems[:5]))
        mongo = driver_writers.connect(self._server.wire_port)
        for writer in self._driver_writers:
            problems = list(writer.check(mongo.crash_driver))
            self._expect(not problems, "; ".join(problems[:5]))
        problems = list(driver_writers.validate_all(mongo))
        self._expect(not problems, "; ".join(problems[:5]))
        mongo.close()
        for name in AUDITED:
            self._audit(api, name, 20000 if whole else 50)
        api.close()

    def _audit(self, api, name, most):
        found = api.call("audit", name, {}, most)
        counts = {key: client.number(found[key]) for key in ("scanned", "counted", "byIndex", "distinct")}
        self._expect(len(set(counts.values())) == 1 and not found["wrong"],
                     f"index and scan of {name} differ: {counts} {found['wrong'][:5]}")

    def _expect(self, holds, failure):
        self.checks += 1
        if not holds:
            self.failures.append(failure)
            print(f"FAIL {failure}", flush=True)

    def run(self):
        self.prepare()
        kill_point = ""
        for number in range(1, self._options.kills + 1):
            moment = self.write_and_kill(number, kill_point)
            early = self.kill_while_starting()
            ready = self.start()
            self._ready_seconds.append(ready)
            self.check(whole=number == self._options.kills)
            written = sum(writer.acknowledged for writer in self._writers + self._driver_writers)
            extra = f", killed {early} times while starting" if early else ""
            if kill_point:
                extra = f" at {kill_point}{extra}"
            kill_point = self.choose_kill_point() if number < self._options.kills else ""
            if kill_point:
                self._server.stop()
                self.start(kill_point)
            print(f"kill {number} after {moment * 1000:.0f} ms: {written} acknowledged writes in all, "
                  f"ready again in {ready * 1000:.0f} ms{extra}", flush=True)
        code = self._server.stop()
        self._expect(code == 0, f"the server stopped with {code}\n{self._server.log_tail()}")

    def close(self):
        if self._server and self._server.is_running():
            self._server.kill()
        if self._options.keep and self.failures:
            print(f"data directory kept: {self._data}")
        else:
            shutil.rmtree(self._data, ignore_errors=True)

    def report(self):
        if self._ready_seconds:
            times = [seconds * 1000 for seconds in self._ready_seconds]
            print(f"restart to ready: median {statistics.median(times):.0f} ms, "
                  f"least {min(times):.0f} ms, most {max(times):.0f} ms, {len(times)} restarts")
        if self._points_reached:
            print("killed at " + ", ".join(f"{name} {count}×" for name, count in sorted(self._points_reached.items())))
        print(f"{self.checks - len(self.failures)} passed, {len(self.failures)} failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(HERE.parents[1] / "build/release/restitch"))
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--writers", type=int, default=12)
    parser.add_argument("--driver-rounds", type=int, default=1, help="writers of each kind that use a driver")
    parser.add_argument("--long", action="store_const", dest="kills", const=2000, help="2000 kills")
    parser.add_argument("--seconds", type=float, default=1.5, help="at most so long between ready and kill")
    parser.add_argument("--keep", action="store_true", help="keep the data directory when a check failed")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {options.seed}", flush=True)
    run = Run(options)
    try:
        run.run()
    except StartFailed as failure:
        run.failures.append(str(failure))
        run.checks += 1
        print(f"FAIL {failure}")
    finally:
        run.close()
    run.report()
    return 0 if not run.failures and run.checks > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
