#!/usr/bin/env python3
"""Records histories of concurrent clients over the MongoDB endpoint, also across kill -9, and checks that single
documents are linearizable and that transactions have snapshot isolation. The checkers are tested first, with histories
that are known to be right or wrong."""

import argparse
import json
import pathlib
import random
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from python_packages import provide_packages  # noqa: E402

provide_packages()

import appends  # noqa: E402
import record  # noqa: E402
import registers  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402

CASES = HERE.parent / "data/histories"


def check_checkers(expect):
    for case in json.loads((CASES / "registers.json").read_text()):
        found = registers.check(case["history"]) is None
        expect(found == case["verdict"], f"register case '{case['name']}' is judged {found}")
    for case in json.loads((CASES / "appends.json").read_text()):
        found = {anomaly for anomaly, _ in appends.check(case["history"], case.get("final"))}
        wanted = set(case["anomalies"])
        holds = found == wanted if case.get("exact", True) else bool(found & wanted)
        expect(holds, f"list case '{case['name']}' shows {sorted(found)}")


def run_clients(options, workload, clients, dice):
    """The history over several lives of one data directory, each but the last ended by SIGKILL, and the final state."""
    data = tempfile.mkdtemp(prefix="restitch-histories-")
    history = []
    try:
        for life in range(options.kills + 1):
            server = RestitchProcess(options.binary, data, [], ["--wire", "127.0.0.1:0"]).wait_until_ready()
            if life == 0:
                with record.connect(server.wire_port) as client:
                    workload.prepare(client)
            threads = record.Clients(server.wire_port, workload.step, clients, f"{options.seed}/{life}")
            time.sleep(dice.uniform(0.7, 1.3) * options.seconds)
            if life < options.kills:
                server.kill()
            threads.stop()
            history += threads.history
            if threads.failures:
                raise SystemExit(f"a client failed: {threads.failures[:3]}\n{server.log_tail()}")
        with record.connect(server.wire_port) as client:
            final = workload.final(client) if hasattr(workload, "final") else None
        server.stop()
        return history, final
    finally:
        shutil.rmtree(data, ignore_errors=True)


def check_registers(options, dice, expect):
    workload = record.Registers(list(range(options.registers)))
    history, _ = run_clients(options, workload, options.clients, dice)
    started = time.monotonic()
    for key in workload.keys:
        failing = registers.check([operation for operation in history if operation["key"] == key])
        expect(failing is None, f"register {key} is not linearizable: {failing}")
    unknown = sum(1 for operation in history if "return" not in operation)
    succeeded = sum(1 for operation in history if operation.get("ok"))
    print(f"registers: {len(history)} operations, {succeeded} successful compare-and-sets, {unknown} without an answer, "
          f"checked in {time.monotonic() - started:.1f} s", flush=True)
    expect(succeeded > 10, "compare-and-sets succeed")


def check_appends(options, dice, expect):
    workload = record.Appends(options.lists)
    history, final = run_clients(options, workload, options.clients, dice)
    started = time.monotonic()
    anomalies = appends.check(history, final)
    expect(not anomalies, f"{len(anomalies)} anomalies: {anomalies[:5]}")
    count = {status: sum(1 for transaction in history if transaction["status"] == status)
             for status in ("ok", "aborted", "unknown")}
    print(f"transactions: {count}, checked in {time.monotonic() - started:.1f} s", flush=True)
    expect(count["ok"] > 50 and count["aborted"] > 5, f"transactions commit and abort: {count}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(HERE.parents[1] / "build/release/restitch"))
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3, help="of each life of the server")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--registers", type=int, default=4)
    parser.add_argument("--lists", type=int, default=5)
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {options.seed}", flush=True)
    dice = random.Random(options.seed)
    counts = {"passed": 0, "failed": 0}

    def expect(holds, failure):
        counts["passed" if holds else "failed"] += 1
        if not holds:
            print(f"FAIL {failure}", flush=True)

    check_checkers(expect)
    check_registers(options, dice, expect)
    check_appends(options, dice, expect)
    print("{passed} passed, {failed} failed".format(**counts))
    return 0 if counts["failed"] == 0 and counts["passed"] > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
