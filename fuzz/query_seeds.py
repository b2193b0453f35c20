"""Writes a starting corpus for the fuzz targets of the query languages from the behaviour cases in tests/data/query.

Usage: query_seeds.py FOLDER makes FOLDER/<target>/<case>, in the form that the targets read: one value a line.
"""

import json
import pathlib
import sys

DATA = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "query"
KINDS = ("filter", "projection", "expression", "update", "pipeline")


def lines(kind, case):
    documents = case.get("docs", [{}])
    if kind == "filter":
        return [case["filter"], *documents]
    if kind == "projection":
        return [case["projection"], case.get("filter", {}), *documents]
    if kind == "expression":
        return [case["expression"], *documents]
    if kind == "update":
        return [case["update"], case.get("filter", {}), case.get("arrayFilters", []), *documents]
    foreign = [document for collection in case.get("collections", {}).values() for document in collection]
    return [case["pipeline"], *documents, *foreign]


def kind_of(name):
    kind = name.split("_")[0]
    return "pipeline" if kind == "accumulators" else kind


def main(folder):
    for path in sorted(DATA.glob("*.json")):
        kind = kind_of(path.stem)
        if kind not in KINDS:
            continue
        target = pathlib.Path(folder) / f"query_{kind}_fuzz"
        target.mkdir(parents=True, exist_ok=True)
        for number, case in enumerate(json.loads(path.read_text())):
            text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines(kind, case))
            (target / f"{path.stem}_{number}").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
