"""Servers of the MongoDB wire protocol that others wrote: how they are installed and started.

The tests of foreign data sources use them too, so nothing here needs the harness."""

import re
from pathlib import Path

from peers.installer import install_once, program_version, require_program

PEERS_DIR = Path(__file__).resolve().parent


class MongoJavaServerProgram:
    """mongo-java-server with its backend in memory, from Maven Central."""

    def __init__(self):
        self._folder = None

    def install(self):
        require_program("java")
        goal = ["dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime"]
        self._folder = install_once(PEERS_DIR / "mongo_java_server", ["mvn", "-q", "-B", *goal])

    def command(self, port, has_change_streams=False):
        serve = ["java", "-cp", f"{self._folder}/lib/*", self._folder / "Serve.java", port]
        return [*serve, "oplog"] if has_change_streams else serve

    def version(self):
        pom = (self._folder / "pom.xml").read_text()
        version = re.findall(r"<version>([^<]+)</version>", pom)[-1]
        return f"mongo-java-server {version}, {program_version(['java', '--version'])}"


class FerretDbProgram:
    """FerretDB 1.24, built from its Go module."""

    def __init__(self):
        self._folder = None

    def install(self):
        build = ["go", "build", "-trimpath", "-o", "ferretdb", "."]
        self._folder = install_once(PEERS_DIR / "ferretdb", build)

    def command(self, handler, url, port):
        """`handler`: sqlite or postgresql."""
        return [self._folder / "ferretdb", handler, url, f"127.0.0.1:{port}"]

    def version(self):
        for line in (self._folder / "go.mod").read_text().splitlines():
            if "FerretDB/FerretDB " in line:
                return "FerretDB " + line.split()[-1]
        return "unknown"
