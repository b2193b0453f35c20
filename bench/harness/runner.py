"""Carries a benchmark out: all systems are up and take turns, so a slow minute hits all."""

import sys
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass

from harness import load
from harness.documents import DOCUMENT_BYTES
from harness.results import BenchmarkResult, ColdStart, SystemResult
from peers.installer import Unavailable

PROBLEM_CHARACTERS = 400
SLOW_SECONDS = 6


@dataclass(frozen=True)
class Plan:
    """How long and how often."""

    runs: int
    seconds: float
    warm_up_seconds: float
    is_quick: bool


    def scaled(self, share):
        """The same with shorter runs."""
        return Plan(self.runs, self.seconds * share, self.warm_up_seconds, self.is_quick)


def full_plan(runs, seconds):
    return Plan(runs, seconds, warm_up_seconds=3, is_quick=False)


def quick_plan():
    return Plan(runs=1, seconds=1, warm_up_seconds=0.3, is_quick=True)


class BenchmarkRun:
    """One benchmark on the chosen systems. One that fails is left out of what follows."""

    def __init__(self, benchmark, system_classes, context, plan):
        self._benchmark = benchmark
        self._context = context
        self._plan = plan.scaled(benchmark.time_share)
        self._systems = [system_class(context) for system_class in system_classes]
        documents = benchmark.quick_documents if plan.is_quick else benchmark.documents
        self._result = BenchmarkResult(benchmark.name, documents)

    def run(self):
        for system in self._systems:
            self._result.systems[system.name] = SystemResult(system.name, system.durability)
        with ExitStack() as at_end:
            for system in self._systems:
                at_end.callback(system.stop)
            self._for_each("install and load", self._start)
            for case in self._benchmark.cases:
                self._run_case(case)
            if self._benchmark.measures_cold_start:
                self._for_each("cold start", self._measure_cold_starts)
            self._for_each("versions", self._describe)
        return self._result

    def _run_case(self, case):
        slow = set()  # those that took much longer than planned are measured once

        def warm_up(system):
            begin = time.monotonic()
            system.measure(case, self._plan.warm_up_seconds)
            if time.monotonic() - begin > self._plan.warm_up_seconds + SLOW_SECONDS:
                slow.add(system.name)

        def measure(system):
            samples = self._result.systems[system.name].samples.setdefault(case.name, [])
            if not samples or system.name not in slow:
                samples.append(system.measure(case, self._plan.seconds))

        self._for_each(f"{case.name}: prepare", lambda system: system.prepare(case), case)
        self._for_each(f"{case.name}: warm up", warm_up, case)
        for number in range(self._plan.runs):
            self._for_each(f"{case.name}: run {number + 1} of {self._plan.runs}", measure, case)
            if self._benchmark.measures_fsync:
                self._measure_fsync()

    def _for_each(self, step, action, case=None):
        print(f"[{self._benchmark.name}] {step}", file=sys.stderr, flush=True)
        for system in self._systems:
            result = self._result.systems[system.name]
            if result.problem or (case and not system.can_run(case)):
                continue
            try:
                action(system)
            except Unavailable as reason:
                result.is_available = False
                result.problem = str(reason)
            except Exception as failure:  # the others go on; this one is reported as failed
                traceback.print_exc()
                result.problem = f"{step}: {failure}"[:PROBLEM_CHARACTERS]

    def _start(self, system):
        system.install()
        system.start(self._result.documents)

    def _describe(self, system):
        result = self._result.systems[system.name]
        result.version = system.version()
        result.disk_bytes = system.disk_bytes()

    def _measure_fsync(self):
        probe = load.raw_fsync(
            self._context.programs,
            self._context.server_core,
            self._context.work_dir,
            DOCUMENT_BYTES,
            min(1, self._plan.seconds),
        )
        self._result.fsync_p50_us.append(probe["latency_us"]["p50"])

    def _measure_cold_starts(self, system):
        request = system.requests("sum")[0]
        cold_starts = self._result.systems[system.name].cold_starts
        for _ in range(self._plan.runs):
            begin = time.perf_counter()
            system.restart()
            ready = time.perf_counter()
            system.client.send(request)
            end = time.perf_counter()
            cold_starts.append(ColdStart((ready - begin) * 1000, (end - ready) * 1000))
