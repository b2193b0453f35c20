"""mongo-java-server with its backend in memory."""

from peers.wire_servers import MongoJavaServerProgram
from peers.wire_system import WireSystem


class MongoJavaServer(WireSystem):
    name = "mongo-java-server"
    durability = "none: data in memory only"

    def __init__(self, context):
        super().__init__(context)
        self._program = MongoJavaServerProgram()

    def install(self):
        self._program.install()

    def command(self):
        return self._program.command(self.port), {}

    def version(self):
        return self._program.version()
