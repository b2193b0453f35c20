#!/usr/bin/env python3
"""Data access on MongoDB deployments that others wrote: one list of cases, run on every source against the real binary."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "support"):
    sys.path.insert(0, str(folder))
sys.dont_write_bytecode = True

from black_box import Tally, suite_options  # noqa: E402
import bench  # noqa: E402, before the others: it provides the packages
import cases_changes  # noqa: E402
import cases_races  # noqa: E402
import cases_reads  # noqa: E402
import cases_rules  # noqa: E402
import cases_writes  # noqa: E402
import sources  # noqa: E402
from foreign_servers import NotInstalled  # noqa: E402

MODULES = [cases_reads, cases_writes, cases_rules, cases_races, cases_changes]


def is_for(case, source):
    if getattr(case, "is_for_outside", False) and not source.is_outside:
        return False
    return source.wanted is None or bool(source.wanted & set(getattr(case, "needs", ())))


def tests_for(source):
    """The cases as a module's functions, named with their source."""
    tests = {}
    for module in MODULES:
        for name, case in vars(module).items():
            if name.startswith("test_") and is_for(case, source):
                tests[f"{name}[{source.name}]"] = bench.judged(case, source)
    return tests


def unused(source):
    """Capabilities declared as lacking that no case needs."""
    known = {name for module in MODULES for case in vars(module).values() for name in getattr(case, "needs", ())}
    return set(source.lacks) - known


def main():
    options = suite_options(__doc__)
    tally = Tally()
    for kind in sources.ALL:
        tests = tests_for(kind)
        if not any(options.only in name for name in tests):
            continue
        assert not unused(kind), f"{kind.name} lacks what no case needs: {unused(kind)}"
        try:
            source = kind(options.binary)
        except NotInstalled as reason:
            print(f"skip {kind.name}: {reason}", flush=True)
            continue
        print(f"# {source.version}", flush=True)
        subject = bench.Bench(options.binary, source)
        try:
            tally.run(tests, options.only, subject)
            subject.close()
        finally:
            subject.kill()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
