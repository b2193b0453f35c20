"""The benchmarks: which systems, which cases, and what is to be reached."""

from dataclasses import dataclass
from typing import Callable

from harness.documents import DOCUMENT_BYTES
from harness.engine import EmbeddedCluster, EngineCase, RocksDbAlone
from harness.isolation import IsolationCase, RestitchUnderLoad
from harness.listing import RestitchListing
from harness.restitch import Restitch
from harness.restitch_wire import RestitchWire
from harness.results import Spread
from harness.rule_cost import ROLES_OF, RestitchUnderRules
from harness.trigger import RestitchTriggered
from peers.ferretdb import FerretDbOnPostgres, FerretDbOnSqlite
from peers.floor import Floor
from peers.mongo_java_server import MongoJavaServer
from peers.parse_server import ParseServer
from peers.pocketbase import DurablePocketBase, PocketBase, TriggeredPocketBase
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
    time_share: float = 1  # of the planned length of a run
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


def own_ratio(case_name, other_case_name, metric, bound, is_minimum):
    def measure(result):
        ours = result.spread(OURS, case_name, metric)
        other = result.spread(OURS, other_case_name, metric)
        return ours.over(other) if ours and other else None

    what = "throughput" if metric == "per_second" else "p99"
    return Target(f"{what}, {case_name} / {other_case_name}", measure, bound, is_minimum)


def p50_milliseconds(case_name, maximum):
    def measure(result):
        ours = result.spread(OURS, case_name, "p50_us")
        return ours.scaled(1 / 1000) if ours else None

    return Target(f"p50 in ms, {case_name}", measure, maximum, is_minimum=False)


def p99_milliseconds(case_name, maximum):
    def measure(result):
        ours = result.spread(OURS, case_name, "p99_us")
        return ours.scaled(1 / 1000) if ours else None

    return Target(f"p99 in ms, {case_name}", measure, maximum, is_minimum=False)


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


def _rule_cost_targets():
    unruled = Case("no condition", 32).name
    yield own_ratio(Case("5 roles", 32).name, unruled, "per_second", 0.85, is_minimum=True)


WIRE_WORKLOADS = ("ping", "find", "insert", "insert many", "update", "scan", "group") + (
    "ycsb a",
    "ycsb b",
    "ycsb c",
    "ycsb e",
    "insert retryable",
)


def _wire_cases():
    for workload in WIRE_WORKLOADS:
        yield Case(workload, 1)
        if workload != "group":
            yield Case(workload, 32)


def _wire_targets():
    yield own_ratio("find @32", "ping @32", "per_second", 0.6, is_minimum=True)
    for case_name in ("find @32", "scan @32", "group @1", "ycsb c @32"):
        yield throughput_ratio(case_name, FerretDbOnSqlite.name, 20)
        yield throughput_ratio(case_name, FerretDbOnPostgres.name, 20)
        yield throughput_ratio(case_name, MongoJavaServer.name, 1.5)
    for case_name in ("insert @32", "insert many @32", "update @32"):
        yield throughput_ratio(case_name, MongoJavaServer.name, 1)


SMALLEST, LARGEST = 10_000, 1_000_000
QUICK_SIZE = 1_000
ENGINE_SIZES = (SMALLEST, 100_000, LARGEST)
EXTRA_SIZE = 10_000_000


def _engine_cases(sizes):
    for documents in sizes:
        yield EngineCase("get", 1, documents)
        yield EngineCase("range", 1, documents)
    largest = sizes[-1]
    yield EngineCase("scan", 1, sizes[0])
    yield EngineCase("insert", 32, largest)
    yield EngineCase("insert buffered", 32, largest)
    yield EngineCase("insert many", 1, largest)
    yield EngineCase("match", 1, 0)
    yield EngineCase("group", 1, 0)


def growth_over(workload, smaller, larger, peer, maximum):
    """How much more CPU a document costs among many than among few, beside the peer's growth."""
    few, many = (EngineCase(workload, 1, size).name for size in (smaller, larger))

    def measure(result):
        costs = [
            result.spread(system, case_name, "cpu_seconds_per_1000")
            for system in (OURS, peer)
            for case_name in (few, many)
        ]
        if not all(costs):
            return None
        our_few, our_many, their_few, their_many = costs
        return our_many.over(our_few).over(their_many.over(their_few))

    what = f"CPU of {workload} at {larger:,} / at {smaller:,} documents, beside {peer}'s growth"
    return Target(what, measure, maximum, is_minimum=False)


