"""What a benchmark produced, and how figures are drawn from it."""

import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spread:
    """A median with the lowest and the highest value."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values):
        values = list(values)
        return Spread(statistics.median(values), min(values), max(values))

    def over(self, other):
        """The ratio of two spreads, bounded by the least and the most favourable pair of runs."""
        return Spread(self.median / other.median, self.low / other.high, self.high / other.low)

    def scaled(self, factor):
        return Spread(self.median * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class ColdStart:
    """One start on existing data: until the server is ready, and the first call after that."""

    ready_ms: float
    first_call_ms: float


@dataclass
class SystemResult:
    name: str
    durability: str
    version: str = ""
    disk_bytes: int = 0
    is_available: bool = True
    problem: str = ""  # why it is not available, or how it failed
    samples: dict = field(default_factory=dict)  # case name → [Sample]
    cold_starts: list = field(default_factory=list)

    def spread(self, case_name, metric):
        samples = self.samples.get(case_name)
        return Spread.of(getattr(sample, metric) for sample in samples) if samples else None


@dataclass
class BenchmarkResult:
    name: str
    documents: int
    systems: dict = field(default_factory=dict)  # name → SystemResult
    fsync_p50_us: list = field(default_factory=list)

    def spread(self, system, case_name, metric):
        found = self.systems.get(system)
        return found.spread(case_name, metric) if found else None

    def has_failed(self):
        """Whether a system failed, or the one under test could not take part."""
        return any(
            result.problem and (result.is_available or result.name == "restitch")
            for result in self.systems.values()
        )
