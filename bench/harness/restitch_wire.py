"""Restitch's endpoint of the MongoDB wire protocol, over its embedded cluster."""

from harness.restitch import Restitch, require_built
from peers.installer import program_version
from peers.wire_system import WireSystem


class RestitchWire(WireSystem):
    name = Restitch.name
    workloads = WireSystem.workloads | {"insert retryable"}
    durability = Restitch.durability

    def install(self):
        require_built(self.context)

    def command(self):
        program = self.context.programs.restitch
        addresses = ["--listen", "127.0.0.1:0", "--wire", f"127.0.0.1:{self.port}"]
        return [program, "serve", "--data", self.data_dir, *addresses], {}

    def version(self):
        return program_version([self.context.programs.restitch, "--version"])
