#!/usr/bin/env python3
"""The examples of the documentation, run as a reader would (see README.md)."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

from black_box import Tally, suite_options  # noqa: E402
from restitch_process import RestitchProcess, free_port  # noqa: E402

EXAMPLE_PAGES = ("docs/example.md", "docs/rules.md", "docs/schemas.md", "docs/functions.md", "docs/endpoints.md",
                 "docs/hosting.md")
PROVIDER_PAGES = ("anonymous", "email-password", "custom-jwt", "custom-function", "api-keys", "sessions")
ADDRESS = "127.0.0.1:9090"
DEPLOYED_ID = 2001  # of the log line "App deployed"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACEHOLDER = "$URL"  # a block with it is to be filled in by the reader
# What differs from run to run.
NORMAL = ((re.compile(r"\b[0-9a-f]{24}-[a-z]{24}\b"), "ID"), (re.compile(r"\b[0-9a-f]{24}\b"), "ID"),
          (re.compile(r"eyJ[\w.…-]*"), "TOKEN"))
# Every command's output ends with a line.
PREAMBLE = """
curl() { command curl -sS "$@"; echo; }
restitch() { "$RESTITCH" "$@"; }
"""


class Block:
    def __init__(self, code, expected):
        self.code, self.expected = code, expected


def blocks_of(text):
    """The shell blocks of a page, each with the lines that it must print."""
    fences = FENCE.findall(text)
    blocks = []
    for index, (language, code) in enumerate(fences):
        if language != "sh" or PLACEHOLDER in code:
            continue
        expected = [line[2:] for line in code.splitlines() if re.match(r'# ["{\[]', line)]
        following = fences[index + 1] if index + 1 < len(fences) else ("", "")
        if following[0] == "json" and not expected:
            expected = following[1].splitlines()
        blocks.append(Block(code, expected))
    return blocks


def normal(line):
    for pattern, name in NORMAL:
        line = pattern.sub(name, line)
    return line


def is_like(expected, line):
    parts = [re.escape(part) for part in normal(expected).split("…")]
    return re.fullmatch(".*".join(parts), normal(line)) is not None


class Shell:
    """One bash that runs block after block."""

    def __init__(self, folder, binary, port):
        self._port = port
        self._process = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         text=True, cwd=folder,
                                         env={**os.environ, "RESTITCH": str(binary),
                                              "RESTITCH_URL": f"http://{ADDRESS}".replace("9090", str(port))})
        self.run(PREAMBLE)

    def run(self, code):
        """The lines that it prints."""
        code = code.replace(ADDRESS, f"127.0.0.1:{self._port}")
        self._process.stdin.write(f"{code}\necho; echo '== done'\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line == "== done\n":
                return [one.replace(f"127.0.0.1:{self._port}", ADDRESS) for one in lines if one.strip()]
            lines.append(line.rstrip("\n"))
        raise AssertionError("the shell ended:\n" + "\n".join(lines))

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)


def check(block, lines):
    context = f"\n{block.code}printed:\n" + "\n".join(lines)
    assert len(lines) >= len(block.expected), f"expected {block.expected}{context}"
    for expected, line in zip(block.expected, lines):
        assert is_like(expected, line), f"expected {expected}{context}"
    if block.expected:
        return
    assert not any(line.startswith("curl:") or '"error"' in line or "rror:" in line for line in lines), context
    if re.search(r"^curl.*/login", block.code, re.MULTILINE):
        assert any('"access_token"' in line for line in lines), context


# ---- Tests: each takes the binary.


def test_pages_of_the_example_app(binary):
    for page in EXAMPLE_PAGES:
        blocks = blocks_of((ROOT / page).read_text())
        with tempfile.TemporaryDirectory(prefix="restitch-docs-") as folder:
            shutil.copytree(ROOT / "examples/tasks", pathlib.Path(folder) / "examples/tasks")
            server = RestitchProcess(binary, f"{folder}/data", [f"{folder}/examples/tasks"]).wait_until_ready()
            shell = Shell(folder, binary, server.port)
            try:
                if page == "docs/endpoints.md":  # "after the store was opened (see functions)"
                    for block in blocks_of((ROOT / "docs/functions.md").read_text()):
                        shell.run(block.code)
                for block in blocks:
                    check(block, shell.run(block.code))
            except AssertionError as failure:
                raise AssertionError(f"{page}: {failure}\n{server.log_tail()}") from None
            finally:
                shell.close()
                server.stop()


def providers_of(text):
    """The settings that a page begins with, without the braces around them."""
    language, code = FENCE.search(text).groups()
    assert language == "json", code
    return code.strip()[1:-1].strip()


def deployments(server):
    return sum(f'"id":{DEPLOYED_ID}' in line for line in list(server.log))


def wait_for_deployment(server, before, seconds=30):
    until = time.monotonic() + seconds
    while deployments(server) == before:
        assert time.monotonic() < until, "nothing was deployed\n" + server.log_tail()
        time.sleep(0.1)


def split_at_request(code):
    """What changes the directory, and what asks the server for it."""
    lines = code.splitlines(keepends=True)
    first = next((index for index, line in enumerate(lines) if line.startswith("curl")), len(lines))
    changes, requests = "".join(lines[:first]), "".join(lines[first:])
    return (changes, requests) if "my-app/" in changes else ("", code)


def test_pages_of_the_sign_in_providers(binary):
    start = FENCE.findall((ROOT / "docs/authentication/README.md").read_text())
    with tempfile.TemporaryDirectory(prefix="restitch-docs-") as folder:
        port = free_port()
        shell = Shell(folder, binary, port)
        shell.run("\n".join(line for line in start[0][1].splitlines() if not line.startswith("restitch serve")))
        app = pathlib.Path(folder) / "my-app"
        settings = []
        serve = shlex.split(next(line for line in start[0][1].splitlines() if line.startswith("restitch serve")))
        assert serve[serve.index("--data") + 1] == "data" and serve[serve.index("--app") + 1] == "my-app", serve
        server = RestitchProcess(binary, f"{folder}/data", [str(app)], ["--watch"], port=port).wait_until_ready()
        try:
            shell.run(start[1][1])
            for page in PROVIDER_PAGES:
                text = (ROOT / f"docs/authentication/{page}.md").read_text()
                if page != "sessions":
                    settings.append(providers_of(text))
                    before = deployments(server)
                    (app / "auth/providers.json").write_text("{" + ",\n".join(settings) + "}")
                    if page != "custom-jwt" and page != "custom-function":  # these bring more with their first block
                        wait_for_deployment(server, before)
                run_page(page, text, shell, server)
        finally:
            shell.close()
            server.stop()


def run_page(page, text, shell, server):
    for block in blocks_of(text):
        changes, requests = split_at_request(block.code)
        try:
            if changes:
                before = deployments(server)
                shell.run(changes)
                wait_for_deployment(server, before)
            check(Block(block.code, block.expected), shell.run(requests))
        except AssertionError as failure:
            raise AssertionError(f"{page}: {failure}\n{server.log_tail()}") from None


def main():
    options = suite_options(__doc__)
    assert shutil.which("jq"), "the examples use jq"
    tally = Tally()
    tally.run(globals(), options.only, options.binary)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
