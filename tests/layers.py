#!/usr/bin/env python3
"""Checks that the includes of src/ point down the layers only.

The layers are those of the top CMakeLists.txt: restitch_library(<folder> DEPS <lower folders>…). A folder may include
itself and everything that its dependencies reach."""
import itertools
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARY = re.compile(r"^restitch_library\((\w+)(.*?)\)$", re.MULTILINE)
INCLUDE = re.compile(r'^#include "(\w+)/', re.MULTILINE)


def read_layers():
    """Folder name to the folders its DEPS name."""
    direct = {}
    for name, rest in LIBRARY.findall((ROOT / "CMakeLists.txt").read_text()):
        _, _, after = rest.partition("DEPS")
        direct[name] = list(itertools.takewhile(str.islower, after.split()))
    return direct


def reachable(layers, name, seen=None):
    seen = set() if seen is None else seen
    for dep in layers[name]:
        if dep not in seen:
            seen.add(dep)
            reachable(layers, dep, seen)
    return seen


def main():
    layers = read_layers()
    problems = []
    for folder in sorted(layers):
        allowed = reachable(layers, folder) | {folder}
        for path in sorted((ROOT / "src" / folder).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            for target in INCLUDE.findall(path.read_text()):
                if target in layers and target not in allowed:
                    problems.append(f"{path.relative_to(ROOT)} includes {target}/, which lies above {folder}/")
    for folder in sorted(path.name for path in (ROOT / "src").iterdir() if path.is_dir()):
        if folder not in layers:
            problems.append(f"src/{folder} is no layer of CMakeLists.txt")
    print("\n".join(problems) if problems else f"{len(layers)} layers, no include points up")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
