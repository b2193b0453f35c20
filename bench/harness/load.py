"""Running the C++ load driver and the raw storage program."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path


class RunFailed(Exception):
    """A timed run had wrong answers or could not be carried out."""


@dataclass(frozen=True)
class Sample:
    """What one timed run measured."""

    per_second: float
    p50_us: float
    p99_us: float
    requests: int
    cpu_seconds_per_1000: float
    resident_bytes: int
    driver_cpu_share: float

    @staticmethod
    def of(result, cpu_seconds, resident_bytes):
        return Sample(
            per_second=result["per_second"],
            p50_us=result["latency_us"]["p50"],
            p99_us=result["latency_us"]["p99"],
            requests=result["requests"],
            cpu_seconds_per_1000=cpu_seconds * 1000 / result["requests"],
            resident_bytes=resident_bytes,
            driver_cpu_share=result.get("driver_cpu_share", 0.0),
        )


@dataclass(frozen=True)
class Programs:
    """Where the programs under test and the benchmark programs are."""

    build_dir: Path

    @property
    def restitch(self):
        return self.build_dir / "restitch"

    @property
    def load(self):
        return self.build_dir / "bench" / "restitch_bench_load"

    @property
    def wire(self):
        return self.build_dir / "bench" / "restitch_bench_wire"

    @property
    def engine(self):
        return self.build_dir / "bench" / "restitch_bench_engine"

    @property
    def floor(self):
        return self.build_dir / "bench" / "restitch_bench_floor"

    @property
    def rawrocks(self):
        return self.build_dir / "bench" / "restitch_bench_rawrocks"

    def build(self):
        programs = (self.load, self.wire, self.engine, self.floor, self.rawrocks)
        targets = [program.name for program in programs]
        subprocess.run(["cmake", "--build", self.build_dir, "--target", *targets], check=True)


def write_workload(file, requests):
    """Writes requests for the driver. What all of them share is written once, in the first line."""
    common = {"headers": requests[0].get("headers", {})}
    for key in ("method", "path", "expect"):
        if all(request.get(key) == requests[0].get(key) for request in requests):
            common[key] = requests[0].get(key, "")
    with open(file, "w") as out:
        out.write(json.dumps({"common": common}) + "\n")
        for request in requests:
            rest = {k: v for k, v in request.items() if k not in common}
            out.write(json.dumps(rest) + "\n")


def _run_program(command, core):
    done = subprocess.run(
        ["taskset", "-c", str(core), *map(str, command)], capture_output=True, text=True
    )
    if not done.stdout.strip():
        raise RunFailed(done.stderr.strip() or f"{command[0]} printed no result")
    result = json.loads(done.stdout)
    if result["failures"]:
        share = f"{result['failures']} of {result['requests']}"
        raise RunFailed(f"{share} answers wrong: {result['first_failure']}")
    return result


def drive(context, port, workload, connections, seconds, rate=0):
    """One timed run of the HTTP driver; `rate` requests per second, or as fast as answers come."""
    command = [context.programs.load, "--port", port, "--workload", workload]
    command += ["--connections", connections, "--seconds", seconds, "--rate", rate]
    return _run_program(command, context.driver_core)


def fill_by_wire(context, port, documents, with_records=True):
    options = [] if with_records else ["--items-only"]
    _run_wire(context, "load", "--port", port, "--documents", documents, *options)


def index_by_wire(context, port, collection, field):
    _run_wire(context, "index", "--port", port, "--collection", collection, "--field", field)


def empty_writes_by_wire(context, port):
    _run_wire(context, "reset", "--port", port)


def _run_wire(context, *arguments):
    command = [context.programs.wire, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RunFailed(f"{arguments[0]}: {done.stderr.strip()}")


def drive_wire(context, port, case, documents, seconds):
    """One timed run of the wire driver."""
    command = [context.programs.wire, "run", "--port", port, "--documents", documents]
    command += ["--case", case.workload, "--connections", case.connections, "--seconds", seconds]
    return _run_program(command, context.driver_core)


def fill_engine(context, system, directory, documents):
    command = [context.programs.engine, "load", "--system", system, "--dir", directory]
    done = subprocess.run(
        [*map(str, command), "--documents", str(documents)], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RunFailed(f"load: {done.stderr.strip()}")


def run_engine(context, system, directory, case, seconds, warm_up_seconds):
    """One timed run inside one process, on the server's core."""
    command = [context.programs.engine, "run", "--system", system, "--dir", directory]
    command += ["--documents", case.documents, "--case", case.workload]
    command += ["--threads", case.connections, "--warm-up", warm_up_seconds]
    return _run_program([*command, "--seconds", seconds], context.server_core)


def raw_put(programs, core, directory, threads, value_bytes, seconds):
    command = [programs.rawrocks, "put", "--dir", directory, "--value-bytes", value_bytes]
    return _run_program([*command, "--threads", threads, "--seconds", seconds], core)


def raw_fsync(programs, core, directory, value_bytes, seconds):
    command = [programs.rawrocks, "fsync", "--dir", directory, "--value-bytes", value_bytes]
    return _run_program([*command, "--seconds", seconds], core)
