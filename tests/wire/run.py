#!/usr/bin/env python3
"""Black-box tests of the MongoDB endpoint against the real binary, on 127.0.0.1."""

import argparse
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

from python_packages import WIRE_FOLDER, provide_packages  # noqa: E402
from server import start  # noqa: E402


def run_test(context, function):
    """None, or why the test failed."""
    try:
        with context.connect() as client:
            context.client = client
            function(context)
        with context.connect() as client:
            client.admin.command("ping")
    except Exception:  # a failed test must not end the others
        return traceback.format_exc(limit=-4)
    finally:
        context.client = None
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(HERE.parents[1] / "build/release/restitch"))
    parser.add_argument("--packages", type=pathlib.Path,
                        default=WIRE_FOLDER,
                        help="folder for the pinned Python packages")
    parser.add_argument("--only", default="", help="only tests whose name holds this")
    parser.add_argument("--serve", nargs="*", default=[], help="further options of the server")
    options = parser.parse_args()

    provide_packages(options.packages)
    import checks
    import change_stream_tests  # noqa: F401
    import driver_tests  # noqa: F401  (each module adds its tests to the list)
    import fail_point_tests  # noqa: F401
    import raw_tests  # noqa: F401
    import session_tests  # noqa: F401
    import auth_tests
    import lifecycle_tests

    counts = {"passed": 0, "failed": 0}

    def report(name, failure, started):
        counts["failed" if failure else "passed"] += 1
        print(f"{'FAIL' if failure else 'ok  '} {name} ({time.monotonic() - started:.1f} s)", flush=True)
        if failure:
            print(failure, flush=True)

    data = tempfile.mkdtemp(prefix="restitch-wire-")
    try:
        context = start(options.binary, data, ["--test-commands", *options.serve])
        for number, function in enumerate(checks.TESTS):
            if options.only not in function.__name__:
                continue
            context.name = f"wire_{number}"
            started = time.monotonic()
            failure = run_test(context, function)
            if not context.process.is_running():
                failure = f"{failure or ''}\nthe server died\n{context.process.log_tail()}"
            report(function.__name__, failure, started)
            if not context.process.is_running():
                break
        for function in auth_tests.TESTS + lifecycle_tests.TESTS:
            if options.only in function.__name__ and context.process.is_running():
                started = time.monotonic()
                report(function.__name__, run_lifecycle(context, function, options.binary), started)
        code = context.process.stop()
        if code != 0:
            report("the server ends in order", f"exit code {code}\n{context.process.log_tail()}", time.monotonic())
    finally:
        shutil.rmtree(data, ignore_errors=True)
    print("{passed} passed, {failed} failed".format(**counts))
    return 0 if counts["failed"] == 0 and counts["passed"] > 0 else 1


def run_lifecycle(context, function, binary):
    try:
        function(context, binary)
    except Exception:
        return traceback.format_exc(limit=-4)
    return None


if __name__ == "__main__":
    sys.exit(main())
