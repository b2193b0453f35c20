#!/usr/bin/env python3
"""Runs the macro benchmarks with their peers and writes a report (see README.md)."""

import argparse
import shutil
import signal
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from harness import benchmarks, report, runner
from harness.load import Programs
from harness.machine import choose_cores, describe_machine
from peers.system import Context

BENCH_DIR = Path(__file__).resolve().parent
DATA_PARENT = "/var/tmp"  # on disk, where /tmp may be memory that makes syncing free


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    names = benchmarks.NAMES
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(names)}; default: all"
    )
    parser.add_argument(
        "--build-dir", type=Path, required=True, help="optimised build of the project"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short run each: must work, proves nothing"
    )
    parser.add_argument(
        "--large", action="store_true", help="engine with 10,000,000 documents too: half an hour"
    )
    parser.add_argument("--only", help="systems to run, separated by commas; default: all")
    parser.add_argument("--runs", type=int, default=5, help="timed runs per case")
    parser.add_argument("--seconds", type=float, default=5, help="length of a timed run")
    parser.add_argument(
        "--results", type=Path, default=BENCH_DIR / "results", help="folder of the reports"
    )
    parser.add_argument("--data", default=DATA_PARENT, help="folder for the servers' data")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(names)
    if unknown:
        parser.error(f"unknown benchmark: {', '.join(sorted(unknown))}")
    return arguments


def chosen_systems(benchmark, only):
    wanted = only.split(",") if only else None
    return [system for system in benchmark.systems if not wanted or system.name in wanted]


def run_benchmark(benchmark, systems, arguments, programs, plan):
    server_core, driver_core = choose_cores()
    work_dir = Path(tempfile.mkdtemp(prefix="restitch-bench-", dir=arguments.data))
    work_dir.chmod(0o755)  # an unprivileged database server works below it
    context = Context(programs, BENCH_DIR, work_dir, server_core, driver_core)
    try:
        return runner.BenchmarkRun(benchmark, systems, context, plan).run()
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped
    arguments = parse_arguments()
    plan = (
        runner.quick_plan()
        if arguments.quick
        else runner.full_plan(arguments.runs, arguments.seconds)
    )
    programs = Programs(arguments.build_dir.resolve())
    programs.build()

    facts = describe_machine(arguments.data)
    facts["server_core"], facts["driver_core"] = choose_cores()
    facts["date"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    done, results = [], []
    for benchmark in benchmarks.chosen(arguments.names, arguments.quick, arguments.large):
        systems = chosen_systems(benchmark, arguments.only)
        if systems:
            done.append(benchmark)
            results.append(run_benchmark(benchmark, systems, arguments, programs, plan))

    stem = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S") + (
        "-quick" if plan.is_quick else ""
    )
    for path in report.write_reports(arguments.results, stem, done, results, facts, plan):
        print(path)
    return 1 if any(result.has_failed() for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
