"""Runs a Go test program and reads its verdicts."""

import json
import os
import re
import subprocess
import threading

ENDINGS = {"pass": "passed", "fail": "failed", "skip": "skipped"}
MOST_OUTPUT = 4000  # characters kept of what one test said


class Record:
    """One test or subtest: `outcome` is passed, failed, skipped or None while it runs."""

    def __init__(self, name):
        self.name = name
        self.outcome = None
        self.is_told = False  # by the test's own verdict line; a tool's guess at the end of a process is none
        self.is_paused = False  # waits for its turn to run beside others
        self.seconds = 0.0
        self.output = ""

    def add_output(self, text):
        if len(self.output) < MOST_OUTPUT:
            self.output += text[:MOST_OUTPUT]


class Run:
    """All tests of one program. A test that ends the program (a panic, the time limit) fails; those after it are run by a
    new process."""

    def __init__(self, program, folder, environment, seconds, within=""):
        """`within` is a pattern for the names of subtests to run; empty: all."""
        self._command = ["go", "tool", "test2json", "-t", str(program), "-test.v"]
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self._seconds = seconds
        self._within = f"/^({within})$" if within else ""
        self.records = {}

    def execute(self, names):
        left = list(names)
        while left:
            crash = self._process(left)
            begun = [name for name in left if name in self.records]
            guilty = [name for name in begun if self._died_in(name)]
            ended = [name for name in begun if self.records[name].outcome]
            if not ended and not guilty:
                guilty = [name for name in begun if not self.records[name].is_paused] or left[:1]
            for name in guilty:
                self._fail(name, crash)
                ended.append(name)
            for record in self.records.values():
                if record.outcome is None and record.name.split("/")[0] in ended:
                    self._fail(record.name, crash)
            left = [name for name in left if name not in ended]

    def _died_in(self, name):
        """Whether the process ended in a subtest of this test."""
        return self.records[name].outcome is None and any(
            record.outcome == "failed" and record.name.startswith(name + "/") for record in self.records.values())

    def _fail(self, name, output):
        record = self.records.setdefault(name, Record(name))
        record.outcome = "failed"
        record.add_output(output)

    def _process(self, names):
        pattern = "^(" + "|".join(re.escape(name) for name in names) + ")$" + self._within
        process = subprocess.Popen(
            [*self._command, "-test.run", pattern, "-test.timeout", f"{self._seconds}s"], cwd=self._folder,
            env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace")
        timer = threading.Timer(self._seconds + 30, process.kill)
        timer.start()
        loose = ""
        try:
            for line in process.stdout:
                loose = (loose + self._read(line))[-MOST_OUTPUT:]
            process.wait()
        finally:
            timer.cancel()
        return loose

    def _read(self, line):
        """Takes one event; returns output that belongs to no test."""
        try:
            event = json.loads(line)
        except ValueError:
            return line
        name = event.get("Test")
        if name is None:
            return event.get("Output", "")
        record = self.records.get(name)
        if record is None or (event["Action"] == "run" and record.outcome is None):
            record = self.records[name] = Record(name)
        if event["Action"] in ("pause", "cont"):
            record.is_paused = event["Action"] == "pause"
        elif event["Action"] == "output":
            record.add_output(event["Output"])
            record.is_told = record.is_told or event["Output"].lstrip().startswith("--- ")
        elif event["Action"] in ENDINGS and record.is_told:
            record.outcome = ENDINGS[event["Action"]]
            record.seconds = event.get("Elapsed", 0.0)
        return ""

    def leaves(self):
        """The tests to count: those without subtests, and those that failed although their subtests did not."""
        failed_inside = set()
        parents = set()
        for record in self.records.values():
            parts = record.name.split("/")
            for end in range(1, len(parts)):
                parent = "/".join(parts[:end])
                parents.add(parent)
                if record.outcome == "failed":
                    failed_inside.add(parent)
        return [record for record in self.records.values()
                if record.name not in parents or (record.outcome == "failed" and record.name not in failed_inside)]
