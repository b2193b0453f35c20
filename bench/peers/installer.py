"""Peers are installed once, by name and pinned version, into a cache folder that later runs use."""

import hashlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess
from pathlib import Path

ERROR_LINES = 4
GO_BIN = "/usr/local/go/bin"  # where Go's own archive goes, often without being on the path
GO_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class Unavailable(Exception):
    """A system cannot take part; the text says why."""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "restitch-bench"


def search_path():
    return os.environ.get("PATH", os.defpath) + os.pathsep + GO_BIN


def require_program(name):
    if shutil.which(name, path=search_path()) is None:
        raise Unavailable(f"{name} is not installed")


def _digest(source_dir):
    digest = hashlib.sha256()
    for file in sorted(source_dir.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _run(command, folder, env):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env)
    if done.returncode == 0:
        return done.stdout
    last_lines = (done.stderr or done.stdout).strip().splitlines()[-ERROR_LINES:]
    raise Unavailable(f"{' '.join(map(str, command))} failed: {' / '.join(last_lines)}")


def _numbers(version):
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _go_program(folder):
    """A Go as new as the folder's module wants: an installed one, or the release that Go's module mirror has."""
    wanted = re.search(r"^go (\S+)", (folder / "go.mod").read_text(), re.MULTILINE)[1]
    require_program("go")
    for bin_dir in search_path().split(os.pathsep):
        program = shutil.which("go", path=bin_dir)
        if not program:
            continue
        installed = subprocess.run([program, "version"], capture_output=True, text=True).stdout
        if _numbers(installed)[:3] >= _numbers(wanted):
            return program
    target = cache_dir() / f"go-{wanted}"
    if not target.exists():
        _download_go(wanted, target)
    return str(target / "bin" / "go")


def _download_go(version, target):
    machine = GO_MACHINES.get(platform.machine(), platform.machine())
    module = f"golang.org/toolchain@v0.0.1-go{version}.linux-{machine}"
    program = shutil.which("go", path=search_path())
    answer = _run([program, "mod", "download", "-json", module], Path("/"), None)
    unfinished = target.with_name(target.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(json.loads(answer)["Dir"], unfinished)
    for entry in [unfinished, *unfinished.rglob("*")]:  # a module's files are neither writable nor programs
        is_program = entry.parent.name == "bin" or "tool" in entry.parts
        entry.chmod(entry.stat().st_mode | stat.S_IWUSR | (stat.S_IXUSR if is_program else 0))
    unfinished.rename(target)


def install_once(source_dir, command):
    """The folder in which `command` has been carried out over a copy of the sources."""
    target = cache_dir() / f"{source_dir.name}-{_digest(source_dir)}"
    marker = target / ".complete"
    if marker.exists():
        return target
    require_program(command[0])
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source_dir, target)
    is_go = command[0] == "go"
    program = _go_program(source_dir) if is_go else shutil.which(command[0], path=search_path())
    _run([program, *command[1:]], target, {**os.environ, "PATH": search_path()})
    marker.touch()
    return target


def npm_install(source_dir):
    options = ["--omit=dev", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    return install_once(source_dir, ["npm", "install", *options])


def program_version(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines else "unknown"
