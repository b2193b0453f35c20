"""workerd serving the sum function: a JavaScript call over HTTP without users and data."""

from harness.rest import json_post
from peers.installer import Unavailable, npm_install, program_version
from peers.system import HttpSystem


class Workerd(HttpSystem):
    name = "workerd"
    workloads = {"sum"}

    def install(self):
        self._folder = npm_install(self.context.bench_dir / "peers" / "workerd")
        binaries = list(self._folder.glob("node_modules/@cloudflare/workerd-*/bin/workerd"))
        if not binaries:
            raise Unavailable("the package has no binary for this machine")
        self._binary = binaries[0]

    def command(self):
        address = f"http=127.0.0.1:{self.port}"
        return [self._binary, "serve", self._folder / "config.capnp", "--socket-addr", address], {}

    def sum_request(self, a, b):
        return {**json_post("/", {"name": "sum", "arguments": [a, b]}), "expect": str(a + b)}

    def version(self):
        return program_version([self._binary, "--version"])
