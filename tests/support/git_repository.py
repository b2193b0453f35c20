"""A bare git repository on this machine, and a clone that commits to it."""

import os
import pathlib
import shutil
import subprocess

ENVIRONMENT = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
               "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
               "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}


class GitRepository:
    def __init__(self, folder, branch="main"):
        self.bare, self.work = pathlib.Path(folder) / "shop.git", pathlib.Path(folder) / "work"
        self._git(folder, "init", "--quiet", "--bare", "-b", branch, str(self.bare))
        self._git(folder, "init", "--quiet", "-b", branch, str(self.work))
        self._git(self.work, "remote", "add", "origin", str(self.bare))

    @property
    def url(self):
        return f"file://{self.bare}"

    def write(self, path, content):
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def remove(self, path):
        (self.work / path).unlink()

    def push(self, branch="main"):
        """What was written, as a commit on the branch; its id."""
        self._git(self.work, "add", "-A")
        self._git(self.work, "commit", "--quiet", "--allow-empty", "-m", "a change")
        self._git(self.work, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        return self._git(self.work, "rev-parse", "HEAD").strip()

    def away(self):
        """Moves it where it is not found."""
        shutil.move(self.bare, f"{self.bare}.away")

    def back(self):
        shutil.move(f"{self.bare}.away", self.bare)

    @staticmethod
    def _git(folder, *arguments):
        return subprocess.run(["git", *arguments], cwd=folder, env=ENVIRONMENT, check=True, text=True,
                              stdout=subprocess.PIPE).stdout
