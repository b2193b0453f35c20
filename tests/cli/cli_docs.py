#!/usr/bin/env python3
"""Writes docs/cli.md from the --help texts of the program."""

import argparse
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

HEAD = """# The command line

One program runs the server and talks to it. The operator's commands (`serve`, `check`,
`backup`, …) are in [operations.md](operations.md); this page has those that talk to a server or make app directories. It is
made from the `--help` texts; `tests/cli/cli_docs.py` writes it.

```sh
restitch init && restitch push --yes    # an app directory from a template, deployed to http://127.0.0.1:9090
```

**Which server.** `--url`, else `RESTITCH_URL`, else that of the profile's login, else `http://127.0.0.1:9090`.

**Who signs in.** `RESTITCH_API_KEY` and `RESTITCH_PRIVATE_API_KEY`, else the profile that `restitch login` wrote
(`~/.config/restitch/<profile>.yaml`, readable for its owner only), else, for a server on this machine, the `admin.json` of
the data directory that `--data` or `RESTITCH_DATA` names (default `./data`).

**Which app.** `--app` or `--remote`: its id, the beginning of its id, or its name. Without it, the app of the configuration
directory that the working directory lies in: by `.mdb`, by the id in its root file, else by its name.

**What is said.** Text, or with `--json` one object a line: `time`, `level` and `message`, with `data` and `headers` for
tables and `doc` for documents. Errors go to standard error. Exit code 0 is success (also after a declined question), 1 an
error, 130 an interruption. Questions are asked on a terminal only; elsewhere `--yes` answers them.

**A push** changes nothing until its last step: the configuration goes into a draft, and the draft is deployed as a whole. A
push that fails or is interrupted takes its draft back, and the app stays as it was. A push deletes what the directory does
not contain; `--dry-run` shows what would change.
"""

COMMON = re.compile(r"\n+Options of every command:\n(?:  .*\n)*")


def help_of(binary, *command):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RESTITCH_")}
    said = subprocess.run([binary, *command, "--help"], text=True, capture_output=True, check=True, env=environment)
    return said.stdout.strip() + "\n"


def commands_in(text):
    _, _, listed = text.partition("\nSubcommands:\n")
    return [match[1] for match in re.finditer(r"^  (\w[\w-]*)(?:,| |$)", listed, re.MULTILINE)]


def document(binary):
    parts = [HEAD]
    common = []

    def add(*command):
        text = help_of(binary, *command)
        below = commands_in(text)
        match = COMMON.search(text)
        if match:
            common[:] = [match[0].strip("\n")]
            text = text.replace(match[0], "\n").rstrip("\n") + "\n"
        if not below and (match or command in (("completion",), ("rules", "test"))):
            parts.append(f"## restitch {' '.join(command)}\n\n```\n{text}```\n")
        for name in below:
            add(*command, name)

    for name in commands_in(help_of(binary)):
        add(name)
    parts.insert(1, "## Options of every command that talks to a server\n\n```\n" + "\n".join(common).partition("\n")[2] + "\n```\n")
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    (ROOT / "docs/cli.md").write_text(document(parser.parse_args().binary))


if __name__ == "__main__":
    main()
