"""Peers are installed once, by name and pinned version, into a cache folder that later runs use."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

ERROR_LINES = 4
GO_BIN = "/usr/local/go/bin"  # where Go's own archive goes, often without being on the path


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


def install_once(source_dir, command):
    """The folder in which `command` has been carried out over a copy of the sources."""
    target = cache_dir() / f"{source_dir.name}-{_digest(source_dir)}"
    marker = target / ".complete"
    if marker.exists():
        return target
    require_program(command[0])
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source_dir, target)
    env = {**os.environ, "PATH": search_path()}
    program = shutil.which(command[0], path=search_path())
    done = subprocess.run(
        [program, *command[1:]], cwd=target, capture_output=True, text=True, env=env
    )
    if done.returncode != 0:
        last_lines = (done.stderr or done.stdout).strip().splitlines()[-ERROR_LINES:]
        raise Unavailable(f"{' '.join(command)} failed: {' / '.join(last_lines)}")
    marker.touch()
    return target


def npm_install(source_dir):
    options = ["--omit=dev", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    return install_once(source_dir, ["npm", "install", *options])


def program_version(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines else "unknown"
