"""From sending a write to the beginning of the code that runs because of it."""

import time

from harness.load import RunFailed
from harness.restitch import API, Restitch

PAUSE_SECONDS = 0.005  # between writes, so that an event finds no other before it
LATE_SECONDS = 20


def microseconds():
    """Of the clock that the triggered code reads too."""
    return time.monotonic_ns() // 1000


def percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


class Triggered:
    """Mixed into a system: writes one after the other, and learns when each was noticed.

    The system has `trigger_write(title)`, a request, and `take_times()`, what has begun since it was asked last: pairs of a
    title and microseconds."""

    workloads = frozenset({"trigger"})

    def prepare(self, case):
        self._run(0.3)

    def measure(self, case, seconds):
        return self.sampled(lambda: self._run(seconds))

    def _run(self, seconds):
        sent = {}
        began = time.monotonic()
        self._runs = getattr(self, "_runs", 0) + 1
        while time.monotonic() - began < seconds:
            title = f"run {self._runs} write {len(sent)}"
            request = self.trigger_write(title)
            sent[title] = microseconds()
            self.client.send(request)
            time.sleep(PAUSE_SECONDS)
        latencies = sorted(at - sent[title] for title, at in self._times_of(sent).items())
        return {
            "per_second": len(sent) / seconds,
            "latency_us": {"p50": percentile(latencies, 0.5), "p99": percentile(latencies, 0.99)},
            "requests": len(sent),
        }

    def _times_of(self, sent):
        times = {}
        deadline = time.monotonic() + LATE_SECONDS
        while len(times) < len(sent):
            if time.monotonic() > deadline:
                raise RunFailed(f"{len(sent) - len(times)} of {len(sent)} writes triggered nothing")
            for title, at in self.take_times():
                if title in sent:
                    times.setdefault(title, int(at))
            time.sleep(0.05)
        return times


class RestitchTriggered(Triggered, Restitch):
    """A database trigger, whose function runs in a worker process."""

    def command(self):
        command, env = super().command()
        app = self.context.bench_dir / "trigger_app"
        return [*command[:-1], app], env

    def trigger_write(self, title):
        document = {"owner": self._owner, "title": title, "body": "x" * 180}
        arguments = {"database": "bench", "collection": "writes", "document": document}
        return self.action("insertOne", arguments)

    def take_times(self):
        return self.client.post(
            f"{API}/functions/call", {"name": "takeTimes", "arguments": []}, self._headers
        )
