"""Writes a run as JSON (everything that was measured) and as Markdown (to be read)."""

import json
import math
from dataclasses import asdict

from harness.results import Spread

SATURATED_DRIVER_SHARE = 0.95
MEBIBYTE = 1024 * 1024
FIGURE_HEADER = [
    "case",
    "system",
    "requests/s",
    "p50 µs",
    "p99 µs",
    "CPU s / 1,000",
    "memory MiB",
    "driver CPU",
]


def _rounded(value):
    """Three significant figures, without an exponent."""
    if value >= 1000:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{digits}f}"


def _with_bounds(spread):
    return f"{_rounded(spread.median)} [{_rounded(spread.low)} – {_rounded(spread.high)}]"


def _table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def _case_names(benchmark):
    return [case.name for case in benchmark.cases]


def _figures(result, case_names):
    rows = []
    for case_name in case_names:
        for system in result.systems.values():
            if case_name not in system.samples or not system.samples[case_name]:
                continue
            rows.append([case_name, system.name, *_sample_cells(system, case_name)])
    return _table(FIGURE_HEADER, rows) if rows else "No figure.\n"


def _sample_cells(system, case_name):
    def median(metric, factor=1):
        return _rounded(system.spread(case_name, metric).median * factor)

    driver = system.spread(case_name, "driver_cpu_share").high
    return [
        _with_bounds(system.spread(case_name, "per_second")),
        median("p50_us"),
        median("p99_us"),
        median("cpu_seconds_per_1000"),
        median("resident_bytes", 1 / MEBIBYTE),
        f"{driver:.0%}" + (" (saturated)" if driver > SATURATED_DRIVER_SHARE else ""),
    ]


def _targets(benchmark, result):
    rows = []
    for target in benchmark.targets:
        spread = target.measure(result)
        bound = f"{'≥' if target.is_minimum else '≤'} {target.bound:g}"
        if spread is None:
            rows.append([target.what, "not measured", bound, "–"])
        else:
            verdict = "met" if target.is_met(spread) else "missed"
            rows.append([target.what, _with_bounds(spread), bound, verdict])
    return _table(["what", "measured [spread]", "to reach", ""], rows)


def _systems(result):
    rows = []
    for system in result.systems.values():
        state = "measured"
        if system.problem:
            state = ("failed: " if system.is_available else "not available: ") + system.problem
        disk = f"{_rounded(system.disk_bytes / MEBIBYTE)} MiB" if system.disk_bytes else "–"
        row = [system.name, system.version or "–", system.durability, disk, state]
        rows.append([cell.replace("|", "\\|").replace("\n", " ") for cell in row])
    return _table(["system", "version", "durability", "on disk at the end", "state"], rows)


def _cold_starts(result):
    rows = []
    for system in result.systems.values():
        if system.cold_starts:
            ready = Spread.of(start.ready_ms for start in system.cold_starts)
            call = Spread.of(start.first_call_ms for start in system.cold_starts)
            rows.append([system.name, _with_bounds(ready), _with_bounds(call)])
    header = ["system", "restart until ready, ms", "first call, ms"]
    return "\n" + _table(header, rows) if rows else ""


def _benchmark_section(benchmark, result):
    data_size = benchmark.data_size(result.documents)
    parts = [f"## {benchmark.name}\n\n{benchmark.title}. {data_size}.\n"]
    parts.append(_targets(benchmark, result))
    parts.append(_figures(result, _case_names(benchmark)) + _cold_starts(result))
    if result.fsync_p50_us:
        spread = _with_bounds(Spread.of(result.fsync_p50_us))
        parts.append(f"One append with fdatasync on the same file system, p50: {spread} µs.\n")
    parts.append(_systems(result))
    return "\n".join(parts)


def _machine_section(facts):
    rows = [[name.replace("_", " "), str(value)] for name, value in facts.items()]
    return _table(["machine", ""], rows)


def markdown(benchmarks, results, facts, plan):
    runs = f"Timed runs per case: {plan.runs} of {plan.seconds:g} s"
    length = f"{runs}, after {plan.warm_up_seconds:g} s of warm-up"
    quick = " A quick run shows that all works; its figures mean nothing." if plan.is_quick else ""
    parts = [
        f"# Benchmark run\n\n{length}; median [lowest – highest].{quick}\n",
        _machine_section(facts),
        *(_benchmark_section(benchmark, result) for benchmark, result in zip(benchmarks, results)),
    ]
    return "\n".join(parts)


def as_json(benchmarks, results, facts, plan):
    entries = []
    for benchmark, result in zip(benchmarks, results):
        targets = []
        for target in benchmark.targets:
            spread = target.measure(result)
            targets.append(
                {
                    "what": target.what,
                    "bound": target.bound,
                    "is_minimum": target.is_minimum,
                    "measured": asdict(spread) if spread else None,
                    "is_met": target.is_met(spread) if spread else None,
                }
            )
        entries.append({**asdict(result), "targets": targets})
    run = {"machine": facts, "plan": asdict(plan), "benchmarks": entries}
    return json.dumps(run, indent=2) + "\n"


def write_reports(directory, stem, benchmarks, results, facts, plan):
    """The paths of the two files written."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{stem}.md", directory / f"{stem}.json"]
    for path, render in zip(paths, (markdown, as_json)):
        path.write_text(render(benchmarks, results, facts, plan))
    return paths
