"""Pinned Python packages of a suite, in a cache beside the user's other caches."""

import pathlib
import shutil
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
WIRE_FOLDER = pathlib.Path.home() / ".cache/restitch/wire-tests"
WIRE_REQUIREMENTS = TESTS / "wire/requirements.txt"


def provide_packages(folder=WIRE_FOLDER, requirements=WIRE_REQUIREMENTS):
    """Installs the requirements into `folder` when they are not there yet, and makes them importable."""
    wanted = requirements.read_text()
    stamp = folder / "requirements.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        packages = folder / "packages"
        subprocess.run([str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", "--target", str(packages), "-r", str(requirements)], check=True)
        stamp.write_text(wanted)
    sys.path.insert(0, str(folder / "packages"))
