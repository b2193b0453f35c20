"""MongoDB deployments that stand behind the data sources of the test apps (their cluster name is Cluster0)."""

import shutil
import tempfile

from restitch_process import RestitchProcess

CLUSTER = "Cluster0"


class Embedded:
    """The cluster inside the server: nothing to start."""

    def start(self):
        return []

    def stop(self):
        return []


class Restitch:
    """Another server's MongoDB endpoint: a replica set with transactions, reached through the driver."""

    def __init__(self, binary):
        self._binary = binary
        self._process = None
        self._data = None

    def start(self):
        """Starts it afresh; the options that make the server under test use it."""
        self._data = tempfile.mkdtemp(prefix="restitch-source-")
        self._process = RestitchProcess(self._binary, self._data, [], ["--wire", "127.0.0.1:0"]).wait_until_ready()
        return ["--cluster", f"{CLUSTER}=mongodb://127.0.0.1:{self._process.wire_port}/?replicaSet=restitch"]

    def stop(self):
        """What went wrong."""
        if not self._process:
            return []
        code = self._process.stop()
        shutil.rmtree(self._data, ignore_errors=True)
        tail = self._process.log_tail()
        self._process = None
        return [] if code == 0 else [f"the data source ended with {code}\n{tail}"]


def make(name, binary):
    return {"embedded": Embedded, "restitch": lambda: Restitch(binary)}[name]()


NAMES = ["embedded", "restitch"]