def _engine_targets(sizes):
    for documents in sizes:
        for workload, minimum in (("get", 0.4), ("range", 0.5)):
            case_name = EngineCase(workload, 1, documents).name
            yield throughput_ratio(case_name, RocksDbAlone.name, minimum)
    for workload, callers in (("insert", 32), ("insert buffered", 32), ("insert many", 1)):
        case_name = EngineCase(workload, callers, sizes[-1]).name
        yield throughput_ratio(case_name, RocksDbAlone.name, 0.4)
    if len(sizes) > 1:
        for workload in ("get", "range"):
            yield growth_over(workload, sizes[0], sizes[-1], RocksDbAlone.name, 1.5)


def engine_benchmark(sizes):
    return Benchmark(
        name="engine",
        title="The embedded cluster in process, by commands, beside RocksDB; figures are documents",
        systems=(EmbeddedCluster, RocksDbAlone),
        cases=tuple(_engine_cases(sizes)),
        documents=0,
        quick_documents=0,
        targets=tuple(_engine_targets(sizes)),
        time_share=0.5,
    )


DISTURBANCES = ("login storm", "scan of all documents", "looping function")


def _isolation_targets():
    quiet = IsolationCase("quiet").name
    for disturbance in DISTURBANCES:
        case_name = IsolationCase(disturbance).name
        yield own_ratio(case_name, quiet, "p99_us", 2, is_minimum=False)


def chosen(names, is_quick, is_large):
    """The benchmarks of these names, or all."""
    sizes = (QUICK_SIZE,) if is_quick else ENGINE_SIZES + ((EXTRA_SIZE,) if is_large else ())
    benchmarks = (*ALL, engine_benchmark(sizes))
    return [benchmark for benchmark in benchmarks if not names or benchmark.name in names]


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
        name="ruled-query",
        title="find of 20 documents by an index, under a filter and field rules, two fields wanted",
        systems=(RestitchListing, ParseServer, PocketBase),
        cases=(Case("list", 1), Case("list", 32)),
        documents=100_000,
        quick_documents=2_000,
        targets=(
            throughput_ratio("list @32", ParseServer.name, 8),
            throughput_ratio("list @32", PocketBase.name, 4),
        ),
    ),
    Benchmark(
        name="rule-cost",
        title="The ruled read under rules of growing weight",
        systems=(RestitchUnderRules,),
        cases=tuple(Case(workload, 32) for workload in ROLES_OF),
        documents=20_000,
        quick_documents=1_000,
        targets=tuple(_rule_cost_targets()),
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
    Benchmark(
        name="wire-crud",
        title="Commands of the MongoDB wire protocol; the records of YCSB have 10 fields of 100 B",
        systems=(RestitchWire, FerretDbOnSqlite, FerretDbOnPostgres, MongoJavaServer),
        cases=tuple(_wire_cases()),
        documents=100_000,
        quick_documents=2_000,
        targets=tuple(_wire_targets()),
        time_share=0.3,
    ),
    Benchmark(
        name="trigger",
        title="From sending a durable write to the start of the function that it triggers",
        systems=(RestitchTriggered, TriggeredPocketBase),
        cases=(Case("trigger", 1),),
        documents=0,
        quick_documents=0,
        targets=(p50_milliseconds("trigger @1", 2), p99_milliseconds("trigger @1", 10)),
    ),
    Benchmark(
        name="isolation",
        title="The ruled read at a fixed rate, while the same server does something heavy",
        systems=(RestitchUnderLoad,),
        cases=tuple(IsolationCase(name) for name in ("quiet", *DISTURBANCES)),
        documents=1_000_000,
        quick_documents=5_000,
        targets=tuple(_isolation_targets()),
    ),
)
NAMES = tuple(benchmark.name for benchmark in ALL) + ("engine",)
