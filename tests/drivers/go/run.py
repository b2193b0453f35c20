#!/usr/bin/env python3
"""The Go driver's own integration tests and the specification tests in its module, against the real binary."""

import argparse
import concurrent.futures
import json
import pathlib
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parents[1] / "support"))
sys.dont_write_bytecode = True

import gotest  # noqa: E402
import module  # noqa: E402
import verdict  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402

SELECTION_MILLISECONDS = 2000  # the driver's own 30 s would pass at every test that needs a second node
AT_ONCE = 2  # packages; they wait more than they work


def start(binary, data, options):
    """The process and the port of its endpoint."""
    process = RestitchProcess(binary, data, [], ["--wire", "127.0.0.1:0", "--test-commands", *options])
    process.wait_until_ready()
    port = process.wire_port
    if port is not None:
        return process, port
    process.kill()
    raise SystemExit("the server does not tell the port of its endpoint\n" + process.log_tail())


def run_package(copy, package, options):
    """Results of one package, against a server of its own: fail points hold for the whole server."""
    program = module.build_tests(copy, package["path"], options.cache / "programs")
    data = tempfile.mkdtemp(prefix="restitch-go-")
    process, port = (None, options.port) if options.port else start(options.binary, data, options.serve)
    try:
        folder = copy / package["path"]
        uri = f"mongodb://127.0.0.1:{port}/?replicaSet=restitch&serverSelectionTimeoutMS={SELECTION_MILLISECONDS}&heartbeatFrequencyMS=1000"
        environment = {"MONGODB_URI": uri, **package.get("environment", {})}
        run = gotest.Run(program, folder, environment, package["seconds"], package.get("within", ""))
        names = module.list_tests(program, folder, environment)
        started = time.monotonic()
        run.execute([name for name in names if verdict.is_wanted(package, name) and options.only in name])
        label = package.get("label", package["path"])
        results = [verdict.Result(label, leaf) for leaf in run.leaves()]
        print(f"{label}: {len(results)} tests in {time.monotonic() - started:.0f} s", flush=True)
        if process:
            results += how_it_ended(label, process)
        return results
    finally:
        if process and process.is_running():
            process.kill()
        shutil.rmtree(data, ignore_errors=True)


def how_it_ended(package, process):
    """A failed result when the server died or does not end in order."""
    was_running = process.is_running()
    code = process.stop()
    if was_running and code == 0:
        return []
    record = gotest.Record("the server ends in order")
    record.outcome = "failed"
    record.add_output(f"exit code {code}\n{process.log_tail()}")
    return [verdict.Result(package, record)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "build/release/restitch"))
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path.home() / ".cache/restitch/go-driver",
                        help="folder for the module and its test programs")
    parser.add_argument("--package", default="", help="only packages whose path holds this")
    parser.add_argument("--only", default="", help="only top-level tests whose name holds this")
    parser.add_argument("--port", type=int, help="of a server that runs already, instead of starting one")
    parser.add_argument("--output", type=pathlib.Path, help="file for everything that was run, as JSON")
    parser.add_argument("--serve", nargs="*", default=[], help="further options of the server")
    options = parser.parse_args()

    expected = json.loads((HERE / "expected.json").read_text())
    copy = module.provide(expected["module"], options.cache)
    (options.cache / "programs").mkdir(exist_ok=True)
    packages = [package for package in expected["packages"] if options.package in package["path"]]
    with concurrent.futures.ThreadPoolExecutor(1 if options.port else AT_ONCE) as pool:
        runs = [pool.submit(run_package, copy, package, options) for package in packages]
        results = [result for run in runs for result in run.result()]
    if options.output:
        options.output.write_text(json.dumps([result.as_json() for result in results], indent=1))
    return verdict.report(results, expected, is_whole=not options.package and not options.only)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except module.Unavailable as unavailable:
        sys.exit(str(unavailable))
