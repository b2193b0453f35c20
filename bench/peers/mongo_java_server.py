"""mongo-java-server with its backend in memory, from Maven Central."""

import re

from peers.installer import install_once, program_version, require_program
from peers.wire_system import WireSystem


class MongoJavaServer(WireSystem):
    name = "mongo-java-server"
    durability = "none: data in memory only"

    def install(self):
        require_program("java")
        source = self.context.bench_dir / "peers" / "mongo_java_server"
        goal = ["dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime"]
        self._folder = install_once(source, ["mvn", "-q", "-B", *goal])

    def command(self):
        return ["java", "-cp", f"{self._folder}/lib/*", self._folder / "Serve.java", self.port], {}

    def version(self):
        pom = (self._folder / "pom.xml").read_text()
        version = re.findall(r"<version>([^<]+)</version>", pom)[-1]
        return f"mongo-java-server {version}, {program_version(['java', '--version'])}"
