#!/usr/bin/env python3
"""Black-box tests of the command line: against a stand-in for the Admin API where a test needs it to misbehave, against the
real server for everything else."""

import argparse
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

import offline_tests  # noqa: E402
import push_tests  # noqa: E402
import rules_tests  # noqa: E402
import server_tests  # noqa: E402
import terminal_tests  # noqa: E402
from black_box import Tally  # noqa: E402
from cli import Cli  # noqa: E402
from fake_server import FakeServer  # noqa: E402
from restitch_process import RestitchProcess  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--only", default="", help="run the tests whose name contains this")
    arguments = parser.parse_args()
    tally = Tally()

    def cli():
        made.append(Cli(arguments.binary))
        return made[-1]

    def fake():
        servers.append(FakeServer())
        return servers[-1]

    made, servers = [], []
    data = tempfile.mkdtemp(prefix="restitch-cli-data-")
    server = RestitchProcess(arguments.binary, data, []).wait_until_ready()
    try:
        tally.run(vars(offline_tests), arguments.only, cli)
        tally.run(vars(rules_tests), arguments.only, cli)
        tally.run(vars(push_tests), arguments.only, cli, fake)
        for module in (server_tests, terminal_tests):
            tally.run(vars(module), arguments.only, cli, {"RESTITCH_URL": server.url, "RESTITCH_DATA": data})
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)
        for one in made + servers:
            one.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
