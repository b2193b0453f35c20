"""The benchmarks: which systems, which cases, and what is to be reached."""

from dataclasses import dataclass
from typing import Callable

from harness.documents import DOCUMENT_BYTES
from harness.restitch import Restitch
from harness.results import Spread
from peers.floor import Floor
from peers.parse_server import ParseServer
from peers.pocketbase import DurablePocketBase, PocketBase
from peers.raw_rocksdb import RawRocksDb
from peers.system import Case
from peers.workerd import Workerd

OURS = Restitch.name


@dataclass(frozen=True)
class Target:
    """A bound on a figure; `measure` gives its Spread, or None when it was not measured."""

    what: str
    measure: Callable
    bound: float
    is_minimum: bool

    def is_met(self, spread):
        return spread.median >= self.bound if self.is_minimum else spread.median <= self.bound


@dataclass(frozen=True)
class Benchmark:
    name: str
    title: str
    systems: tuple
    cases: tuple
    documents: int
    quick_documents: int
    targets: tuple
    measures_fsync: bool = False
    measures_cold_start: bool = False

    def data_size(self, documents):
        if documents:
            return f"{documents:,} documents of {DOCUMENT_BYTES} B loaded before"
        return f"Starts empty; every written document has {DOCUMENT_BYTES} B"


def throughput_ratio(case_name, peer, minimum):
    def measure(result):
        ours = result.spread(OURS, case_name, "per_second")
        theirs = result.spread(peer, case_name, "per_second")
        return ours.over(theirs) if ours and theirs else None

    return Target(f"throughput / {peer}, {case_name}", measure, minimum, is_minimum=True)


def p50_milliseconds(case_name, maximum):
    def measure(result):
        ours = result.spread(OURS, case_name, "p50_us")
        return ours.scaled(1 / 1000) if ours else None

    return Target(f"p50 in ms, {case_name}", measure, maximum, is_minimum=False)


def p50_over_fsync(case_name, maximum):
    def measure(result):
        ours = result.spread(OURS, case_name, "p50_us")
        return ours.over(Spread.of(result.fsync_p50_us)) if ours and result.fsync_p50_us else None

    return Target(f"p50 / one fsync, {case_name}", measure, maximum, is_minimum=False)


def cold_call_milliseconds(maximum):
    def measure(result):
        ours = result.systems.get(OURS)
        calls = [start.first_call_ms for start in ours.cold_starts] if ours else []
        return Spread.of(calls) if calls else None

    return Target("first call after start in ms", measure, maximum, is_minimum=False)


def _write_targets():
    for connections in (1, 32, 128):
        case_name = Case("write", connections).name
        yield throughput_ratio(case_name, ParseServer.name, 6)
        yield throughput_ratio(case_name, DurablePocketBase.name, 20)
        yield throughput_ratio(case_name, PocketBase.name, 3)
        yield throughput_ratio(case_name, RawRocksDb.name, 0.5)
    yield p50_over_fsync(Case("write", 1).name, 1.3)


ALL = (
    Benchmark(
        name="ruled-read",
        title="findOne by _id under rules: user token, role chosen by the document, field rules",
        systems=(Restitch, ParseServer, PocketBase, Floor),
        cases=(Case("read", 1), Case("read", 32)),
        documents=100_000,
        quick_documents=2_000,
        targets=(
            throughput_ratio("read @32", ParseServer.name, 10),
            throughput_ratio("read @32", PocketBase.name, 5),
            throughput_ratio("read @32", Floor.name, 0.5),
            p50_milliseconds("read @1", 0.2),
        ),
    ),
    Benchmark(
        name="durable-write",
        title="insertOne of 240 B under rules, acknowledged when durable",
        systems=(Restitch, ParseServer, PocketBase, DurablePocketBase, RawRocksDb),
        cases=(Case("write", 1), Case("write", 32), Case("write", 128)),
        documents=0,
        quick_documents=0,
        targets=tuple(_write_targets()),
        measures_fsync=True,
    ),
    Benchmark(
        name="function-call",
        title="sum(a, b), and a findOne inside a function",
        systems=(Restitch, ParseServer, Workerd),
        cases=(Case("sum", 1), Case("sum", 32), Case("read in function", 32)),
        documents=100_000,
        quick_documents=2_000,
        targets=(
            throughput_ratio("sum @32", ParseServer.name, 4),
            throughput_ratio("read in function @32", ParseServer.name, 4),
            throughput_ratio("sum @32", Workerd.name, 0.8),
            cold_call_milliseconds(150),
        ),
        measures_cold_start=True,
    ),
)
