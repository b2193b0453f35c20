"""Compares what the tests said with what expected.json allows, and tells it by folder."""

import fnmatch
import re


class Result:
    """One counted test. Its name is `package: Test/subtest`."""

    def __init__(self, package, record):
        self.name = f"{package}: {record.name}"
        self.outcome = record.outcome
        self.seconds = record.seconds
        self.output = record.output

    def as_json(self):
        return {"name": self.name, "outcome": self.outcome, "seconds": self.seconds, "output": self.output}


def is_wanted(package, test):
    """Whether a top-level test belongs to the round: some of a package's tests need no server at all."""
    if "tests" in package and test not in package["tests"]:
        return False
    return test not in package.get("leave", {})


def folder_of(name, folders):
    for folder in folders:
        found = re.search(folder["tests"], name)
        if found:
            return found.expand(folder["folder"])
    return name.split(":")[0]


def _reason(result, entries):
    """The first entry that explains the outcome. Entries match by test name (glob), by what the test said, or both; one that
    holds `sometimes` need not happen."""
    for entry in entries:
        if "test" in entry and not fnmatch.fnmatchcase(result.name, entry["test"].replace("[", "[[]")):
            continue
        if "message" in entry and not re.search(entry["message"], result.output):
            continue
        entry["seen"] = entry.get("seen", 0) + 1
        return entry["reason"]
    return None


def report(results, expected, is_whole):
    """Prints the table, every surprise and the closing line; returns the exit code."""
    table = {}
    surprises = []
    for result in results:
        row = table.setdefault(folder_of(result.name, expected.get("folders", [])), {"passed": 0, "failed": 0, "skipped": 0})
        row[result.outcome] += 1
        if result.outcome == "failed" and not _reason(result, expected["failures"]):
            surprises.append(f"FAIL {result.name}\n{result.output}")
        if result.outcome == "skipped" and not _reason(result, expected["skips"]):
            surprises.append(f"SKIP without a known reason: {result.name}\n{result.output}")
    if is_whole:
        for entry in expected["failures"] + expected["skips"]:
            if not entry.get("seen") and not entry.get("sometimes"):
                surprises.append(f"listed in expected.json, but did not happen: {entry}")
    for surprise in surprises:
        print(surprise)
    width = max((len(name) for name in table), default=0)
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for name in sorted(table):
        print(f"{name:<{width}}  " + "  ".join(f"{count:5} {outcome}" for outcome, count in table[name].items()))
        for outcome, count in table[name].items():
            total[outcome] += count
    print(f"expected failures: {total['failed'] - sum(s.startswith('FAIL') for s in surprises)}")
    print(f"{total['passed']} passed, {len(surprises)} failed, {total['skipped']} skipped")
    return 0 if total["passed"] and not surprises else 1
