"""What the black-box tests of the client API share: refusals as exceptions, and the loop that runs the tests of a file."""

import argparse
import json
import pathlib
import time
import traceback
import urllib.error
import urllib.request


BINARY = pathlib.Path(__file__).resolve().parents[2] / "build/release/restitch"


def suite_options(description):
    """What every suite takes: the binary, absolute, and a part of the names of the tests to run."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(BINARY), type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--only", default="", help="only tests whose name holds this")
    return parser.parse_args()


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


def request_json(method, url, body=None, token=None):
    """What the server answers, as JSON; Refused when that is an error."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raise Refused(error.code, json.loads(error.read())) from None


class Tally:
    """Runs the functions test_… of a module, in the order of the file, and counts."""

    def __init__(self):
        self._passed = self._failed = 0

    def run(self, module, only, *arguments):
        for name, function in list(module.items()):
            if not name.startswith("test_") or only not in name:
                continue
            started = time.monotonic()
            try:
                function(*arguments)
            except Exception:
                self._failed += 1
                print(f"FAIL {name}\n{traceback.format_exc(limit=6)}", flush=True)
            else:
                self._passed += 1
                print(f"ok   {name} ({time.monotonic() - started:.1f} s)", flush=True)

    def close(self):
        """Prints the closing line; the exit code."""
        print(f"{self._passed} passed, {self._failed} failed")
        return 0 if self._failed == 0 and self._passed > 0 else 1
