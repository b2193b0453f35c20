"""Packages of PyPI for the tests, in a folder of their own."""

import pathlib
import shutil
import subprocess
import sys


def provide(requirements, folder):
    """Installs the pinned requirements into `folder` when they are not there yet, and makes them importable."""
    folder = pathlib.Path(folder)
    wanted = pathlib.Path(requirements).read_text()
    stamp = folder / "requirements.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        subprocess.run([str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", "--target", str(folder / "packages"), "-r", str(requirements)],
                       check=True)
        stamp.write_text(wanted)
    sys.path.insert(0, str(folder / "packages"))
