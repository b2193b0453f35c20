#!/usr/bin/env python3
"""Black-box HTTP cases (cases/*.json) against the real binary, on 127.0.0.1.

A case file: {"about", "serve": [further options of the server], "app": default client app id, "cases": [case]}.
A case: {"name", "steps": [step], "app"?, "pending"?}. Steps: see steps.py; patterns of expected values: matching.py.
A case with "pending" (the reason) must fail: it is counted as skipped, and as failed once the server can do it.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

import sources  # noqa: E402
import steps  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402

APPS = sorted(str(path.parent) for name in ("root_config.json", "realm_config.json")
              for path in HERE.glob(f"apps/*/{name}"))


class Servers:
    """The server of the current case file; `restart` keeps its data."""

    def __init__(self, binary, source):
        self._binary = binary
        self._source = source
        self._source_options = []
        self._options = None
        self._data = None
        self.current = None
        self.problems = []

    def use(self, options):
        if self._options == options and self.current and self.current.is_running():
            return
        self.stop()
        self._options = options
        self._data = tempfile.mkdtemp(prefix="restitch-http-")
        self._source_options = self._source.start()
        self._start_process()

    def restart(self):
        self._stop_process()
        self._start_process()

    def _start_process(self):
        options = [*self._options, *self._source_options]
        self.current = RestitchProcess(self._binary, self._data, APPS, options).wait_until_ready()

    def _stop_process(self):
        if not self.current:
            return
        code = self.current.stop()
        if code != 0:
            self.problems.append(f"the server ended with {code}\n{self.current.log_tail()}")
        self.current = None

    def stop(self):
        self._stop_process()
        if self._data:
            shutil.rmtree(self._data, ignore_errors=True)
            self._data = None
            self.problems += self._source.stop()


def run_case(servers, case, app, unique):
    """None, or why the case failed."""
    runner = steps.Runner(servers, app, unique)
    for number, step in enumerate(case["steps"], 1):
        try:
            runner.run(step)
        except steps.StepFailed as failure:
            return f"step {number}: {failure}"
        except Exception:  # a broken answer must fail its case only
            return f"step {number}: {traceback.format_exc(limit=4)}"
        if not servers.current.is_running():
            return f"step {number}: the server died\n{servers.current.log_tail()}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(HERE.parents[1] / "build/release/restitch"))
    parser.add_argument("--source", choices=sources.NAMES, default="embedded",
                        help="the MongoDB deployment behind the data sources")
    parser.add_argument("--file", default="", help="only case files whose name holds this")
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    options = parser.parse_args()

    files = [(path, json.loads(path.read_text())) for path in sorted(HERE.glob("cases/*.json"))
             if options.file in path.stem]
    files.sort(key=lambda entry: entry[1].get("serve", []))  # one server for neighbours with equal options
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    servers = Servers(options.binary, sources.make(options.source, options.binary))
    number = 0
    try:
        for path, content in files:
            print(f"# {path.stem}: {content['about']}", flush=True)
            for case in content["cases"]:
                if options.only not in case["name"]:
                    continue
                number += 1
                servers.use(content.get("serve", []))
                started = time.monotonic()
                failure = run_case(servers, case, case.get("app", content.get("app")), f"{path.stem}-{number}")
                report(case, failure, time.monotonic() - started, counts)
    finally:
        servers.stop()
    for problem in servers.problems:
        print(f"FAIL {problem}")
        counts["failed"] += 1
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 0 if counts["failed"] == 0 and counts["passed"] > 0 else 1


def report(case, failure, seconds, counts):
    name = case["name"]
    pending = case.get("pending")
    if pending and failure:
        counts["skipped"] += 1
        print(f"skip {name} ({pending})")
    elif pending:
        counts["failed"] += 1
        print(f"FAIL {name}: passes, so it is no longer pending ({pending})")
    elif failure:
        counts["failed"] += 1
        print(f"FAIL {name}\n     {failure}")
    else:
        counts["passed"] += 1
        print(f"ok   {name} ({seconds * 1000:.0f} ms)")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
