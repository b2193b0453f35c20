"""Brings the Go driver's module here and builds its test programs. Needs a `go` program, nothing else."""

import json
import os
import pathlib
import shutil
import subprocess

COMPILE_SECONDS = 900


class Unavailable(Exception):
    """The module cannot be had or built here."""


def _go(arguments, folder, environment=None):
    done = subprocess.run(["go", *arguments], cwd=folder, env={**os.environ, "GOFLAGS": "-mod=mod", **(environment or {})},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=COMPILE_SECONDS, check=False)
    if done.returncode != 0:
        raise Unavailable(f"go {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout


def provide(wanted, folder):
    """A writable copy of the locked module: the module cache itself cannot hold test programs. Returns its path."""
    name = f"{wanted['path']}@{wanted['version']}"
    copy = folder / wanted["version"]
    stamp = copy / ".restitch-sum"
    if stamp.is_file() and stamp.read_text() == wanted["sum"]:
        return copy
    folder.mkdir(parents=True, exist_ok=True)
    found = json.loads(_go(["mod", "download", "-json", name], folder, {"GO111MODULE": "on"}))
    if found["Sum"] != wanted["sum"]:
        raise Unavailable(f"{name} has the sum {found['Sum']} instead of {wanted['sum']}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(found["Dir"], copy, ignore=shutil.ignore_patterns("vendor"))
    for path in [copy, *copy.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    stamp.write_text(wanted["sum"])
    return copy


def build_tests(module, package, folder):
    """The test program of one package. The compiler's own cache makes this quick when nothing changed."""
    program = folder / (package.replace("/", "-") + ".test")
    if program.is_file() and program.stat().st_mtime > (module / ".restitch-sum").stat().st_mtime:
        return program
    _go(["test", "-c", "-o", str(program), "./" + package], module)
    return program


def list_tests(program, folder, environment):
    """Names of the top-level tests. Most packages connect to the server even for this."""
    done = subprocess.run([str(program), "-test.list", "^Test"], cwd=folder, env={**os.environ, **environment},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    return [line for line in done.stdout.splitlines() if line.startswith("Test")]
